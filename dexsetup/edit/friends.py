"""The friends in `.linphonerc`: sections `[friend_0]`, `[friend_1]` and so on (linphonec 5.1).

Rules:

- Ours are those that still carry the comment of `ini`. Only they are changed or taken out.
- A friend that is there with the address that is wanted is not added again, whoever added it.
- linphone stops at the first number that is missing, so the friends behind one that goes are numbered anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dexsetup.edit import ini
from dexsetup.edit.spans import apply_edits

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_friends"]

_HEADER: Final = re.compile(rb"^[ \t]*\[friend_(\d{1,9})\]", re.MULTILINE)
_OURS: Final = re.compile(rb"^[ \t]*\[friend_(\d{1,9})\][^\n]*\n# section made by dexsetup\r?$", re.MULTILINE)


def with_friends(data: bytes, wanted: Mapping[str, str]) -> bytes:
    """Return the file with these friends as ours: what `url` says of each, by address (`sip:jo@[fc..]`)."""
    for number in sorted(_numbers(data, _OURS), reverse=True):
        section = ini.present(data).get(f"friend_{number}", {})
        if not any(f"<{address}>" in section.get("url", "") for address in wanted):
            data = _without(data, number)
    for address, url in wanted.items():
        present = _number_of(data, address)
        if present is None:
            free = min(set(range(len(_numbers(data, _HEADER)) + 1)) - _numbers(data, _HEADER))
            settings = {"url": url, "pol": "accept", "subscribe": "0"}
            data = apply_edits(data, ini.edits(data, {f"friend_{free}": settings}))
        elif present in _numbers(data, _OURS):
            data = apply_edits(data, ini.edits(data, {f"friend_{present}": {"url": url}}))
    return data


def _numbers(data: bytes, pattern: re.Pattern[bytes]) -> set[int]:
    return {int(match[1]) for match in pattern.finditer(data)}


def _number_of(data: bytes, address: str) -> int | None:
    sections = ini.present(data)
    numbers = sorted(_numbers(data, _HEADER))
    urls = ((number, sections.get(f"friend_{number}", {}).get("url", "")) for number in numbers)
    return next((number for number, url in urls if f"<{address}>" in url), None)


def _without(data: bytes, number: int) -> bytes:
    name = f"friend_{number}"
    # One value of a key is seen at a time, and somebody may have written several.
    while section := ini.present(data).get(name):
        data = apply_edits(data, ini.removal(data, {name: section}))
    if number in _numbers(data, _HEADER):
        # A line that somebody has added keeps the section, and with it the numbers behind it.
        return data

    def lowered(match: re.Match[bytes]) -> bytes:
        known = int(match[1])
        return match[0].replace(match[1], b"%d" % (known - 1)) if known > number else match[0]

    return _HEADER.sub(lowered, data)
