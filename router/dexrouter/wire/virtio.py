"""The 10 bytes in front of packets of a TUN device with IFF_VNET_HDR (Virtual I/O Device 1.2, 5.1.6).

| offset | size | field |
| --- | --- | --- |
| 0 | 1 | flags: 1, the checksum at `checksum_start + checksum_offset` has to be finished |
| 1 | 1 | what kind of super-packet it is, 0 for none; bit 7: with congestion marks |
| 2 | 2 | length of all headers |
| 4 | 2 | payload of each packet that it stands for, but perhaps the last |
| 6 | 2 | where the sum begins |
| 8 | 2 | where the checksum is, from there |

Numbers are in the machine's byte order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = ["NEEDS_CHECKSUM", "PLAIN", "VNET_HEADER_SIZE", "SuperPacket", "VnetHeader"]

NEEDS_CHECKSUM: Final = 1

_LAYOUT: Final = Struct("=BBHHHH")

VNET_HEADER_SIZE: Final = _LAYOUT.size

PLAIN: Final = bytes(VNET_HEADER_SIZE)
"""The header of a packet that needs nothing."""


class SuperPacket(IntEnum):
    """Kinds of super-packets."""

    NONE = 0
    TCP4 = 1
    UDP4_FRAGMENTS = 3
    TCP6 = 4
    UDP = 5


@dataclass(frozen=True, slots=True)
class VnetHeader:
    """What the kernel says about a packet, or is told."""

    flags: int = 0
    kind: int = SuperPacket.NONE
    header_length: int = 0
    segment_size: int = 0
    checksum_start: int = 0
    checksum_offset: int = 0

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> VnetHeader:
        """Read it from the start of what a TUN device gave. Raises WireError."""
        if len(data) < VNET_HEADER_SIZE:
            raise WireError("a virtio network header has 10 bytes", len(data))
        return cls(*_LAYOUT.unpack_from(data))

    def encode(self) -> bytes:
        """Write it."""
        return _LAYOUT.pack(
            self.flags,
            self.kind,
            self.header_length,
            self.segment_size,
            self.checksum_start,
            self.checksum_offset,
        )
