"""Remembers who was connected to us, so that a killed router finds its neighbours again at once.

A neighbour that called us is in no configuration of ours. When this process dies without a word, it goes
on sending packets that the next process cannot read, for up to a minute. So the link addresses and keys
of established incoming peers are kept in the runtime directory; the next process says hello to each of them,
which begins a new session there (spec 01 §11.7).

The file holds no secrets, but whom it names may connect without a password once: it is readable by its owner
alone, and an entry whose user is no longer in the configuration is skipped.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from dexrouter.core.links import LinkAddress
from dexrouter.io.log import event
from dexrouter.io.runtime_directory import runtime_directory

__all__ = ["CachedPeer", "PeerCache"]

_log = logging.getLogger(__name__)

_MAX_PEERS: Final = 256


@dataclass(frozen=True, slots=True)
class CachedPeer:
    """One incoming peer as it was."""

    interface: str
    """Name of the interface, which has the same name in the next process."""
    address: tuple[str | int, ...]
    key: str
    """Hex digits."""
    user: str
    """Login whose password it showed."""

    @property
    def link_address(self) -> LinkAddress:
        """Give the address in the form of the core. Raises ValueError."""
        match self.address:
            case (str(host), int(port)):
                return host, port
            case (str(host), int(port), int(flow), int(scope)):
                return host, port, flow, scope
        raise ValueError("not a link address")


class PeerCache:
    """A small JSON file, replaced as a whole at each change."""

    def __init__(self, path: Path | None) -> None:
        """`path` None: nothing is remembered."""
        self._path = path

    @classmethod
    def in_runtime_directory(cls, public_key: str) -> PeerCache:
        """Use the runtime directory; one file for each key."""
        directory = runtime_directory()
        return cls(None if directory is None else directory / f"peers-{public_key[:16]}.json")

    def load(self) -> list[CachedPeer]:
        """Read what the last process left; a file that makes no sense is as good as none."""
        if self._path is None:
            return []
        try:
            entries = json.loads(self._path.read_bytes())
            peers = [CachedPeer(**{**entry, "address": tuple(entry["address"])}) for entry in entries]
            for peer in peers:
                bytes.fromhex(peer.key)
                _ = peer.link_address
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning(event("peer_cache", file=self._path, error=error))
            return []
        return peers[:_MAX_PEERS]

    def save(self, peers: list[CachedPeer]) -> None:
        """Replace the file; that it cannot be written is no reason to stop."""
        if self._path is None:
            return
        text = json.dumps([asdict(peer) for peer in peers[:_MAX_PEERS]])
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
            new.replace(self._path)
        except OSError as error:
            _log.warning(event("peer_cache", file=self._path, error=error.strerror))
            self._path = None
