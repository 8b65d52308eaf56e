"""The switch: moves a frame from one interface to another by its label alone (spec 03 §6).

Rules:

* It reads and writes the 12-byte header and nothing behind it, except that an error frame quotes its cause.
* Interface 1 is the node's own router; peers get the lowest free of 0, 2, 3 ... 256.
* `decide` is a function of the header and of which interfaces are up. What `forward` gives back goes out as
  it is: either the frame with its new label, or an error frame for the interface that the frame came from.
* A packet dies without a trace where an error could be abused or could circle: too short, error suppressed,
  label shifted out.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import Final

from dexrouter.wire.control import CONTROL_WORD, ErrorCode, SwitchError
from dexrouter.wire.encoding_scheme import (
    V358,
    V358_CANONICAL_BITS,
    V358_INTERFACES,
    V358_LOW_BITS,
    V358_NUMBERS,
    V358_WIDTHS,
)
from dexrouter.wire.labels import reverse64
from dexrouter.wire.switch_header import CURRENT_VERSION, FORWARDED_CLASS, pack_header, unpack_header
from dexrouter.wire.switch_header import SIZE as HEADER_SIZE

__all__ = ["ROUTER", "Port", "Switch", "SwitchFullError"]

ROUTER: Final = 1
"""Interface number of the node's own router."""

_MAX_SHIFT: Final = 63
_SHORTEST_CAUSE: Final = 16
_MOST_DECIDED: Final = 1024
"""Bound on what is remembered of headers; all of it is forgotten then."""
_ABOUT_ERRORS: Final = 0x03
"""Of an error frame: one of congestion, and no error about it."""
_CONTROL_PREFIX: Final = CONTROL_WORD.to_bytes(4, "big")


class Port(IntEnum):
    """State of one interface of the switch."""

    FREE = 0
    DOWN = 1
    UP = 2


class SwitchFullError(Exception):
    """All 256 interfaces have a peer."""


def _reversed_directors() -> list[dict[int, int]]:
    """For each source interface: width -> its director at that width, bit-reversed for the top of a label."""
    table: list[dict[int, int]] = []
    for number in range(V358_INTERFACES):
        by_width = {}
        for form in range(len(V358.forms)):
            width = V358.width(form)
            if width >= V358_CANONICAL_BITS[number]:
                by_width[width] = reverse64(V358.encode_director(number, form))
        table.append(by_width)
    return table


_SOURCE_BITS: Final = _reversed_directors()


class Switch:
    """The interfaces of one node and the way between them."""

    __slots__ = ("_ports", "decided", "drops", "has_silent")

    def __init__(self) -> None:
        self._ports = bytearray(V358_INTERFACES)
        self._ports[ROUTER] = Port.UP
        self.decided: dict[tuple[bytes, int], tuple[int, bytes]] = {}
        """Ways of headers that came lately, by header and source, as the interfaces are now."""
        self.has_silent = False
        """Whether any peer's interface is down."""
        self.drops: Counter[str] = Counter()
        """Frames that went nowhere, by reason."""

    def plug(self) -> int:
        """Take the lowest free interface for a new peer. Raises SwitchFullError."""
        number = self._ports.find(Port.FREE)
        if number < 0:
            raise SwitchFullError("all 256 interfaces of the switch have a peer")
        self._change(number, Port.UP)
        return number

    def unplug(self, number: int) -> None:
        """Free the interface of a peer that is gone."""
        self._change(number, Port.FREE)

    def set_up(self, number: int, up: bool) -> None:
        """Mark a peer's interface: frames for a peer that is down are answered with an error."""
        self._change(number, Port.UP if up else Port.DOWN)

    def _change(self, number: int, port: Port) -> None:
        self._ports[number] = port
        self.decided.clear()
        self.has_silent = Port.DOWN in self._ports

    def decide(self, label: int, version_shift: int, source: int) -> tuple[int, int, int] | ErrorCode | None:
        """Say where a frame goes: (interface, its label there, its version and shift), or why it does not.

        `None`: it is to be dropped without an error.
        """
        low = label & V358_LOW_BITS
        bits = V358_WIDTHS[low]
        destination = V358_NUMBERS[low]
        source_bits = V358_CANONICAL_BITS[source]
        if source_bits > bits:
            # The way back does not fit into the space that the director leaves (spec 03 §6 step 5).
            if destination != ROUTER:
                return ErrorCode.MALFORMED_ADDRESS
            if (label ^ 1) & ((1 << source_bits + 4) - 1):
                return ErrorCode.RETURN_PATH_INVALID
            bits = source_bits
        port = self._ports[destination]
        if port == Port.FREE:
            return ErrorCode.MALFORMED_ADDRESS
        if port == Port.DOWN and source != ROUTER:
            return ErrorCode.UNDELIVERABLE
        if (version_shift & _MAX_SHIFT) + bits > _MAX_SHIFT:
            return None
        return destination, label >> bits | _SOURCE_BITS[source][bits], version_shift + bits

    def silent_next(self, frame: bytes) -> int | None:
        """Give the interface that a frame is for, if the peer there is down."""
        if len(frame) < HEADER_SIZE:
            return None
        number = V358_NUMBERS[int.from_bytes(frame[:8], "big") & V358_LOW_BITS]
        return number if self._ports[number] == Port.DOWN else None

    def forward(self, frame: bytes, source: int) -> tuple[int, bytes] | None:
        """Give the interface that must send now, and the bytes; None if the frame is dropped."""
        if len(frame) < HEADER_SIZE:
            self.drops["switch.short"] += 1
            return None
        label, congestion, version_shift, _ = unpack_header(frame)
        decided = self.decide(label, version_shift, source)
        if isinstance(decided, ErrorCode):
            return self._refuse(frame, source, decided)
        if decided is None:
            self.drops["switch.loop"] += 1
            return None
        destination, label, version_shift = decided
        header = pack_header(label, congestion, version_shift, FORWARDED_CLASS)
        return destination, header + frame[HEADER_SIZE:]

    def header_for_run(self, head: bytes | bytearray, source: int) -> tuple[int, bytes] | None:
        """Give interface and new header for frames with this header; None: `forward` must see each one."""
        key = bytes(head[:HEADER_SIZE]), source
        known = self.decided.get(key)
        if known is not None:
            return known
        label, congestion, version_shift, _ = unpack_header(head)
        decided = self.decide(label, version_shift, source)
        if decided is None or isinstance(decided, ErrorCode):
            return None
        if len(self.decided) >= _MOST_DECIDED:
            self.decided.clear()
        out = decided[0], pack_header(decided[1], congestion, decided[2], FORWARDED_CLASS)
        self.decided[key] = out
        return out

    def _refuse(self, frame: bytes, source: int, code: ErrorCode) -> tuple[int, bytes] | None:
        """Make the error frame of spec 03 §6.3, if this frame may have one."""
        self.drops[f"switch.{code.name.lower()}"] += 1
        if len(frame) < _SHORTEST_CAUSE or frame[8] & 1:
            return None
        back = reverse64(int.from_bytes(frame[:8], "big"))
        body = SwitchError.about(code, frame).encode()
        return source, pack_header(
            back, _ABOUT_ERRORS, CURRENT_VERSION << 6, FORWARDED_CLASS
        ) + _CONTROL_PREFIX + body
