"""Whole nodes on wires of memory and a virtual clock, for tests of the core.

Every node has one UDP interface and one address. Datagrams arrive after a delay; a seed decides which of them
are lost, doubled or late. Nothing here knows what is inside a datagram.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Output, PeerChanged, ToTun, Transmit
from dexrouter.core.peer import Peer
from dexrouter.crypto.keys import KeyPair, generate_key_pair
from dexrouter.crypto.users import Credentials
from dexrouter.wire.ipv6 import rebuild

__all__ = ["DELAY", "Sent", "World", "echo_request"]

DELAY = 0.005
"""Seconds from one node to the next."""

_PASSWORD = Credentials(b"everybody's password", b"everybody")
_MAX_POLLS_A_SECOND = 500
"""A node that wants to be woken more often than this does not wait: it spins."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One datagram as it went out."""

    time: float
    source: str
    target: LinkAddress
    datagram: bytes


@dataclass(slots=True)
class World:
    """Nodes by name, and the wires between them. Times are seconds of the virtual clock."""

    seed: int = 1
    loss: float = 0.0
    """Part of the datagrams that vanish."""
    doubled: float = 0.0
    late: float = 0.0
    """Part that arrives up to 50 ms later than the others."""
    now: float = 1000.0
    nodes: dict[str, Node] = field(default_factory=dict)
    tun: dict[str, list[bytes]] = field(default_factory=dict)
    """What each node has written to its TUN."""
    sent: list[Sent] = field(default_factory=list)
    changes: list[tuple[float, str, PeerChanged]] = field(default_factory=list)
    cut: set[frozenset[str]] = field(default_factory=set)
    """Pairs of nodes whose datagrams vanish."""
    _keys: dict[str, KeyPair] = field(default_factory=dict)
    _calls: list[tuple[str, str]] = field(default_factory=list)
    _queue: list[tuple[float, int, str, LinkAddress, bytes]] = field(default_factory=list)
    _count: int = 0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def add(self, name: str, key: KeyPair | None = None) -> Node:
        """Start a node; also again, after it was killed: with its key and its configured connections."""
        entropy = random.Random(self._chance.random()).randbytes
        if name not in self._keys:
            self._keys[name] = key or generate_key_pair(entropy)
        node = Node(own=self._keys[name], entropy=entropy, now=self.now)
        node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/0.0.0.0:1")
        node.users.add(_PASSWORD)
        self.nodes[name] = node
        self.tun.setdefault(name, [])
        for caller, called in self._calls:
            if caller == name:
                self._call(caller, called)
        return node

    def kill(self, name: str) -> None:
        """End a node without a word."""
        del self.nodes[name]

    def connect(self, caller: str, called: str) -> Peer:
        """Configure a connection."""
        self._calls.append((caller, called))
        return self._call(caller, called)

    def line(self, *names: str) -> None:
        """Start nodes in a line; each calls the one before it."""
        for name in names:
            self.add(name)
        for called, caller in pairwise(names):
            self.connect(caller, called)

    def key(self, name: str) -> KeyPair:
        """The identity of a node, running or not."""
        return self._keys[name]

    def address(self, name: str) -> LinkAddress:
        """Where a node listens."""
        return (f"192.0.2.{list(self._keys).index(name) + 1}", 1)

    def name_at(self, address: LinkAddress) -> str | None:
        """Whose address this is."""
        return next((name for name in self._keys if self.address(name) == address), None)

    def peer(self, name: str, other: str) -> Peer:
        """What one node knows of another as its neighbour."""
        key = self._keys[other].public
        return next(peer for peer in self.nodes[name].peering.peers() if peer.key == key)

    def is_linked(self, name: str, other: str) -> bool:
        """Whether both see each other ESTABLISHED and know the other's version."""
        return all(
            any(peer.key == self._keys[there].public and peer.is_routable for peer in node.peering.peers())
            for here, there in ((name, other), (other, name))
            if (node := self.nodes.get(here)) is not None
        )

    def inject(self, target: str, source: LinkAddress, datagram: bytes) -> None:
        """Hand a datagram to a node, now, as if it had come from an address."""
        self.nodes[target].receive(0, source, [datagram], self.now)
        self._carry_out(target)

    def from_tun(self, name: str, *packets: bytes) -> None:
        """Let a node's host send packets."""
        self.nodes[name].from_tun(packets, self.now)
        self._carry_out(name)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        polls = 0
        while True:
            due = min((max(node.next_deadline(), self.now) for node in self.nodes.values()), default=end)
            arrival = self._queue[0][0] if self._queue else end + 1.0
            if min(due, arrival) > end:
                break
            self.now = max(self.now, min(due, arrival))
            if arrival <= due:
                self._arrive()
            else:
                polls += 1
                assert polls < _MAX_POLLS_A_SECOND * len(self.nodes) * max(seconds, 1.0), "a node spins"
                for name, node in tuple(self.nodes.items()):
                    if node.next_deadline() <= self.now:
                        node.poll(self.now)
                        self._carry_out(name)
        self.now = end

    def wait(self, condition: Callable[[], bool], *, seconds: float, step: float = 0.1) -> float:
        """Let time pass until something holds; gives the seconds it took, fails when it takes too long."""
        start = self.now
        while not condition():
            assert self.now - start < seconds, f"not within {seconds} s"
            self.run(step)
        return self.now - start

    # -- inside

    def _call(self, caller: str, called: str) -> Peer:
        node = self.nodes[caller]
        peer = node.peering.connect(
            0, self.address(called), self._keys[called].public, _PASSWORD, self.now, name=called
        )
        node.flush(self.now)
        self._carry_out(caller)
        return peer

    def _arrive(self) -> None:
        _, _, target, source, datagram = heapq.heappop(self._queue)
        node = self.nodes.get(target)
        if node is not None:
            node.receive(0, source, [datagram], self.now)
            self._carry_out(target)

    def _carry_out(self, name: str) -> None:
        for output in self.nodes[name].drain():
            self._carry_out_one(name, output)

    def _carry_out_one(self, name: str, output: Output) -> None:
        match output:
            case Transmit(address=address, datagrams=datagrams):
                for datagram in map(bytes, datagrams):
                    self.sent.append(Sent(self.now, name, address, datagram))
                    self._transmit(name, address, datagram)
            case ToTun(packets=packets):
                self.tun[name] += map(bytes, packets)
            case PeerChanged():
                self.changes.append((self.now, name, output))
            case _:
                pass

    def _transmit(self, name: str, address: LinkAddress, datagram: bytes) -> None:
        target = self.name_at(address)
        if target is None or frozenset((name, target)) in self.cut:
            return
        chance = self._chance.random
        for _ in range(1 + (chance() < self.doubled)):
            if chance() < self.loss:
                continue
            delay = DELAY + (chance() * 0.05 if chance() < self.late else 0.0)
            self._count += 1
            heapq.heappush(self._queue, (self.now + delay, self._count, target, self.address(name), datagram))


def echo_request(source: KeyPair, target: KeyPair, number: int = 1) -> bytes:
    """Make an ICMPv6 packet from one host to another; the content only has to arrive as it is."""
    return rebuild(source.address, target.address, 58, b"\x80\0\0\0" + number.to_bytes(4, "big") + bytes(24))
