"""Beacons: how nodes of one network segment find each other (spec 02 §2.1 and §4.1).

Nothing is signed. The content is the same on all kinds of links; UDP puts 8 bytes in front, Ethernet its
usual header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = ["BEACON_SIZE", "PASSWORD_SIZE", "UDP_BEACON_SIZE", "Beacon", "UdpBeacon"]

PASSWORD_SIZE: Final = 20

_CONTENT: Final = Struct(">I20s32s")
_UDP: Final = Struct(">IBBH56s")

BEACON_SIZE: Final = _CONTENT.size
"""56 bytes."""

UDP_BEACON_SIZE: Final = _UDP.size
"""64 bytes."""

_UDP_MAGIC: Final = 0xFFFF_FFFC


@dataclass(frozen=True, slots=True)
class Beacon:
    """The content of a beacon: 56 bytes."""

    version: int
    """Protocol version of the sender. A node that speaks CryptoAuth only never says 22 or more."""

    password: bytes = field(repr=False)
    """20 opaque bytes, drawn once per start of the sender."""

    public_key: bytes
    """32 bytes."""

    @classmethod
    def parse(cls, view: bytes | memoryview) -> Beacon:
        """Read a beacon; what follows the 56 bytes is ignored. Raises `WireError`."""
        if len(view) < BEACON_SIZE:
            raise WireError("a beacon has 56 bytes", len(view))
        return cls(*_CONTENT.unpack_from(view))

    def encode(self) -> bytes:
        """Write the 56 bytes."""
        return _CONTENT.pack(self.version, self.password, self.public_key)


@dataclass(frozen=True, slots=True)
class UdpBeacon:
    """A datagram on the beacon port: magic, version 0, a zero, data port, beacon."""

    data_port: int
    """Where the sender's data socket listens, on the address the datagram came from."""

    content: bytes = field(repr=False)
    """A `Beacon`, 56 bytes."""

    @classmethod
    def parse(cls, datagram: bytes | memoryview) -> UdpBeacon:
        """Read a datagram; what follows the 64 bytes is ignored. Raises `WireError`."""
        if len(datagram) < UDP_BEACON_SIZE:
            raise WireError("a UDP beacon has 64 bytes", len(datagram))
        magic, version, zero, data_port, content = _UDP.unpack_from(datagram)
        if magic != _UDP_MAGIC:
            raise WireError("the magic of the UDP beacon is wrong", 0)
        if version or zero:
            raise WireError("the version of the UDP beacon is not 0", 4)
        return cls(data_port, content)

    def encode(self) -> bytes:
        """Write the 64 bytes."""
        return _UDP.pack(_UDP_MAGIC, 0, 0, self.data_port, self.content)
