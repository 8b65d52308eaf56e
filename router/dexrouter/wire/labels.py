"""Route labels: 64-bit paths through switches (spec 03 §3 and §5).

A label is a plain `int`. Its low bits are the directors of the switches on the way, the first switch in the
lowest bits; one end mark (a 1 bit) stands above the last director. In flight the high bits collect the way
back. What a director means is the business of the encoding scheme of the switch it belongs to, see
`encoding_scheme.py`; here is the algebra that needs no scheme.

Python's integers are unbounded: every function that shifts up keeps its result within 64 bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "INVALID_LABEL",
    "LABEL_MASK",
    "MAX_PATH_BITS",
    "SELF_LABEL",
    "format_label",
    "label_bits",
    "parse_label",
    "reverse64",
    "routes_through",
    "splice",
    "unsplice",
]

INVALID_LABEL: Final = 0xFFFF_FFFF_FFFF_FFFF
"""The result of an operation that has none. Never sent."""

SELF_LABEL: Final = 1
"""The path to this very node."""

MAX_PATH_BITS: Final = 59
"""No longer path can be built, so that it fits together with the 4 bits of its origin (spec 03 §3)."""

LABEL_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF

_REVERSED_BYTES: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@lru_cache(maxsize=4096)
def reverse64(label: int) -> int:
    """Reverse the 64 bits: turns the label that arrived at a router into the path back (spec 03 §3)."""
    return int.from_bytes(label.to_bytes(8, "little").translate(_REVERSED_BYTES), "big")


def label_bits(label: int) -> int:
    """Index of the highest set bit, which is the total width of a path's directors; 0 for label 0."""
    return (label or 1).bit_length() - 1


def splice(go: int, via: int) -> int:
    """Go to `via`, and from there follow `go`: `INVALID_LABEL` if the result is too long (spec 03 §5.6)."""
    via_bits = label_bits(via)
    if label_bits(go) + via_bits > MAX_PATH_BITS:
        return INVALID_LABEL
    return (go ^ 1) << via_bits ^ via


def unsplice(full: int, mid: int) -> int:
    """Give what is left of the path `full` as seen from the node at `mid` (spec 03 §5.7)."""
    return full >> label_bits(mid)


def routes_through(dest: int, mid: int) -> bool:
    """Whether the path `dest` passes the node at `mid` (or ends there, spec 03 §5.8)."""
    if mid > dest:
        return False
    if mid < 2:
        return True
    return not (dest ^ mid) & ((1 << label_bits(mid)) - 1)


def format_label(label: int) -> str:
    """Give the text form, `0000.0000.0000.0013`."""
    digits = f"{label:016x}"
    return f"{digits[:4]}.{digits[4:8]}.{digits[8:12]}.{digits[12:]}"


def parse_label(text: str) -> int:
    """Read the text form: four groups of four hex digits. Raises `WireError`."""
    groups = text.split(".")
    if len(groups) != 4:
        raise WireError("a path is four groups of hex digits with dots between them")
    for position, group in enumerate(groups):
        if len(group) != 4 or not set(group) <= _HEX_DIGITS:
            raise WireError("a path group is exactly four hex digits", position * 5)
    return int("".join(groups), 16)


_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
