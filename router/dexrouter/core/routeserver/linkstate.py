"""Statistics of what comes in from one peer, in slots of 10 s, as a route server wants them (spec 05 §10.1).

The ring has 18 slots. A sample is the difference between two looks at the peer's counters. A server takes any
other way rather than over a link that it knows no sample of.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from dexrouter.core.peer import Peer
from dexrouter.wire.announce import SLOTS, LinkState, Sample

__all__ = ["SLOT_SECONDS", "LinkStatistics"]

SLOT_SECONDS: Final = 10.0
_DROP_UNIT: Final = 1 << 18
_MAX_DROP: Final = 0xFFFE
_MAX_SAMPLES_SENT: Final = 18
_KILOBYTE: Final = 1024


class LinkStatistics:
    """The ring of one peer."""

    __slots__ = ("_bytes", "_lags", "_lost", "_packets", "_slot", "is_told", "samples", "unsent")

    def __init__(self, peer: Peer) -> None:
        self.samples: deque[Sample] = deque(maxlen=SLOTS)
        """Newest last."""
        self.unsent = 0
        """How many of the newest have not been announced."""
        self.is_told = False
        """Whether any was announced to the server in use."""
        self._slot = 0
        """Where the next sample goes."""
        self._lags: list[float] = []
        self._bytes = peer.bytes_in
        self._packets = peer.packets_in
        self._lost = peer.session.replay.lost

    def answered(self, rtt: float) -> None:
        """Note the round trip of one query, in seconds. One in some seconds is asked."""
        if len(self._lags) < SLOTS:
            self._lags.append(rtt)

    def close_slot(self, peer: Peer) -> None:
        """End the present slot: 10 s have passed."""
        packets = peer.packets_in - self._packets
        lost = max(peer.session.replay.lost - self._lost, 0)  # A new handshake counts from 0 again.
        drop = min(lost * _DROP_UNIT // (packets + lost), _MAX_DROP) if lost else 0
        lag = max(round(sum(self._lags) / len(self._lags) * 1000), 1) if self._lags else 0
        self.samples.append(Sample(lag, drop, (peer.bytes_in - self._bytes) // _KILOBYTE))
        self.unsent = min(self.unsent + 1, _MAX_SAMPLES_SENT)
        self._slot = (self._slot + 1) % SLOTS
        self._lags = []
        self._bytes, self._packets, self._lost = peer.bytes_in, peer.packets_in, peer.session.replay.lost

    def told(self) -> None:
        """Note that the samples were announced."""
        self.unsent = 0
        self.is_told = True

    def begin_again(self) -> None:
        """Note that the server knows nothing of this link."""
        self.unsent = len(self.samples)
        self.is_told = False

    def entity(self, number: int) -> LinkState | None:
        """Make the entity with the samples that have not been announced; None if there are none."""
        if not self.unsent:
            return None
        newest = tuple(self.samples)[-self.unsent :]
        return LinkState(number, (self._slot - len(newest)) % SLOTS, newest)
