"""Shares of what others can make this node compute: handshakes and queries at a limited rate for each source.

Each handshake costs several operations on the curve, a good part of a millisecond, and anybody can send
hellos as fast as a line carries them. So they are taken at a limited rate for each source; what is above it
is dropped as if it had been lost on the way, and an honest sender repeats it. Packets of established sessions
are no handshakes and are never limited.

Queries are cheaper; but of those that cannot all be answered, most should be dropped before they are read.

A source is a direct peer, by its interface of the switch: of link packets the one with this address, of
end-to-end packets the one that they came through, so that who floods us uses up his own share. All unknown
link addresses together are one source: each datagram may claim another address.
"""

from __future__ import annotations

from typing import Final

from dexrouter.core.pathfinder.bucket import TokenBucket

__all__ = ["BURST", "RATE", "STRANGERS", "Admission", "is_handshake"]

STRANGERS: Final = -1
"""The source of everything that comes from an unknown link address."""

BURST: Final = 200
RATE: Final = 100.0
"""At once, and a second, of one source. A node in a simulated mesh of 1,000 sees about four handshakes."""

_WORD_START: Final = bytes(3)
_LAST_OF_HANDSHAKE: Final = 3


class Admission:
    """Token buckets by source; as many as the switch has interfaces, and one."""

    def __init__(self) -> None:
        self._buckets: dict[int, TokenBucket] = {}

    def take(self, source: int, now: float) -> bool:
        """Whether one more packet of this source may be looked at."""
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = TokenBucket(BURST, RATE, now)
        return bucket.take(now)


def is_handshake(packet: bytes | memoryview) -> bool:
    """Whether the first word is that of a hello or a key."""
    return packet[:3] == _WORD_START and len(packet) > 3 and packet[3] <= _LAST_OF_HANDSHAKE
