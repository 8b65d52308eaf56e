"""IPv6 packets between the TUN device and sessions: the header is taken off and made anew (spec 04 §9).

The addresses of both ends follow from their keys, so only the next header field travels, as the content
type. Class, flow label and hop limit are lost; transport checksums stay right, because the addresses are
the same again.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "DESTINATION",
    "HEADER_SIZE",
    "HOP_LIMIT",
    "NEXT_HEADER_AT",
    "SOURCE",
    "TUN_PREFIX_IPV4",
    "TUN_PREFIX_IPV6",
    "TUN_PREFIX_SIZE",
    "VERSION_CLASS_FLOW",
    "header_for",
    "rebuild",
    "strip",
    "write_header",
]

HEADER_SIZE: Final = 40
NEXT_HEADER_AT: Final = 6
SOURCE: Final = slice(8, 24)
DESTINATION: Final = slice(24, 40)

HOP_LIMIT: Final = 42
"""Written into every packet that comes from a session."""

TUN_PREFIX_SIZE: Final = 4
TUN_PREFIX_IPV6: Final = bytes.fromhex("000086dd")
TUN_PREFIX_IPV4: Final = bytes.fromhex("00000800")
"""What Linux puts in front of each packet of a TUN device opened without IFF_NO_PI: flags, ethertype."""

_VERSION: Final = 6
VERSION_CLASS_FLOW: Final = 0x6000_0000
_MAX_LENGTH: Final = 0xFFFF
_HEADER: Final = Struct(">IHBB16s16s")
write_header: Final = _HEADER.pack_into
"""(buffer, place, VERSION_CLASS_FLOW, length of the content, next header, HOP_LIMIT, source, destination)."""


def strip(packet: bytes | memoryview) -> tuple[int, bytes | memoryview]:
    """Take off the header: (next header, everything behind the 40 bytes). Raises `WireError`.

    Extension headers stay in the content. The packet's own length field is not looked at.
    """
    if len(packet) < HEADER_SIZE:
        raise WireError("an IPv6 packet has at least 40 bytes", len(packet))
    if packet[0] >> 4 != _VERSION:
        raise WireError("the packet is not IPv6", 0)
    return packet[NEXT_HEADER_AT], packet[HEADER_SIZE:]


def rebuild(source: bytes, destination: bytes, next_header: int, content: bytes | memoryview) -> bytes:
    """Put a header in front of content. Raises `WireError` if the content is longer than IPv6 can say."""
    return b"".join((header_for(source, destination, next_header, len(content)), content))


def header_for(source: bytes, destination: bytes, next_header: int, length: int) -> bytes:
    """Make the header of content that has this length. Raises `WireError` if IPv6 cannot say it."""
    if length > _MAX_LENGTH:
        raise WireError("the content is longer than an IPv6 packet", _MAX_LENGTH)
    return _HEADER.pack(VERSION_CLASS_FLOW, length, next_header, HOP_LIMIT, source, destination)
