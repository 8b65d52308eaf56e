"""Many data packets at once, sealed and opened where they lie in one buffer: the per-packet path.

Rules:

* In columns: each step is one pass of compiled code over all packets, `map` with functions of the interpreter
  and of libsodium. What Python itself does for one packet costs as much as encrypting it.
* Nothing is decided about a session here: counters, key and direction are given (crypto/cryptoauth.py).
* A packet alone, or one of a few, takes the short way, `seal_one` and `open_one`: columns pay from about six
  packets on, and after a rest the code itself has to come from memory: what is not run need not come.
* Opening stops at the first packet that is not authentic. What lies behind it is put back as it came, so that
  it can be judged after it.

A box begins behind the counter: 16 bytes of tag, then the cipher text, which opening and sealing replace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import repeat
from struct import Struct
from typing import Any, Final, Protocol

from dexrouter.crypto.primitives import TAG_SIZE, BoxKey, open_at, seal_at
from dexrouter.crypto.spans import Spans
from dexrouter.wire.crypto_header import FIRST_DATA_COUNTER, MIN_PACKET

__all__ = [
    "INITIATOR_SHIFT",
    "RESPONDER_SHIFT",
    "Buffers",
    "close_again",
    "data_counters",
    "open_boxes",
    "open_one",
    "seal_boxes",
    "seal_one",
]

INITIATOR_SHIFT: Final = 32
RESPONDER_SHIFT: Final = 0
"""The initiator's counter is in bytes 4 to 7 of the nonce, the responder's in bytes 0 to 3 (spec 01 §3.2)."""

_NONCE_OF: Final = {INITIATOR_SHIFT: Struct("<4xI16x").pack, RESPONDER_SHIFT: Struct("<I20x").pack}
_COUNTER: Final = Struct(">I").unpack_from
_COUNTER_SIZE: Final = 4

_exhaust: Final = deque[object](maxlen=0).extend
"""Run an iterator to its end and keep nothing."""


class Buffers(Protocol):
    """Packets in one buffer (core/packets.py)."""

    @property
    def buffer(self) -> bytearray:
        """The buffer."""

    @property
    def at(self) -> Any:
        """The same as `pointer` gives it."""

    def pointers(self, places: Sequence[int]) -> Iterable[Any]:
        """Give places in the buffer as libsodium takes them, and perhaps more that follow."""


def seal_boxes(
    packets: Buffers,
    spans: Spans,
    offset: int,
    before: bytes,
    head: bytes,
    counters: Sequence[int],
    shift: int,
    key: BoxKey,
) -> None:
    """Seal payloads in place, each with its counter.

    At `offset` from the start of each span comes `before`, the counter, the tag, then the payload, whose
    first bytes become `head`.
    """
    box_at = len(before) + _COUNTER_SIZE
    write = _writer(len(before), len(head))
    places = spans.places(offset)
    _exhaust(map(write, repeat(packets.buffer), places, repeat(before), counters, repeat(head)))
    _seal(packets, spans, offset + box_at, counters, shift, key)


def seal_one(
    packets: Buffers,
    spans: Spans,
    number: int,
    offset: int,
    before: bytes,
    head: bytes,
    counter: int,
    shift: int,
    key: BoxKey,
) -> None:
    """Do what `seal_boxes` does for one of the packets."""
    start = spans.starts[number] + offset
    box_at = start + len(before) + _COUNTER_SIZE
    payload_at = box_at + TAG_SIZE
    packets.buffer[start:box_at] = before + counter.to_bytes(_COUNTER_SIZE, "big")
    packets.buffer[payload_at : payload_at + len(head)] = head
    box = packets.at + box_at
    size = start - offset + spans.sizes[number] - payload_at
    seal_at(box, box + TAG_SIZE, size, _NONCE_OF[shift](counter), key)


def open_one(packets: Buffers, spans: Spans, number: int, offset: int, shift: int, key: BoxKey) -> int | None:
    """Open one of the packets in place and give its counter; None: it is no authentic data packet."""
    start, size = spans.starts[number] + offset, spans.sizes[number] - offset
    if size < MIN_PACKET:
        return None
    counter: int = _COUNTER(packets.buffer, start)[0]
    if counter < FIRST_DATA_COUNTER:
        return None
    box = packets.at + (start + _COUNTER_SIZE)
    if open_at(box + TAG_SIZE, box, size - _COUNTER_SIZE, _NONCE_OF[shift](counter), key):
        return None
    return counter


def data_counters(packets: Buffers, spans: Spans, offset: int) -> list[int]:
    """Give the counters of packets that begin at an offset, up to the first that is no data packet."""
    shortest = offset + MIN_PACKET
    if min(spans.sizes) < shortest:
        spans = spans.part(0, next(place for place, size in enumerate(spans.sizes) if size < shortest))
    counters = [counter for (counter,) in map(_COUNTER, repeat(packets.buffer), spans.places(offset))]
    if counters and min(counters) < FIRST_DATA_COUNTER:
        return counters[: next(place for place, word in enumerate(counters) if word < FIRST_DATA_COUNTER)]
    return counters


def open_boxes(
    packets: Buffers, spans: Spans, offset: int, counters: Sequence[int], shift: int, key: BoxKey
) -> int:
    """Open as many packets in place as there are counters, but none behind one that is not authentic.

    Gives how many are open. They begin at `offset` from the starts of the spans.
    """
    if not counters:
        return 0
    box_at = offset + _COUNTER_SIZE
    results = list(
        map(
            open_at,
            packets.pointers(spans.places(box_at + TAG_SIZE)),
            packets.pointers(spans.places(box_at)),
            spans.sizes_less(box_at),
            map(_NONCE_OF[shift], counters),
            repeat(key),
        )
    )
    if not any(results):
        return len(results)
    opened = next(place for place, result in enumerate(results) if result)
    behind = [place for place in range(opened + 1, len(results)) if not results[place]]
    some = Spans([spans.starts[place] for place in behind], [spans.sizes[place] for place in behind])
    close_again(packets, some, offset, [counters[place] for place in behind], shift, key)
    return opened


def close_again(
    packets: Buffers, spans: Spans, offset: int, counters: Sequence[int], shift: int, key: BoxKey
) -> None:
    """Make open packets what they were: the same counter and key give the same bytes."""
    if counters:
        _seal(packets, spans, offset + _COUNTER_SIZE, counters, shift, key)


def _seal(
    packets: Buffers, spans: Spans, box_at: int, counters: Sequence[int], shift: int, key: BoxKey
) -> None:
    """Seal boxes that begin at an offset from the starts."""
    _exhaust(
        map(
            seal_at,
            packets.pointers(spans.places(box_at)),
            packets.pointers(spans.places(box_at + TAG_SIZE)),
            spans.sizes_less(box_at + TAG_SIZE),
            map(_NONCE_OF[shift], counters),
            repeat(key),
        )
    )


@cache
def _writer(before_size: int, head_size: int) -> Callable[..., None]:
    """Give what writes all that is in front of a payload; the room of the tag becomes zeros."""
    return Struct(f">{before_size}sI{TAG_SIZE}x{head_size}s").pack_into
