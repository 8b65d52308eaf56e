"""The peers of a node by switch interface and by link address, and what is told when one of them changes.

It keeps three things in step: the two tables, the interfaces of the switch, and the reports. Others read the
tables and change them here only. Bounds: 256 peers (the switch), of them at most 32 strangers that have not
finished their handshake, 4 with the same key; the oldest of these gives way. Of neighbours that we call only
because a beacon says so, 16 may still owe us an answer: beacons are not signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dexrouter.core.links import LinkAddress
from dexrouter.core.outputs import Output, PeerChanged
from dexrouter.core.peer import Interface, Peer, PeerState
from dexrouter.core.switch import Switch, SwitchFullError
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import PublicKey

__all__ = ["MAX_CALLS", "MAX_UNFINISHED", "MAX_UNFINISHED_EACH", "PeerTable", "PeeringError"]

MAX_UNFINISHED: Final = 32
"""Strangers whose handshake is not finished; the oldest gives way to the next."""

MAX_UNFINISHED_EACH: Final = 4
"""Of them with the same key: a recorded hello can come from any number of addresses."""

MAX_CALLS: Final = 16
"""Neighbours that we call unasked and that have not answered yet."""


class PeeringError(ValueError):
    """A peer that cannot be added; the text says why."""


class PeerTable:
    """All peers. `outputs` and `routable_changes` are lists that others empty, never replace."""

    __slots__ = ("_switch", "by_link", "by_slot", "outputs", "routable_changes")

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.by_slot: dict[int, Peer] = {}
        self.by_link: dict[tuple[int, LinkAddress], Peer] = {}
        self.outputs: list[Output] = []
        self.routable_changes: list[tuple[Peer, bool]] = []

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self.by_link.values()))

    def add(
        self,
        interface: Interface,
        link_address: LinkAddress,
        key: PublicKey,
        session: Session,
        state: PeerState,
        now: float,
        *,
        is_incoming: bool,
        is_called: bool,
        name: str = "outer",
    ) -> Peer:
        """Give a new peer its interface of the switch. Raises PeeringError when all are taken."""
        try:
            slot = self._switch.plug()
        except SwitchFullError as error:
            raise PeeringError(str(error)) from error
        peer = Peer(
            interface=interface,
            link_address=link_address,
            key=key,
            session=session,
            slot=slot,
            is_incoming=is_incoming,
            is_called=is_called,
            name=name,
            state=state,
            now=now,
        )
        self.by_slot[slot] = peer
        self.by_link[interface.number, link_address] = peer
        self.report(peer, "NEW", state.name, "")
        return peer

    def forget(self, peer: Peer, why: str) -> None:
        """Remove a peer: its session, its switch interface and its label are free again."""
        if self.by_slot.pop(peer.slot, None) is None:
            return
        del self.by_link[peer.interface.number, peer.link_address]
        if peer.is_routable:
            self.routable_changes.append((peer, False))
        self._switch.unplug(peer.slot)
        self.report(peer, peer.state.name, "FORGOTTEN", why)

    def has_room_for_call(self) -> bool:
        """Whether one more neighbour may be called that nobody has configured."""
        calls = (peer.is_called and peer.is_incoming and not peer.was_established for peer in self)
        return sum(calls) < MAX_CALLS

    def make_room_for_stranger(self, key: PublicKey) -> bool:
        """Let the oldest stranger give way if there are too many; tells whether one did."""
        strangers = [peer for peer in self if peer.is_incoming and not peer.was_established]
        same = [peer for peer in strangers if peer.key == key]
        if len(same) >= MAX_UNFINISHED_EACH:
            strangers = same
        elif len(strangers) < MAX_UNFINISHED:
            return False
        self.forget(strangers[0], "too many unfinished handshakes")
        return True

    def set_state(self, peer: Peer, state: PeerState, detail: str) -> None:
        """Change a peer's state, and tell the switch, the pathfinder and the log."""
        before, was_routable = peer.state, peer.is_routable
        peer.state = state
        if peer.is_routable != was_routable:
            self.routable_changes.append((peer, peer.is_routable))
        if state in (PeerState.ESTABLISHED, PeerState.UNRESPONSIVE):
            self._switch.set_up(peer.slot, state is PeerState.ESTABLISHED)
        self.report(peer, before.name, state.name, detail)

    def set_silent(self, peer: Peer, *, silent: bool) -> None:
        """Note that a peer has stopped answering, or answers again: a silent one carries nothing."""
        was_routable = peer.is_routable
        peer.is_silent = silent
        self._switch.set_up(peer.slot, up=not silent)
        if peer.is_routable != was_routable:
            self.routable_changes.append((peer, peer.is_routable))

    def report(self, peer: Peer, before: str, state: str, detail: str) -> None:
        """Write one line for the log."""
        self.outputs.append(
            PeerChanged(peer.interface.number, peer.link_address, peer.key, peer.name, before, state, detail)
        )
