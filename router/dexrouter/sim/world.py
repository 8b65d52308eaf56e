"""Whole nodes, wires of memory and a virtual clock.

Every node has one UDP interface and one address. A datagram arrives after the wire's delay; the seed decides
which ones are lost, doubled or late (and so overtaken). A host behind each node answers echo requests.
Nothing here looks into a datagram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import ToTun, Transmit
from dexrouter.crypto.keys import Address, KeyPair, generate_key_pair
from dexrouter.crypto.users import Credentials
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.ipv6 import rebuild

__all__ = ["Wires", "World"]

_PASSWORD: Final = Credentials(b"everybody's password", b"everybody")
_ICMPV6: Final = 58
_ECHO_REQUEST: Final = 128
_ECHO_REPLY: Final = 129
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Wires:
    """How good the wires are."""

    delay: float = 0.01
    """Seconds from one node to the next; each wire has its own, between half and one and a half of this."""

    loss: float = 0.0
    """Part of the datagrams that vanish."""

    doubled: float = 0.0
    """Part that arrives twice."""

    late: float = 0.0
    """Part that arrives up to five delays later, behind others."""


class _Place:
    """Where a node runs: it may be down, and come up again with the same key."""

    __slots__ = ("address", "datagrams", "key", "node", "replies", "wake")

    def __init__(self, key: KeyPair, address: LinkAddress) -> None:
        self.key = key
        self.address = address
        self.node: Node | None = None
        self.wake = _NEVER
        self.datagrams = 0
        """Sent so far."""
        self.replies: dict[Address, float] = {}
        """When a host was first heard to answer our echo request."""


class World:
    """The places, the wires, the clock. Nodes are numbered from 0."""

    def __init__(self, count: int, edges: Iterable[tuple[int, int]], *, seed: int, wires: Wires) -> None:
        self.now = 0.0
        self._chance = Random(seed)  # noqa: S311 - a run is to be repeated from its seed
        self._wires = wires
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._edges = list(edges)
        self._delays = {frozenset(edge): wires.delay * self._chance.uniform(0.5, 1.5) for edge in self._edges}
        self._cut: set[frozenset[int]] = set()
        self._places: list[_Place] = []
        self._by_address: dict[LinkAddress, int] = {}
        self._by_key: dict[bytes, int] = {}
        for number in range(count):
            key = generate_key_pair(self._chance.randbytes)
            address = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
            self._by_address[address] = self._by_key[key.public] = number
            self._places.append(_Place(key, address))

    # -- what is there

    def __len__(self) -> int:
        return len(self._places)

    def node(self, number: int) -> Node | None:
        """Give the node of this number, if it is up."""
        return self._places[number].node

    def datagrams(self) -> int:
        """Count the datagrams that all nodes have sent."""
        return sum(place.datagrams for place in self._places)

    def first_reply(self, source: int, target: int) -> float | None:
        """When the first echo reply from one host came to the other."""
        return self._places[source].replies.get(self._places[target].key.address)

    def forget_replies(self) -> None:
        """Start watching for first replies anew."""
        for place in self._places:
            place.replies.clear()

    def hops(self, source: int, target: int) -> int | None:
        """Follow the label that a node's session uses and count the hops; None if it leads elsewhere."""
        node = self._places[source].node
        session = node.sessions.by_address.get(self._places[target].key.address) if node else None
        path = session.paths.best if session else None
        if path is None:
            return None
        label, number, hops = path.label, source, 0
        while label > 1:
            here = self._places[number].node
            peer = here.peering.by_slot.get(V358.director(label)) if here else None
            if peer is None:
                return None
            number = self._by_key[peer.key]
            label >>= V358.director_bits(label)
            hops += 1
        return hops if number == target else None

    # -- what happens

    def start(self, number: int) -> None:
        """Start a node, also again after it was stopped: with its key and its configured connections."""
        place = self._places[number]
        entropy = Random(self._chance.randbytes(16)).randbytes  # noqa: S311 - as above
        node = Node(own=place.key, entropy=entropy, now=self.now)
        node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/0.0.0.0:1")
        node.users.add(_PASSWORD)
        place.node = node
        for caller, called in self._edges:
            if caller == number:
                other = self._places[called]
                node.peering.connect(
                    0, other.address, other.key.public, _PASSWORD, self.now, name=str(called)
                )
        node.flush(self.now)
        self._carry_out(number)

    def stop(self, number: int) -> None:
        """Stop a node without a word."""
        self._places[number].node = None
        self._places[number].wake = _NEVER

    def cut(self, edges: Iterable[tuple[int, int]]) -> None:
        """Cut wires: datagrams vanish, nobody is told."""
        self._cut.update(map(frozenset, edges))

    def mend(self) -> None:
        """Mend all wires."""
        self._cut.clear()

    def ping(self, source: int, target: int) -> None:
        """Let the host of one node send an echo request to that of another."""
        own, other = self._places[source].key.address, self._places[target].key.address
        self._from_tun(source, rebuild(own, other, _ICMPV6, bytes((_ECHO_REQUEST,)) + bytes(31)))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        events = self._events
        while events and events[0][0] <= end:
            self.now, _, action = heappop(events)
            action()
        self.now = end

    # -- inside

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._sequence += 1
        heappush(self._events, (time, self._sequence, action))

    def _from_tun(self, number: int, packet: bytes) -> None:
        node = self._places[number].node
        if node:
            node.from_tun([packet], self.now)
            self._carry_out(number)

    def _carry_out(self, number: int) -> None:
        """Do what a node wants, and wake it when it wants that."""
        place = self._places[number]
        node = place.node
        if node is None:
            return
        for output in node.drain():
            if isinstance(output, Transmit):
                target = self._by_address[output.address]
                for datagram in map(bytes, output.datagrams):
                    self._transmit(number, target, datagram)
            elif isinstance(output, ToTun):
                for packet in map(bytes, output.packets):
                    self._to_host(number, packet)
        deadline = max(node.next_deadline(), self.now)
        if deadline < place.wake:
            place.wake = deadline
            self._at(deadline, lambda: self._poll(number, deadline))

    def _poll(self, number: int, deadline: float) -> None:
        place = self._places[number]
        if place.node is None or place.wake != deadline:
            return
        place.wake = _NEVER
        place.node.poll(self.now)
        self._carry_out(number)

    def _transmit(self, source: int, target: int, datagram: bytes) -> None:
        self._places[source].datagrams += 1
        wire = frozenset((source, target))
        wires, chance = self._wires, self._chance.random
        if wire in self._cut or wire not in self._delays:
            return
        copies = 1 + (wires.doubled > 0 and chance() < wires.doubled)
        for _ in range(copies):
            if wires.loss and chance() < wires.loss:
                continue
            delay = self._delays[wire]
            if wires.late and chance() < wires.late:
                delay += chance() * 5 * wires.delay
            self._at(self.now + delay, lambda: self._arrive(source, target, datagram))

    def _arrive(self, source: int, target: int, datagram: bytes) -> None:
        place = self._places[target]
        if place.node:
            place.node.receive(0, self._places[source].address, [datagram], self.now)
            self._carry_out(target)

    def _to_host(self, number: int, packet: bytes) -> None:
        """Be the host: answer an echo request, note an echo reply."""
        sender = Address(bytes(packet[8:24]))
        if packet[40] == _ECHO_REPLY:
            self._places[number].replies.setdefault(sender, self.now)
        elif packet[40] == _ECHO_REQUEST:
            own = self._places[number].key.address
            reply = rebuild(own, sender, _ICMPV6, bytes((_ECHO_REPLY,)) + bytes(packet[41:]))
            self._at(self.now, lambda: self._from_tun(number, reply))
