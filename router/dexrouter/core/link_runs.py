"""The half of peering that each packet goes through: runs of packets of one peer, opened and sealed in place.

A *run* is packets of one batch that follow one another and have the same peer: it is looked up once, and they
are opened or sealed in place (core/packets.py says where in the buffer what stands).

Rules:

* Here is only the plain case: an established peer with which nothing else is under way. Any other packet
  (a handshake, a replay, a stranger's) goes alone to the abstract methods, as if it had come alone; so there
  is one rule for each thing, and it is not here.
* Counters and states after a run are what they are after its packets one by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Final, NamedTuple

from dexrouter.core.links import LinkAddress
from dexrouter.core.outputs import Buffer, Output, Train, Transmit
from dexrouter.core.packets import Packets, Spans
from dexrouter.core.peer import Peer, PeerState
from dexrouter.crypto.cryptoauth import CryptoError
from dexrouter.wire.crypto_header import DATA_OVERHEAD

__all__ = ["LinkRuns", "OpenedRun", "Received"]

_LOOK_BACK: Final = 8
"""Outputs among which a batch for the same peer is looked for."""

_NOTHING: Final = Spans([], [])

Received = tuple[Peer, bytes]
"""A frame for the switch, and the peer it came from."""


class OpenedRun(NamedTuple):
    """Frames for the switch that lie where their packets were."""

    spans: Spans
    slot: int | None
    """Interface of the switch that they came from; None: there is no frame."""
    next: int
    """Number of the packet that is to be opened next."""


class LinkRuns(ABC):
    """What peering does with runs of packets. `Peering` is one, and has the rest."""

    outputs: list[Output]
    drops: Counter[str]
    by_link: dict[tuple[int, LinkAddress], Peer]

    # -- what a packet that is not plain goes to

    @abstractmethod
    def receive(self, interface: int, source: LinkAddress, packet: bytes, now: float) -> Received | None:
        """Open one link packet: the peer and its frame, or None with the reason counted."""

    @abstractmethod
    def send(self, peer: Peer, frame: bytes, now: float) -> None:
        """Wrap a frame for a peer; the datagram is appended to the outputs."""

    # -- in

    def open_run(
        self, interface: int, source: LinkAddress, packets: Packets, first: int, now: float
    ) -> OpenedRun:
        """Open link packets in place from number `first` on, as many as are plain, or else that one.

        The spans stay those of the datagrams: frames begin 20 bytes behind their starts.
        """
        spans = packets.spans
        peer = self.by_link.get((interface, source))
        if peer is not None and self._is_plain(peer):
            peer.session.reset_if_timeout(now)
            following, refused = peer.session.open_run(packets, spans, first, 0, now)
            if refused is CryptoError.REPLAY:
                self.drops["link.replay"] += 1
            if following > first or refused is CryptoError.REPLAY:
                # A replay has been opened already, so it must not be looked at again.
                run = spans.part(first, following)
                size = sum(run.sizes) - len(run.sizes) * DATA_OVERHEAD
                self._count_in(peer, len(run.sizes), size, now)
                return OpenedRun(run, peer.slot, following + (refused is CryptoError.REPLAY))
        ((start, end),) = spans.part(first, first + 1)
        received = self.receive(interface, source, bytes(packets.view[start:end]), now)
        if received is None:
            return OpenedRun(_NOTHING, None, first + 1)
        peer, frame = received
        start = end - len(frame)
        packets.buffer[start:end] = frame
        return OpenedRun(Spans([start - DATA_OVERHEAD], [len(frame) + DATA_OVERHEAD]), peer.slot, first + 1)

    # -- out

    def send_run(self, peer: Peer, packets: Packets, run: Spans, offset: int, now: float) -> None:
        """Wrap frames for a peer where they are; the datagrams begin at `offset` from the spans' starts."""
        view = packets.view
        is_plain = self._is_plain(peer) and peer.renewal is None
        if not is_plain or not peer.session.seal_run(packets, run, offset, b"", b"", now):
            frame_at = offset + DATA_OVERHEAD
            for start, end in run:
                self.send(peer, bytes(view[start + frame_at : end]), now)
            return
        size = sum(run.sizes) - len(run.sizes) * (offset + DATA_OVERHEAD)
        peer.count_out(size, now)
        if len(run.sizes) == 1:
            start = run.starts[0]
            self._parts_for(peer).append(view[start + offset : start + run.sizes[0]])
            return
        joined = run.joined(offset)
        if joined is None:
            self._parts_for(peer).extend([view[start + offset : end] for start, end in run])
            return
        start, end, size = joined
        self._parts_for(peer).append(Train(view[start:end], size))

    # -- both

    @staticmethod
    def _is_plain(peer: Peer) -> bool:
        """Whether frames are only opened, sealed and counted: nothing is under way with this peer."""
        return (
            peer.state is PeerState.ESTABLISHED
            and peer.session.is_established
            and not peer.is_silent
            and peer.allowance is None
        )

    def _count_in(self, peer: Peer, count: int, size: int, now: float) -> None:
        if not count:
            return
        peer.count_in(count, size, now)
        peer.last_message = now

    def transmit(self, peer: Peer, datagram: Buffer) -> None:
        """Put a datagram for a peer to the outputs."""
        self._parts_for(peer).append(datagram)

    def _parts_for(self, peer: Peer) -> list[Buffer | Train]:
        """Find what goes to this peer already: the edge sends it in one call. Between peers order is free."""
        number, address = peer.interface.number, peer.link_address
        if self.outputs:
            for output in reversed(self.outputs[-_LOOK_BACK:]):
                if type(output) is Transmit and output.address == address and output.interface == number:
                    return output.parts
        made = Transmit(number, address, [])
        self.outputs.append(made)
        return made.parts
