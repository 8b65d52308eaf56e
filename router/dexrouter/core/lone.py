"""The way of a plain packet that comes alone: all that happens to it, in one function for each direction.

After some milliseconds of rest the router is no longer in the processor's caches, and what a packet waits for
is memory: every function on its way costs more than what it does. So what peering, switch and sessions do for
a run of packets (core/datapath.py) stands here once more, for one.

Rules:

* Whatever is not plain goes the way of runs from there on: there is no rule here that is not there, and tests
  hold both ways to the same outputs, counters and replay windows.
* What is given back goes out before the buffer is filled again, and nothing else follows from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from struct import Struct
from typing import Final

from dexrouter.core.handlers import Handlers
from dexrouter.core.links import LinkAddress
from dexrouter.core.outputs import Buffer
from dexrouter.core.packets import CONTENT_AT, DATA_AT, FRAME_AT, HEAD_ROOM, SESSION_AT, Packets, Spans
from dexrouter.core.peer import Peer, PeerState
from dexrouter.core.peering import Peering
from dexrouter.core.session import Session
from dexrouter.core.sessions import Sessions
from dexrouter.core.switch import ROUTER, Switch
from dexrouter.crypto.keys import KeyPair
from dexrouter.wire.ipv6 import HEADER_SIZE, HOP_LIMIT, VERSION_CLASS_FLOW, write_header
from dexrouter.wire.labels import reverse64
from dexrouter.wire.session_frame import MAX_NEXT_HEADER, data_header

__all__ = ["LonePath", "Onward"]

Onward = tuple[Peer, Buffer]
"""A datagram, and the peer that it is for."""

_ESTABLISHED: Final = PeerState.ESTABLISHED
_VERSION: Final = 6
_NOTHING: Final = b""
_PATH: Final = Struct(">Q").unpack_from
_FRAME_HEAD: Final = Struct(">12sI").unpack_from
"""Switch header, handle."""
_CONTENT_TYPE: Final = Struct(">H").unpack_from
_IPV6_HEAD: Final = Struct(">B5xBx16s16s").unpack_from
"""Version with half of the traffic class, next header, source, destination."""


class LonePath(ABC):
    """What a node does with a packet that comes alone. `DataPath` has the rest."""

    own: KeyPair
    switch: Switch
    peering: Peering
    sessions: Sessions
    handlers: Handlers

    # -- the way of runs

    @abstractmethod
    def _receive_runs(self, interface: int, source: LinkAddress, packets: Packets, now: float) -> None:
        """Take datagrams from one link address."""

    @abstractmethod
    def _forward_runs(self, packets: Packets, spans: Spans, source: int, now: float) -> None:
        """Take frames that one peer has sent."""

    @abstractmethod
    def _deliver_run(self, session: Session, path: int, packets: Packets, run: Spans, now: float) -> None:
        """Take what a session has opened."""

    @abstractmethod
    def _send_runs(self, packets: Packets, now: float) -> None:
        """Take packets of the host."""

    @abstractmethod
    def _is_settled(self, now: float) -> bool:
        """Carry on what has been set off; True: nothing was, for there was nothing but plain data."""

    # -- in

    def receive_lone(
        self, interface: int, source: LinkAddress, packets: Packets, now: float
    ) -> Buffer | Onward | bool:
        """Take one datagram: a packet for the host, or a datagram for the next peer.

        A truth value: what it is for is in the outputs; True: it was plain, and no deadline has changed.
        """
        peer = self.peering.by_link.get((interface, source))
        spans = packets.spans
        start, size = spans.starts[0], spans.sizes[0]
        if (
            peer is None
            or peer.state is not _ESTABLISHED
            or peer.is_silent
            or peer.allowance is not None
            or not peer.session.open_lone(packets, start, size, now)
        ):
            self._receive_runs(interface, source, packets, now)
            return self._is_settled(now)
        if now >= peer.bandwidth_in.until:
            peer.bandwidth_in.turn(peer.bytes_in, now)
        peer.bytes_in += size - FRAME_AT
        peer.packets_in += 1
        peer.last_message = now
        if size < CONTENT_AT:
            self._forward_runs(packets, spans, peer.slot, now)
            return self._is_settled(now)
        head, handle = _FRAME_HEAD(packets.buffer, start + FRAME_AT)
        decided = self.switch.decided.get((head, peer.slot))
        if decided is None:
            self._forward_runs(packets, spans, peer.slot, now)
            return self._is_settled(now)
        slot, header = decided
        if slot != ROUTER:
            at = start + FRAME_AT
            packets.buffer[at : at + len(header)] = header
            return self._seal_for(self.peering.by_slot[slot], packets, 0, now)
        session = self.sessions.by_handle.get(handle)
        if session is None or not session.crypto.open_lone(
            packets, start + SESSION_AT, size - SESSION_AT, now
        ):
            self._forward_runs(packets, spans, peer.slot, now)
            return self._is_settled(now)
        path = reverse64(_PATH(header)[0])
        best = session.paths.best
        content_type: int = _CONTENT_TYPE(packets.buffer, start + CONTENT_AT - 2)[0]
        if (
            content_type > MAX_NEXT_HEADER
            or content_type in self.handlers.types
            or best is None
            or best.label != path
            or best.probed is not None
            or self.sessions.holding
        ):
            self._deliver_run(session, path, packets, spans, now)
            return self._is_settled(now)
        best.validated = now
        session.bytes_in += size - DATA_AT
        session.last_heard = now
        session.unanswered_since = 0.0
        at = start + FRAME_AT
        length = size - CONTENT_AT
        ends = session.address, self.own.address
        write_header(packets.buffer, at, VERSION_CLASS_FLOW, length, content_type, HOP_LIMIT, *ends)
        return packets.view[at : start + size]

    # -- out

    def send_lone(self, packets: Packets, now: float) -> Onward | bool:
        """Take one packet of the host: a datagram for the first peer on its way; else as `receive_lone`."""
        spans = packets.spans
        start, size = spans.starts[0], spans.sizes[0]
        if size < HEADER_SIZE or self.handlers.types:
            self._send_runs(packets, now)
            return self._is_settled(now)
        version, next_header, source, destination = _IPV6_HEAD(packets.buffer, start)
        session = self.sessions.by_address.get(destination)
        best = None if session is None else session.paths.best
        decided = None if best is None else self.switch.decided.get((best.header, ROUTER))
        if (
            session is None
            or decided is None
            or decided[0] == ROUTER
            or version >> 4 != _VERSION
            or source != self.own.address
            or not session.crypto.seal_lone(
                packets,
                start,
                size,
                decided[1] + session.send_handle.to_bytes(4, "big"),
                data_header(next_header),
                now,
            )
        ):
            self._send_runs(packets, now)
            return self._is_settled(now)
        session.last_used = now
        session.bytes_out += size - HEADER_SIZE
        if not session.unanswered_since:
            session.unanswered_since = now
        return self._seal_for(self.peering.by_slot[decided[0]], packets, -HEAD_ROOM, now)

    def _seal_for(self, peer: Peer, packets: Packets, offset: int, now: float) -> Onward | bool:
        """Seal a frame for a peer; the datagram begins at an offset from the span's start."""
        spans = packets.spans
        start, size = spans.starts[0] + offset, spans.sizes[0] - offset
        if (
            peer.state is not _ESTABLISHED
            or peer.is_silent
            or peer.allowance is not None
            or peer.renewal is not None
            or not peer.session.seal_lone(packets, start, size, _NOTHING, _NOTHING, now)
        ):
            self.peering.send_run(peer, packets, spans, offset, now)
            return self._is_settled(now)
        if now >= peer.bandwidth_out.until:
            peer.bandwidth_out.turn(peer.bytes_out, now)
        peer.bytes_out += size - FRAME_AT
        return peer, packets.view[start : start + size]
