"""What programs of this machine see of the packets that they asked for (spec 07 §8.7, UpperDistributor).

They get and give UDP datagrams over the TUN device, port 1 of `fc00::1` being the router. A datagram holds:

```
[key 32][switch header 12][version 4][flags 1][unused 3][IPv6 address 16]    the other end, zero if unknown
[data header 4][content]                                                     but with CONTROL: [control frame]
```

With INCOMING the other end has sent it, else it is sent to the other end. The header is never on a link.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import Final

from dexrouter.wire.checksum import internet_checksum, pseudo_header_sum
from dexrouter.wire.errors import WireError
from dexrouter.wire.ipv6 import DESTINATION, HEADER_SIZE, NEXT_HEADER_AT, SOURCE, rebuild
from dexrouter.wire.session_frame import DATA_HEADER_SIZE, ContentType, data_header, parse_content_type

__all__ = ["HANDLERS", "RouteFlag", "Routed", "from_program", "to_program"]

HANDLERS: Final = bytes.fromhex("fc000000000000000000000000000001")
"""`fc00::1`, where the router stands for such programs. It is nobody's address: no key has it."""

_PORT: Final = 1
_UDP: Final = 17
_UDP_HEADER: Final = Struct(">HHHH")
_HEADER: Final = Struct(">32sQBBHIB3x16s")
_VERSION: Final = 0x40
_FLAGS: Final = 7


class RouteFlag(IntFlag):
    """Flags of the header."""

    OUTGOING = 0
    INCOMING = 1
    CONTROL = 2
    PATHFINDER = 4


@dataclass(frozen=True, slots=True)
class Routed:
    """A packet with the end that it comes from or goes to."""

    content_type: int
    """`ContentType.CTRL` for a control frame."""
    content: bytes
    flags: RouteFlag = RouteFlag.OUTGOING
    key: bytes = bytes(32)
    label: int = 0
    """The path to the other end."""
    version: int = 0
    address: bytes = bytes(16)

    def encode(self) -> bytes:
        """Write header and content."""
        header = _HEADER.pack(
            self.key, self.label, 0, _VERSION, 0, self.version, int(self.flags), self.address
        )
        if self.flags & RouteFlag.CONTROL:
            return header + self.content
        return header + data_header(self.content_type) + self.content

    @classmethod
    def parse(cls, data: bytes) -> Routed:
        """Read header and content. Raises WireError."""
        if len(data) < _HEADER.size + DATA_HEADER_SIZE:
            raise WireError("a route header and a data header have 72 bytes", len(data))
        key, label, _, _, _, version, flags, address = _HEADER.unpack_from(data)
        flags = RouteFlag(flags & _FLAGS)
        rest = data[_HEADER.size :]
        if flags & RouteFlag.CONTROL:
            return cls(ContentType.CTRL, rest, flags, key, label, version, address)
        content_type = parse_content_type(rest)
        return cls(content_type, rest[DATA_HEADER_SIZE:], flags, key, label, version, address)


def to_program(own: bytes, port: int, routed: Routed) -> bytes:
    """Make the IPv6 packet that brings it to a program. Raises WireError if it is too long."""
    content = routed.encode()
    length = _UDP_HEADER.size + len(content)
    if length > 0xFFFF:
        raise WireError("the content is longer than a datagram", 0xFFFF)
    datagram = _UDP_HEADER.pack(_PORT, port, length, 0) + content
    checksum = internet_checksum(datagram, pseudo_header_sum(HANDLERS, own, length, _UDP)) or 0xFFFF
    return rebuild(HANDLERS, own, _UDP, datagram[:6] + checksum.to_bytes(2, "big") + content)


def from_program(packet: bytes) -> tuple[int, Routed]:
    """Read a packet to `fc00::1`: the program's port, and what it wants sent. Raises WireError."""
    datagram = packet[HEADER_SIZE:]
    if len(datagram) < _UDP_HEADER.size:
        raise WireError("the packet is shorter than the header of a datagram", len(packet))
    if packet[NEXT_HEADER_AT] != _UDP:
        raise WireError("only UDP is for programs", NEXT_HEADER_AT)
    port, to, length, _ = _UDP_HEADER.unpack_from(datagram)
    if to != _PORT or length != len(datagram):
        raise WireError("the datagram is not for port 1, or not whole", HEADER_SIZE)
    ends = packet[SOURCE], packet[DESTINATION]
    if internet_checksum(datagram, pseudo_header_sum(*ends, length, _UDP)):
        raise WireError("the checksum is wrong", HEADER_SIZE + 6)
    return port, Routed.parse(datagram[_UDP_HEADER.size :])
