"""Control messages of the IP tunnel: how a client asks for addresses and a gateway offers them (spec 06 §2).

```
[0..3: 60000000][4..5: 8 + n][6: 17][7: 0][8..39: zero: source and destination]
[40..43: ports 0, 0][44..45: n, without these 8 bytes][46..47: checksum][48..: n bytes of bencoded text]
```

It looks like an IPv6 packet with a UDP datagram whose length field leaves out its own header.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from dexrouter.wire.bencode import Bencoded, decode, encode
from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.errors import WireError

__all__ = ["Block", "Offer", "Request", "is_control", "parse_control"]

TXID_SIZE: Final = 4

_HEADER: Final = Struct(">IHBB32sHHHH")
_NO_ADDRESSES: Final = bytes(32)
_VERSION: Final = 0x6000_0000
_UDP: Final = 17
_UDP_HEADER: Final = 8
_QUERY: Final = b"IpTunnel_getAddresses"
_SIZES: Final = {b"ip4": 4, b"ip6": 16}


@dataclass(frozen=True, slots=True)
class Block:
    """Addresses of one family that are given to a client."""

    address: bytes
    """4 or 16 bytes."""
    prefix: int
    """Length of the prefix of the network that the client shall route into the tunnel; 0: everything."""
    alloc: int
    """Length of the prefix of the block that belongs to the client."""


@dataclass(frozen=True, slots=True)
class Request:
    """A client asks for its addresses."""

    txid: bytes
    """4 bytes, of which only the client knows the meaning."""

    def encode(self) -> bytes:
        """Write the whole packet."""
        return _wrap(encode({b"q": _QUERY, b"txid": self.txid}))


@dataclass(frozen=True, slots=True)
class Offer:
    """A gateway tells a client its addresses."""

    txid: bytes
    """As it was asked."""
    ip4: Block | None
    ip6: Block | None

    def encode(self) -> bytes:
        """Write the whole packet."""
        addresses: dict[bytes, Bencoded] = {}
        for name, block in ((b"ip4", self.ip4), (b"ip6", self.ip6)):
            if block is not None:
                addresses[name] = block.address
                addresses[name + b"Prefix"] = block.prefix
                addresses[name + b"Alloc"] = block.alloc
        return _wrap(encode({b"addresses": addresses, b"txid": self.txid}))


def is_control(packet: bytes | memoryview) -> bool:
    """Whether a packet of the tunnel is a control message: IPv6 without source and destination."""
    return len(packet) >= 40 and packet[0] >> 4 == 6 and packet[8:40] == _NO_ADDRESSES


def parse_control(packet: bytes | memoryview) -> Request | Offer:
    """Read a control message. Raises `WireError`; bytes behind the payload length are ignored."""
    message = decode(_unwrap(packet), trailing=True)
    if not isinstance(message, dict):
        raise WireError("a message of the IP tunnel is a dictionary", _HEADER.size)
    txid = message.get(b"txid")
    if not isinstance(txid, bytes) or len(txid) != TXID_SIZE:
        raise WireError("a message of the IP tunnel has a txid of 4 bytes", _HEADER.size)
    addresses = message.get(b"addresses")
    if isinstance(addresses, dict):
        return Offer(txid, _block(addresses, b"ip4"), _block(addresses, b"ip6"))
    if message.get(b"q") == _QUERY:
        return Request(txid)
    raise WireError("neither an offer nor a request of the IP tunnel", _HEADER.size)


def _block(addresses: dict[bytes, Bencoded], name: bytes) -> Block | None:
    address, size = addresses.get(name), _SIZES[name]
    if not isinstance(address, bytes) or len(address) != size:
        return None
    prefix, alloc = addresses.get(name + b"Prefix"), addresses.get(name + b"Alloc")
    bits = size * 8
    return Block(
        address,
        prefix if isinstance(prefix, int) and 0 <= prefix <= bits else bits,
        alloc if isinstance(alloc, int) and 1 <= alloc <= bits else bits,
    )


def _wrap(text: bytes) -> bytes:
    length = len(text) + _UDP_HEADER
    packet = bytearray(_HEADER.pack(_VERSION, length, _UDP, 0, _NO_ADDRESSES, 0, 0, len(text), 0) + text)
    checksum = internet_checksum(packet[40:], length + _UDP)
    packet[46:48] = (checksum or 0xFFFF).to_bytes(2, "big")
    return bytes(packet)


def _unwrap(packet: bytes | memoryview) -> bytes:
    if len(packet) < _HEADER.size:
        raise WireError("a message of the IP tunnel has a header of 48 bytes", len(packet))
    _, length, next_header, _, _, source, destination, size, _ = _HEADER.unpack_from(packet)
    end = 40 + length
    if next_header != _UDP:
        raise WireError("a message of the IP tunnel is UDP", 6)
    if end > len(packet) or size != length - _UDP_HEADER:
        raise WireError("a message of the IP tunnel is shorter than it says", 4)
    if source or destination:
        raise WireError("a message of the IP tunnel has ports 0", 40)
    if internet_checksum(packet[40:end], length + _UDP):
        raise WireError("the checksum of a message of the IP tunnel is wrong", 46)
    return bytes(packet[_HEADER.size : end])
