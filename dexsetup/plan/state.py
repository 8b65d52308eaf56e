"""Which files dexsetup wrote, by hash: the memory behind "was this edited by hand?".

Kept in /var/lib/dexsetup/state.json. A missing or unreadable memory is an empty one: then what is there is
somebody else's, is kept for undo and compared byte by byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dexsetup.host.base import Host
from dexsetup.plan.places import STATE, STATE_DIRECTORY

__all__ = ["Original", "StateEntry", "entry_from_json", "entry_to_json", "load_state", "save_state"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Original:
    """What was there before we first wrote: where its content is kept, and its rights."""

    image: str
    """Path of the before-image."""
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One file that we wrote last."""

    sha256: str
    template: str
    run: str
    original: Original | None = None
    """None: there was no file."""


def entry_to_json(entry: StateEntry | None) -> dict[str, Any] | None:
    """Return the entry as JSON values."""
    return None if entry is None else asdict(entry)


def entry_from_json(value: Mapping[str, Any] | None) -> StateEntry | None:
    """Return the entry of JSON values made by entry_to_json."""
    if value is None:
        return None
    original = value["original"]
    return StateEntry(
        sha256=value["sha256"],
        template=value["template"],
        run=value["run"],
        original=None if original is None else Original(**original),
    )


def load_state(host: Host) -> dict[str, StateEntry]:
    """Read the memory of this machine."""
    content = host.read(STATE)
    if not content:
        return {}
    try:
        values = json.loads(content)
        found = {path: entry_from_json(value) for path, value in values["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {path: entry for path, entry in found.items() if entry is not None}


def save_state(host: Host, entries: Mapping[str, StateEntry]) -> None:
    """Write the memory, if it is not what is there already."""
    files = {path: entry_to_json(entries[path]) for path in sorted(entries)}
    content = (json.dumps({"format": _FORMAT, "files": files}, indent=1) + "\n").encode()
    if host.read(STATE) == content or (not entries and host.read(STATE) is None):
        return
    if host.stat(STATE_DIRECTORY) is None:
        host.make_directory(STATE_DIRECTORY, mode=0o700, owner="root", group="root")
    host.write(STATE, content, mode=0o600, owner="root", group="root")
