"""The 12 bytes in front of every frame that switches move (spec 03 §2).

| byte | content |
| --- | --- |
| 0-7 | label, big-endian |
| 8 | congestion (7 bits), suppress errors (lowest bit) |
| 9 | header version (2 bits), label shift (6 bits) |
| 10-11 | traffic class |

Any value is accepted in any field: real traffic mixes header versions 0 and 1, and nobody reads congestion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "CURRENT_VERSION",
    "FORWARDED_CLASS",
    "SIZE",
    "SwitchHeader",
    "origin_header",
    "pack_header",
    "unpack_header",
]

SIZE: Final = 12

CURRENT_VERSION: Final = 1
"""Header version that an origin writes."""

FORWARDED_CLASS: Final = 0xFFFF
"""Traffic class that each switch writes into what it forwards."""

_LAYOUT: Final = Struct(">QBBH")

pack_header: Final = _LAYOUT.pack
"""(label, congestion and suppression, version and shift, class): the 12 bytes, for the hot path."""

unpack_header: Final = _LAYOUT.unpack_from
"""The same four numbers from a buffer of at least 12 bytes."""


@lru_cache(maxsize=1024)
def origin_header(label: int, *, suppress_errors: bool = False) -> bytes:
    """Give the header of a frame that begins its way here."""
    return pack_header(label, int(suppress_errors), CURRENT_VERSION << 6, 0)


@dataclass(frozen=True, slots=True)
class SwitchHeader:
    """One switch header; the defaults are those of a frame that leaves its origin (spec 03 §6)."""

    label: int
    congestion: int = 0
    """0 to 127."""

    suppress_errors: bool = False
    """No switch answers this frame with an error."""

    version: int = CURRENT_VERSION
    """0 to 3."""

    label_shift: int = 0
    """0 to 63: bits of the label that switches have consumed so far."""

    traffic_class: int = 0

    @classmethod
    def parse(cls, view: bytes | bytearray | memoryview) -> SwitchHeader:
        """Read the header in front of a frame. Raises `WireError` if there are fewer than 12 bytes."""
        if len(view) < SIZE:
            raise WireError("a switch header has 12 bytes", len(view))
        label, congestion, shift, traffic_class = _LAYOUT.unpack_from(view)
        return cls(label, congestion >> 1, bool(congestion & 1), shift >> 6, shift & 0x3F, traffic_class)

    def encode(self) -> bytes:
        """Write the 12 bytes."""
        return _LAYOUT.pack(
            self.label,
            self.congestion << 1 | self.suppress_errors,
            self.version << 6 | self.label_shift,
            self.traffic_class,
        )
