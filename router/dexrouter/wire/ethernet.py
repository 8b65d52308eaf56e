"""The 6 bytes in front of what Ethernet links carry, behind the Ethernet header of 14 (spec 02 §3).

| offset | size | field |
| --- | --- | --- |
| 0 | 1 | version 0 |
| 1 | 1 | zero, not checked |
| 2 | 2 | length of the payload plus these 6 bytes |
| 4 | 2 | magic `fc00` |

The length is needed because short frames arrive padded. A frame is a beacon if and only if it was broadcast.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "BROADCAST",
    "ETHERNET_HEADER_SIZE",
    "ETHERTYPE",
    "LINK_HEADER_SIZE",
    "MAX_PAYLOAD",
    "both_headers",
    "unwrap",
]

ETHERTYPE: Final = 0xFC00
BROADCAST: Final = b"\xff" * 6

_LINK: Final = Struct(">BxHH")
_MAGIC: Final = 0xFC00

LINK_HEADER_SIZE: Final = _LINK.size
MAX_PAYLOAD: Final = 0xFFFF - LINK_HEADER_SIZE
"""All that the length can say."""

_BOTH: Final = Struct(">6s6sHBxHH")
ETHERNET_HEADER_SIZE: Final = _BOTH.size - LINK_HEADER_SIZE


def unwrap(frame: bytes | memoryview) -> bytes | memoryview:
    """Take off header and padding of what stood behind the Ethernet header. Raises `WireError`."""
    if len(frame) < LINK_HEADER_SIZE:
        raise WireError("an Ethernet link header has 6 bytes", len(frame))
    version, length, magic = _LINK.unpack_from(frame)
    if version:
        raise WireError("the version of the Ethernet link header is not 0", 0)
    if magic != _MAGIC:
        raise WireError("the magic of the Ethernet link header is wrong", 4)
    if not LINK_HEADER_SIZE <= length <= len(frame):
        raise WireError("the length in the Ethernet link header is impossible", 2)
    return frame[LINK_HEADER_SIZE:length]


def both_headers(target: bytes, source: bytes, size: int) -> bytes:
    """Give all that stands in front of a payload of a size: the Ethernet header, and ours."""
    return _BOTH.pack(target, source, ETHERTYPE, 0, size + LINK_HEADER_SIZE, _MAGIC)
