"""Ways around a neighbour that has fallen silent, for the frames of others.

A node may go on for minutes with a path whose middle is dead: stock nodes keep to the path that set a
session up (spec 04 §6), and nothing that the far end does can reach into their tables. But the node in front
of the gap, if that is this one, knows where the rest of such a label leads, and another way there. It writes
that way in place of the rest. So the frame arrives, and with the true way back in it; its origin is told of
the gap by a switch error all the same.

    63                                                  0
    | way back, `shift` bits | 0 ... 0 | rest of the path |       only the rest is exchanged

Rules:

* Only frames of sessions are sent around: control frames are questions about this very path.
* Only frames that others send through us; what begins here has other paths to choose from.
* A label stays within what a path may hold, so a frame can circle no longer than any other one.
* Errors about frames that were sent around: `_ERROR_RATE` a second and no more than that.
* What was computed is remembered for `_REMEMBERED` seconds: ways change, and a stream has one header.
"""

from __future__ import annotations

from typing import Final

from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.pathfinder import Pathfinder
from dexrouter.crypto.keys import Address
from dexrouter.wire.control import CONTROL_WORD
from dexrouter.wire.encoding_scheme import V358, label_for
from dexrouter.wire.labels import MAX_PATH_BITS, SELF_LABEL, label_bits
from dexrouter.wire.switch_header import SIZE, pack_header, unpack_header

__all__ = ["Detours"]

_LABEL_BITS: Final = 64
_SHIFT: Final = 0x3F
_REMEMBERED: Final = 0.25
_MOST_REMEMBERED: Final = 1024
_ERROR_BURST: Final = 20
_ERROR_RATE: Final = 10.0
_CONTROL_PREFIX: Final = CONTROL_WORD.to_bytes(4, "big")


class Detours:
    """New headers for frames whose next hop is silent. `sent` counts them."""

    def __init__(self, pathfinder: Pathfinder, now: float) -> None:
        self._pathfinder = pathfinder
        self._errors = TokenBucket(_ERROR_BURST, _ERROR_RATE, now)
        self._known: dict[tuple[bytes, int], bytes | None] = {}
        self._known_until = now
        self.sent = 0

    def around(self, frame: bytes, source: int, neighbour: Address, now: float) -> bytes | None:
        """Give the frame with a label that leads around this neighbour; None: there is no such way."""
        if frame[SIZE : SIZE + 4] == _CONTROL_PREFIX:
            return None
        if now >= self._known_until or len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
            self._known_until = now + _REMEMBERED
        key = frame[:SIZE], source
        if key not in self._known:
            self._known[key] = self._header(frame, source, neighbour)
        header = self._known[key]
        if header is None:
            return None
        self.sent += 1
        return header + frame[SIZE:]

    def may_tell(self, now: float) -> bool:
        """Whether the origin of such a frame may be told by an error now."""
        return self._errors.take(now)

    def _header(self, frame: bytes, source: int, neighbour: Address) -> bytes | None:
        label, congestion, version_shift, traffic_class = unpack_header(frame)
        shift = version_shift & _SHIFT
        ahead = label & ((1 << _LABEL_BITS - shift) - 1)
        rest = ahead >> V358.director_bits(ahead)
        if rest < SELF_LABEL:
            return None
        way = self._pathfinder.way_around(neighbour, rest)
        if way is None:
            return None
        way = label_for(way, V358.peer_label(source))
        if label_bits(way) + shift > MAX_PATH_BITS:
            return None
        return pack_header(label ^ ahead | way, congestion, version_shift, traffic_class)
