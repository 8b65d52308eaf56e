"""Packets in one writable buffer: they are opened, changed, moved on and sealed where they lie.

Spans are starts and sizes of packets in the buffer. Whoever fills the buffer leaves HEAD_ROOM bytes free in
front of packets that come from the host: the headers of the way out go there (spec 04 §4.7).

```
from the host                     [head-room 20 ][IPv6 header 40                              ][content]
what goes out, and what comes in  [nonce 4][tag 16][switch 12][handle 4][nonce 4][tag 16][data 4][content]
to the host                                     [IPv6 header 40                              ][content]
```

So a packet of content n has a datagram of n + 60, and the content never moves. Outputs of the node are slices
of the buffer: they are good until its owner fills it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, repeat
from operator import add
from typing import Any, Final

from dexrouter.crypto.primitives import pointer
from dexrouter.crypto.spans import Spans

__all__ = [
    "CONTENT_AT",
    "DATA_AT",
    "FRAME_AT",
    "HEAD_ROOM",
    "SESSION_AT",
    "Packets",
    "Spans",
    "alike",
    "copied",
    "fields",
]

HEAD_ROOM: Final = 20

FRAME_AT: Final = 20
"""Of a datagram: where the switch frame begins, behind the link's nonce and tag."""
SESSION_AT: Final = 36
"""Where the session's nonce is, behind the handle."""
DATA_AT: Final = 56
"""Where the data header is, behind the session's tag."""
CONTENT_AT: Final = 60

_MOST_KNOWN: Final = 256
"""Bound on lists of pointers; all are forgotten then."""


class Packets:
    """A buffer, and where packets are in it."""

    __slots__ = ("_known", "at", "buffer", "spans", "view")

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self.view = memoryview(buffer)
        self.at: Any = pointer(buffer)
        """The buffer as libsodium takes it."""
        self.spans = Spans([], [])
        self._known: dict[tuple[int, int], list[Any]] = {}
        """Pointers to places at equal distances: bursts often lie as the one before did."""

    def sharing(self, spans: Spans) -> Packets:
        """Give other packets of the same buffer."""
        other: Packets = object.__new__(Packets)
        other.buffer, other.view, other.at, other.spans = self.buffer, self.view, self.at, spans
        other._known = self._known
        return other

    def pointers(self, places: Sequence[int]) -> Iterable[Any]:
        """Give the places as libsodium takes them, and perhaps more that follow."""
        if not isinstance(places, range):
            return map(add, repeat(self.at), places)
        key = places.start, places.step
        known = self._known.get(key)
        if known is None or len(known) < len(places):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = list(map(add, repeat(self.at), places))
        return known


def copied(packets: Sequence[bytes | bytearray | memoryview]) -> Packets:
    """Copy packets into a buffer of their own, with head-room."""
    room = bytes(HEAD_ROOM)
    parts: list[bytes | bytearray | memoryview] = []
    starts: list[int] = []
    at = 0
    for packet in packets:
        start = at + HEAD_ROOM
        at = start + len(packet)
        parts += (room, packet)
        starts.append(start)
    made = Packets(bytearray(b"".join(parts)))
    made.spans = Spans(starts, list(map(len, packets)))
    return made


def fields(
    packets: Packets, spans: Spans, unpack: Callable[..., tuple[Any, ...]], size: int
) -> list[tuple[Any, ...] | None]:
    """Read the same fields of many packets; None for one that is shorter than `size`."""
    buffer = packets.buffer
    if len(spans.sizes) == 1 and spans.sizes[0] >= size:
        return [unpack(buffer, spans.starts[0])]
    if min(spans.sizes) < size:
        return [unpack(buffer, start) if end - start >= size else None for start, end in spans]
    return list(map(unpack, repeat(buffer), spans.starts))


def alike(keys: list[Any]) -> Iterable[tuple[int, int]]:
    """Divide a column into runs of equal values: where each begins, and where it ends."""
    count = len(keys)
    if count == 1 or keys.count(keys[0]) == count:
        return ((0, count),)
    return _divided(keys)


def _divided(keys: list[Any]) -> Iterator[tuple[int, int]]:
    first = 0
    for _, run in groupby(keys):
        last = first + len(list(run))
        yield first, last
        first = last
