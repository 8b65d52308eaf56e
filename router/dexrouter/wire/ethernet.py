"""The 6 bytes in front of what Ethernet links carry, behind the Ethernet header (spec 02 §3).

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

__all__ = ["BROADCAST", "ETHERTYPE", "LINK_HEADER_SIZE", "unwrap", "wrap"]

ETHERTYPE: Final = 0xFC00
BROADCAST: Final = b"\xff" * 6

_LINK: Final = Struct(">BxHH")
_MAGIC: Final = 0xFC00

LINK_HEADER_SIZE: Final = _LINK.size


def wrap(payload: bytes | bytearray | memoryview) -> bytes:
    """Put the header in front of a payload."""
    return b"".join((_LINK.pack(0, len(payload) + LINK_HEADER_SIZE, _MAGIC), payload))


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
