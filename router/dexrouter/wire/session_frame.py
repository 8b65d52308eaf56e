"""What end-to-end sessions carry behind the switch header (spec 04 §1 and §4.2).

```
handshake  [0..3 : 4][rest of a CryptoAuth handshake]
                      its box holds: temporary key | handle 4 | data header 4 | content
run        [handle 4][nonce 4][tag 16][cipher text of: data header 4 | content]
control    [ffffffff][control frame]
```

The data header is version and flags (1 byte, `10`), unused (1), content type (2).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final

from dexrouter.wire.errors import WireError

__all__ = [
    "DATA_HEADER_SIZE",
    "FIRST_HANDLE",
    "HANDLE_SIZE",
    "LAST_HANDLE",
    "MAX_NEXT_HEADER",
    "ContentType",
    "data_header",
    "parse_content_type",
]

HANDLE_SIZE: Final = 4
FIRST_HANDLE: Final = 4
LAST_HANDLE: Final = 0xFFFF_FFFE
"""Smaller first words are those of handshakes; the only greater one is that of a control frame."""

DATA_HEADER_SIZE: Final = 4

MAX_NEXT_HEADER: Final = 255
"""Content types up to here are IPv6 packets without their header; the number is the next header field."""

_VERSION_AND_FLAGS: Final = 0x10


class ContentType(IntEnum):
    """Content types which are not next headers of IPv6."""

    CJDHT = 256
    """One bencoded message between routers."""

    IPTUN = 257
    """A complete IPv4 or IPv6 packet of the IP tunnel."""

    CTRL = 65536
    """Control frames, towards local handlers only; never on the wire."""


@lru_cache(maxsize=512)
def data_header(content_type: int) -> bytes:
    """Give the 4 bytes in front of content."""
    return bytes((_VERSION_AND_FLAGS, 0)) + content_type.to_bytes(2, "big")


def parse_content_type(plaintext: bytes | memoryview) -> int:
    """Read the content type of the data header in front of content; the rest of the header means nothing.

    Raises `WireError` for fewer than 4 bytes.
    """
    if len(plaintext) < DATA_HEADER_SIZE:
        raise WireError("a session packet begins with a data header", len(plaintext))
    return plaintext[2] << 8 | plaintext[3]
