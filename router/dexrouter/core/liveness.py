"""Liveness of peers: when each is pinged, and what its silence means (spec 02 §7).

    silence   3 s   pinged, once a tick (1.024 s) until it answers
              4 s   and two pings: the side that calls begins a new session
            4.5 s   and three pings: nothing is routed through it any more, by its word it is ESTABLISHED
             20 s   UNRESPONSIVE, and pinged at every second tick
             80 s   pinged at every eighth tick
            262 s   an incoming one is forgotten; after 15 s if its handshake was never finished

Here is decided who is pinged, and when; the pings are sent by the node, through the switch.

Where this differs from the C router, for the better and invisible to it: hellos are repeated faster at first,
and a session in which nothing is answered any more is begun anew by the side that called after 4 s, not after
60, so that a restarted neighbour is back at once. For a minute an unresponsive peer is pinged four times as
often.
"""

from __future__ import annotations

from typing import Final

from dexrouter.core.peer import LAZY_AFTER, Peer, PeerState
from dexrouter.core.peer_table import PeerTable

__all__ = ["Liveness"]

_TICK: Final = 1.024
_UNRESPONSIVE_AFTER: Final = 20.48
_FORGET_AFTER: Final = 262.144
"""Seconds; all as in spec 02 §7."""

_UNFINISHED_FORGET_AFTER: Final = 15.0
"""A stranger's handshake that leads nowhere is forgotten after this (the C router: 262 s)."""

_SILENT_AFTER: Final = 4.5
"""Silence, with three pings unanswered, after which nothing is routed through a peer any more.

Its state word stays ESTABLISHED until _UNRESPONSIVE_AFTER, as tools expect; but who would send through it is
told at once that this way is shut, and finds another in a few seconds instead of twenty.
"""

_SILENT_PINGS: Final = 3

_RENEW_AFTER: Final = 4.0
_RENEW_PINGS: Final = 2
"""Silence, and pings unanswered, after which the calling side begins a new session (the C router: 60 s)."""

_FIRST_RETRIES: Final = (0.25, 0.5, 1.0)
"""Seconds between the first hellos; then once a tick."""

_SLOW_PING: Final = 8
"""An unresponsive peer is pinged at every eighth tick ..."""

_HOPEFUL_PING: Final = 2
_HOPEFUL_FOR: Final = 80.0
"""... but for the first minute (until this silence, seconds) at every second one: a cable is soon back."""

_ASK_VERSION_AFTER: Final = _FORGET_AFTER / 8
"""An incompatible peer is looked at this often."""


class Liveness:
    """Pings and silence of all peers in a table. Times are monotonic seconds."""

    __slots__ = ("_table", "deadline")

    def __init__(self, table: PeerTable, now: float) -> None:
        self._table = table
        self.deadline = now
        """When `poll` wants to be called. Early calls are harmless."""

    def poll(self, now: float) -> list[Peer]:
        """Forget who is over, change the states that time changes, and tell whom to ping now."""
        due: list[Peer] = []
        self.deadline = float("inf")
        for peer in tuple(self._table.by_slot.values()):
            if _is_over(peer, now):
                self._table.forget(peer, f"silent for {now - peer.last_message:.0f} s")
                continue
            if self._look_after(peer, now):
                self.pinged(peer, now)
                due.append(peer)
            self.deadline = min(self.deadline, peer.next_ping)
        return due

    def pinged(self, peer: Peer, now: float) -> None:
        """Count a ping, and say when the next one is due if nothing is heard until then."""
        if peer.state is PeerState.UNRESPONSIVE:
            is_hopeful = now - peer.last_message < _HOPEFUL_FOR
            wait = _TICK * (_HOPEFUL_PING if is_hopeful else _SLOW_PING)
        elif peer.ping_count < len(_FIRST_RETRIES):
            wait = _FIRST_RETRIES[peer.ping_count]
        else:
            wait = _TICK
        peer.next_ping = now + wait
        self.deadline = min(self.deadline, peer.next_ping)
        peer.ping_count += 1
        peer.unanswered_pings += 1

    def heard(self, peer: Peer, now: float) -> None:
        """Leave a peer alone that has just come or come back, until it has been silent for a while."""
        peer.next_ping = now + LAZY_AFTER
        self.deadline = min(self.deadline, peer.next_ping)

    def pong(self, peer: Peer, version: int, now: float) -> None:
        """Take the answer to a ping: the peer's version is known now."""
        was_routable = peer.is_routable
        peer.version = version
        peer.last_pong = now
        peer.unanswered_pings = 0
        peer.ping_count = 0
        if not peer.is_compatible:
            self._table.set_state(peer, PeerState.INCOMPATIBLE, f"protocol version {version}")
        elif peer.is_routable and not was_routable:
            self._table.routable_changes.append((peer, True))

    def _look_after(self, peer: Peer, now: float) -> bool:
        """Draw the consequences of the silence of a peer; tells whether to ping it."""
        if peer.renewal is not None and not peer.renewal.is_alive(now):
            peer.renewal = None
        if now < peer.next_ping:
            return False
        if peer.allowance is not None:
            # A stranger asks; we do not.
            peer.next_ping = peer.created + _UNFINISHED_FORGET_AFTER
            return False
        if not peer.is_compatible:
            return self._ask_version_again(peer, now)
        silent = now - peer.last_message
        if silent > _UNRESPONSIVE_AFTER and peer.state is not PeerState.UNRESPONSIVE:
            self._table.set_state(peer, PeerState.UNRESPONSIVE, f"silent for {silent:.0f} s")
        elif silent > _SILENT_AFTER and peer.unanswered_pings >= _SILENT_PINGS and peer.is_routable:
            self._table.set_silent(peer, silent=True)
        lazy_at = peer.last_message + LAZY_AFTER
        if peer.version and now < lazy_at:
            peer.next_ping = lazy_at
            return False
        if (
            peer.is_called
            and silent > _RENEW_AFTER
            and peer.unanswered_pings >= _RENEW_PINGS
            and peer.session.is_established
        ):
            peer.begin_anew()
        return True

    def _ask_version_again(self, peer: Peer, now: float) -> bool:
        """Ask a configured peer from time to time what it speaks by now; tells whether to ping it."""
        peer.next_ping = now + _ASK_VERSION_AFTER
        if peer.is_incoming or now - peer.last_pong <= _FORGET_AFTER:
            return False
        peer.version = 0
        peer.begin_anew()
        self._table.set_state(peer, PeerState.INIT, "asked for its version again")
        return True


def _is_over(peer: Peer, now: float) -> bool:
    """Whether an incoming peer has been silent for so long that it is forgotten."""
    if not peer.is_incoming:
        return False
    if peer.was_established:
        return now >= peer.last_message + _FORGET_AFTER
    return now >= peer.created + _UNFINISHED_FORGET_AFTER
