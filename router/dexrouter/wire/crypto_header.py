"""The layout of CryptoAuth packets (spec 01 §3); their meaning is in `crypto/cryptoauth.py`.

The first four bytes tell the kinds apart: 0 and 1 hello, 2 and 3 key, anything else is the counter of a
data packet.

| offset | size | handshake packet |
| --- | --- | --- |
| 0 | 4 | nonce, 0 to 3 |
| 4 | 1 | auth type |
| 5 | 7 | auth lookup |
| 12 | 2 | derivations: dead, random without a password |
| 14 | 2 | additional: dead, zero |
| 16 | 24 | handshake nonce |
| 40 | 32 | permanent public key of the sender |
| 72 | 16 | tag |
| 88 | 32 | encrypted temporary public key |
| 120 | n | encrypted payload |

A data packet is counter (4, big-endian, at least 4), tag (16), cipher text.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "BOX_AT",
    "CHALLENGE_SIZE",
    "DATA_OVERHEAD",
    "FIRST_DATA_COUNTER",
    "HANDSHAKE_SIZE",
    "LOOKUP_SIZE",
    "MIN_PACKET",
    "NONCE_SIZE",
    "CryptoHeader",
]

HANDSHAKE_SIZE: Final = 120
"""Bytes of a handshake packet in front of its payload."""

BOX_AT: Final = 72
"""Where the box of a handshake packet begins: tag, temporary key, payload."""

MIN_PACKET: Final = 20
"""Shorter packets are runts."""

DATA_OVERHEAD: Final = 20
"""Counter and tag."""

FIRST_DATA_COUNTER: Final = 4
NONCE_SIZE: Final = 24

CHALLENGE_SIZE: Final = 12
"""Auth type, lookup and the two dead fields."""

LOOKUP_SIZE: Final = 8
"""Auth type and lookup: what identifies credentials."""

_LAYOUT: Final = Struct(">I12s24s32s")


@dataclass(frozen=True, slots=True)
class CryptoHeader:
    """The clear part of a handshake packet, its first 72 bytes."""

    nonce: int
    """0 hello, 1 repeat hello, 2 key, 3 repeat key."""

    challenge: bytes
    """12 bytes from the auth type on."""

    handshake_nonce: bytes
    """24 bytes, the XSalsa20 nonce of the box."""

    public_key: bytes
    """The sender's permanent key."""

    @property
    def auth_type(self) -> int:
        """0 none, 1 password, 2 login and password."""
        return self.challenge[0]

    @property
    def lookup(self) -> bytes:
        """The 8 bytes that are compared with the known credentials."""
        return self.challenge[:LOOKUP_SIZE]

    @classmethod
    def parse(cls, packet: bytes | bytearray | memoryview) -> CryptoHeader:
        """Read the head of a handshake packet. Raises `WireError` unless it is whole and is a handshake."""
        if len(packet) < HANDSHAKE_SIZE:
            raise WireError("a handshake packet has at least 120 bytes", len(packet))
        nonce, challenge, handshake_nonce, public_key = _LAYOUT.unpack_from(packet)
        if nonce >= FIRST_DATA_COUNTER:
            raise WireError("the first word is not that of a handshake", 0)
        return cls(nonce, challenge, handshake_nonce, public_key)

    def encode(self) -> bytes:
        """Write the 72 bytes in front of the box."""
        return _LAYOUT.pack(self.nonce, self.challenge, self.handshake_nonce, self.public_key)
