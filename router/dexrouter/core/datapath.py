"""The half of a node that every packet goes through: runs of packets that stay where they are in a buffer.

A *run* is packets of one batch that follow one another and have the same way: session, path and peer are
looked up once for all of them, the headers are written in front of the content where it lies, and both layers
of encryption work in place. Nothing is allocated for a packet but what the edge is handed: a slice.

Rules:

* A run never waits for packets, and never changes the order in which packets go to one place.
* Here is only the plain case: established sessions, frames that the switch passes. Anything else (handshakes,
  control frames, replays, errors, what must be held) goes packet by packet to the abstract methods, as if it
  had come alone; so there is one rule for each thing, and it is not here.
* Counters and states after a run are what they are after its packets one by one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from struct import Struct
from typing import Final

from dexrouter.core.links import LinkAddress
from dexrouter.core.lone import LonePath
from dexrouter.core.outputs import Buffer, ToTun
from dexrouter.core.packets import (
    CONTENT_AT,
    DATA_AT,
    FRAME_AT,
    HEAD_ROOM,
    SESSION_AT,
    Packets,
    Spans,
    alike,
    fields,
)
from dexrouter.core.session import Session
from dexrouter.core.switch import ROUTER
from dexrouter.crypto.cryptoauth import CryptoError
from dexrouter.crypto.keys import MESH_PREFIX, Address
from dexrouter.wire.control import CONTROL_WORD
from dexrouter.wire.ipv6 import HEADER_SIZE, header_for
from dexrouter.wire.labels import reverse64
from dexrouter.wire.route_header import HANDLERS
from dexrouter.wire.session_frame import MAX_NEXT_HEADER, data_header

__all__ = ["DataPath"]

_BODY_AT: Final = 32
_PATH: Final = Struct(">Q")
_WORD: Final = Struct(">I")
_FRAME_HEAD: Final = Struct(f"{FRAME_AT}x{SESSION_AT - FRAME_AT}s").unpack_from
"""Of a datagram: switch header and handle."""
_CONTENT_TYPE: Final = Struct(f">{CONTENT_AT - 2}xH").unpack_from
_IPV6_HEAD: Final = Struct(">B5xBx32s").unpack_from
"""Version with half of the traffic class, next header, both addresses."""


class DataPath(LonePath):
    """What a node does with runs of packets. A node is one, and has the rest."""

    drops: Counter[str]

    # -- what a packet that is not plain goes to

    @abstractmethod
    def _forward(self, frame: bytes, source: int, now: float) -> None:
        """Pass one frame through the switch."""

    @abstractmethod
    def _to_router(self, frame: bytes, now: float) -> None:
        """Take one frame that the switch has passed to the router."""

    @abstractmethod
    def _deliver(self, session: Session, content_type: int, content: bytes, path: int, now: float) -> None:
        """Take the content of one packet of a session."""

    @abstractmethod
    def _into_tunnel(self, packet: bytes, now: float) -> None:
        """Take one packet of the host that is not for the mesh."""

    @abstractmethod
    def _send_watched(self, destination: Address, next_header: int, packet: bytes, now: float) -> None:
        """Take one packet of the host that programs see, or that one of them has made."""

    # -- in

    def _receive_runs(self, interface: int, source: LinkAddress, packets: Packets, now: float) -> None:
        spans, number = packets.spans, 0
        while number < len(spans.sizes):
            opened = self.peering.open_run(interface, source, packets, number, now)
            if opened.slot is not None:
                self._forward_runs(packets, opened.spans, opened.slot, now)
            number = opened.next

    def _forward_runs(self, packets: Packets, spans: Spans, source: int, now: float) -> None:
        """Divide frames from one peer into runs with the same header, handle included."""
        if not spans.sizes:
            return
        heads = fields(packets, spans, _FRAME_HEAD, SESSION_AT)
        for first, last in alike(heads):
            run, head = spans.part(first, last), heads[first]
            if head is not None:
                self._forward_run(packets, run, head[0], source, now)
                continue
            for start, end in run:
                self._forward(bytes(packets.view[start + FRAME_AT : end]), source, now)

    def _forward_run(self, packets: Packets, run: Spans, head: bytes, source: int, now: float) -> None:
        decided = self.switch.header_for_run(head, source)
        if decided is None:
            for start, end in run:
                self._forward(bytes(packets.view[start + FRAME_AT : end]), source, now)
            return
        slot, header = decided
        if slot == ROUTER:
            self._open_run(packets, run, header, _WORD.unpack_from(head, 12)[0], now)
            return
        buffer = packets.buffer
        for start in run.starts:
            buffer[start + FRAME_AT : start + _BODY_AT] = header
        self.peering.send_run(self.peering.by_slot[slot], packets, run, 0, now)

    def _open_run(self, packets: Packets, run: Spans, header: bytes, handle: int, now: float) -> None:
        """Open packets of one session that came over one path."""
        session = self.sessions.by_handle.get(handle)
        path = reverse64(_PATH.unpack_from(header)[0])
        view, number = packets.view, 0
        while number < len(run.sizes):
            refused: CryptoError | None = CryptoError.NO_SESSION
            if session is not None and handle != CONTROL_WORD:
                first = number
                number, refused = session.crypto.open_run(packets, run, first, SESSION_AT, now)
                if number > first:
                    self._deliver_run(session, path, packets, run.part(first, number), now)
            if refused is None:
                return
            ((start, end),) = run.part(number, number + 1)
            if refused is CryptoError.REPLAY and session is not None:
                self.sessions.refused(session, path, bytes(view[start + _BODY_AT : end]), refused, now)
            else:
                self._to_router(header + view[start + _BODY_AT : end], now)
            number += 1

    def _deliver_run(self, session: Session, path: int, packets: Packets, run: Spans, now: float) -> None:
        self.sessions.heard(session, path, sum(run.sizes) - len(run.sizes) * DATA_AT, now)
        buffer, view = packets.buffer, packets.view
        deliver = self._packets_for_host().extend
        kinds = fields(packets, run, _CONTENT_TYPE, CONTENT_AT)
        for first, last in alike(kinds):
            kind, some = kinds[first], run.part(first, last)
            if kind is None:
                self.drops["session.no_data_header"] += last - first
                continue
            content_type: int = kind[0]
            if content_type > MAX_NEXT_HEADER or content_type in self.handlers.types:
                for start, end in some:
                    self._deliver(session, content_type, bytes(view[start + CONTENT_AT : end]), path, now)
                continue
            # The IPv6 header has the room of all that stood between the link's header and the content.
            for at, end in alike(some.sizes):
                size, starts = some.sizes[at], some.starts[at:end]
                header = header_for(session.address, self.own.address, content_type, size - CONTENT_AT)
                for start in starts:
                    buffer[start + FRAME_AT : start + CONTENT_AT] = header
                deliver([view[start + FRAME_AT : start + size] for start in starts])

    def _packets_for_host(self) -> list[Buffer]:
        outputs = self.peering.outputs
        if outputs:
            for output in reversed(outputs[-4:]):
                if type(output) is ToTun:
                    return output.packets
        made = ToTun([])
        outputs.append(made)
        return made.packets

    # -- out

    def _send_runs(self, packets: Packets, now: float) -> None:
        """Divide what the host sends into runs to one destination with one next header (spec 04 §9.2)."""
        spans = packets.spans
        if not spans.sizes:
            return
        heads = fields(packets, spans, _IPV6_HEAD, HEADER_SIZE)
        for first, last in alike(heads):
            run, head = spans.part(first, last), heads[first]
            if head is not None:
                version, next_header, ends = head
                if version >> 4 == 6 and ends[16] == MESH_PREFIX:
                    self._send_run(packets, run, ends, next_header, now)
                    continue
            for start, end in run:
                self._into_tunnel(bytes(packets.view[start:end]), now)

    def _send_run(self, packets: Packets, run: Spans, ends: bytes, next_header: int, now: float) -> None:
        if ends[:16] != self.own.address:
            self.drops["tun.foreign_source"] += len(run)
            return
        destination = Address(ends[16:])
        view = packets.view
        if destination == self.own.address:
            self._packets_for_host().extend(bytes(view[start:end]) for start, end in run)
            return
        watched = self.handlers.types
        if watched and (next_header in watched or destination == HANDLERS):
            for start, end in run:
                self._send_watched(destination, next_header, bytes(view[start:end]), now)
            return
        if self._send_plain_run(packets, run, destination, next_header, now):
            return
        for start, end in run:
            frame = self.sessions.send(destination, next_header, bytes(view[start + HEADER_SIZE : end]), now)
            if frame is not None:
                self._forward(frame, ROUTER, now)

    def _send_plain_run(
        self, packets: Packets, run: Spans, destination: Address, next_header: int, now: float
    ) -> bool:
        """Seal for the session, then for the first peer on the path; False: it is not as plain as that."""
        ready = self.sessions.ready(destination, now)
        if ready is None:
            return False
        session, header = ready
        decided = self.switch.header_for_run(header, ROUTER)
        if decided is None or decided[0] == ROUTER:
            return False
        slot, header = decided
        before = header + _WORD.pack(session.send_handle)
        if not session.crypto.seal_run(packets, run, 0, before, data_header(next_header), now):
            return False
        self.sessions.sent_run(session, sum(run.sizes) - len(run.sizes) * HEADER_SIZE, now)
        self.peering.send_run(self.peering.by_slot[slot], packets, run, -HEAD_ROOM, now)
        return True
