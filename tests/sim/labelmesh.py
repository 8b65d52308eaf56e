"""Many pathfinders on a virtual clock, joined by ideal switches: labels are real, everything else is simple.

A message is walked through model switches by the rules of spec 03 §6, including the refusal of directors that
are too narrow for the way back, so a wrong label fails as it would in the mesh. There are no sessions: what
a session layer would make of `PathFound` and `PathLost` is modelled by `Member.paths`. One seed, one course.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from random import Random

from dexrouter.core.metric import effective_metric
from dexrouter.core.pathfinder.pathfinder import (
    Pathfinder,
    PathfinderConfig,
    PathFound,
    PathLost,
    SendMessage,
)
from dexrouter.crypto.keys import Address, PublicKey, address_of, is_mesh_address
from dexrouter.wire.encoding_scheme import V358, V358_CANONICAL_BITS, V358_NUMBERS, V358_WIDTHS
from dexrouter.wire.labels import LABEL_MASK, reverse64

ROUTER = 1
MOST_HOPS = 64
SESSION_PATHS = 3
_FORMS = {4: 0, 7: 1, 10: 2}


def make_key(random: Random) -> PublicKey:
    """Give 32 bytes whose address lies in the mesh."""
    while True:
        key = PublicKey(random.randbytes(32))
        if is_mesh_address(address_of.__wrapped__(key)):
            return key


@dataclass
class Cable:
    """One direction of a link."""

    to: Member
    slot: int
    latency: float
    is_up: bool = True


@dataclass
class Walked:
    """What became of a packet."""

    member: Member
    """Who got it, or whose switch refused it."""
    label: int
    """The way back; the label that was refused, if `error`."""
    error: int
    delay: float
    hops: int


@dataclass(eq=False)
class Member:
    """One pathfinder, its model switch and what its sessions would know."""

    number: int
    key: PublicKey
    address: Address
    pathfinder: Pathfinder
    cables: dict[int, Cable] = field(default_factory=dict)
    paths: dict[Address, dict[int, tuple[int, float]]] = field(default_factory=dict)
    wake: float = float("inf")
    is_up: bool = True

    def free_slot(self) -> int:
        """Lowest free interface, the router's skipped (spec 03 §6.1)."""
        slot = 0
        while slot == ROUTER or slot in self.cables:
            slot += 1
        return slot

    def session_path(self, address: Address, now: float) -> int | None:
        """The path that a session to this address would use."""
        known = self.paths.get(address)
        if not known:
            return None
        return min(known, key=lambda path: effective_metric(known[path][0], now - known[path][1]))


class LabelMesh:
    """The members, the cables and the clock."""

    def __init__(
        self,
        seed: int = 1,
        *,
        latency: float = 0.005,
        jitter: float = 0.005,
        loss: float = 0.0,
        config: PathfinderConfig | None = None,
    ) -> None:
        self.random = Random(seed)
        self.latency = latency
        self.jitter = jitter
        self.loss = loss
        self.config = config
        self.now = 0.0
        self.members: list[Member] = []
        self.by_address: dict[Address, Member] = {}
        self.messages = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    # -- building

    def add(self, key: PublicKey | None = None) -> Member:
        """Start one more node."""
        key = key or make_key(self.random)
        number = len(self.members)
        member = Member(number, key, address_of(key), self._pathfinder(key))
        self.members.append(member)
        self.by_address[member.address] = member
        self._wake(member)
        return member

    def add_many(self, count: int) -> list[Member]:
        """Start so many nodes."""
        return [self.add() for _ in range(count)]

    def join(self, one: Member, other: Member) -> None:
        """Lay a cable; both ends are told after a moment, as when a handshake and a ping have gone by."""
        slot, other_slot = one.free_slot(), other.free_slot()
        latency = self.latency * self.random.uniform(0.5, 1.5)
        one.cables[slot] = Cable(other, other_slot, latency)
        other.cables[other_slot] = Cable(one, slot, latency)
        for member, own_slot, peer in ((one, slot, other), (other, other_slot, one)):
            self.after(self.random.uniform(0.02, 0.1), partial(self._up, member, own_slot, peer))

    def cut(self, one: Member, other: Member, *, notice_after: float | None = None) -> None:
        """Cut the cables between two nodes; without `notice_after` their peering never notices."""
        for member, peer in ((one, other), (other, one)):
            for slot, cable in list(member.cables.items()):
                if cable.to is peer:
                    cable.is_up = False
                    if notice_after is not None:
                        self.after(notice_after, partial(self._gone, member, slot))

    def kill(self, member: Member, *, notice_after: float | None = None) -> None:
        """Stop a node; its neighbours notice later or never."""
        member.is_up = False
        for cable in list(member.cables.values()):
            self.cut(member, cable.to, notice_after=notice_after)

    def restart(self, member: Member, *, order: Iterable[Member] | None = None) -> None:
        """Start a stopped node anew, with the same key and without memory; cables in the given order."""
        peers = list(order) if order is not None else [cable.to for cable in member.cables.values()]
        for peer in peers:
            for slot, cable in list(peer.cables.items()):
                if cable.to is member:
                    self._gone(peer, slot)
        member.cables.clear()
        member.paths.clear()
        member.is_up = True
        member.pathfinder = self._pathfinder(member.key)
        member.wake = float("inf")
        self._wake(member)
        for peer in peers:
            self.join(member, peer)

    # -- running

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Let something happen later."""
        self._sequence += 1
        heapq.heappush(self._events, (self.now + delay, self._sequence, action))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = end

    def run_until(self, condition: Callable[[], bool], *, limit: float, step: float = 0.1) -> float | None:
        """Let time pass until a condition holds: the seconds it took, None if longer than the limit."""
        start = self.now
        while not condition():
            if self.now - start >= limit:
                return None
            self.run(step)
        return self.now - start

    def walk(self, member: Member, path: int, *, lossy: bool = False) -> Walked | None:
        """Walk a packet along a path; None if it gets lost."""
        label, source, delay = path, ROUTER, 0.0
        for hops in range(MOST_HOPS):
            bits = V358_WIDTHS[label & 0x3FF]
            slot = V358_NUMBERS[label & 0x3FF]
            source_bits = V358_CANONICAL_BITS[source]
            if source_bits > bits:
                if slot != ROUTER:
                    return Walked(member, label, 1, delay, hops)
                if (label ^ 1) & ((1 << source_bits + 4) - 1):
                    return Walked(member, label, 10, delay, hops)
                bits = source_bits
            cable = member.cables.get(slot)
            if slot != ROUTER and cable is None:
                return Walked(member, label, 1, delay, hops)
            moved = (label >> bits | reverse64(V358.encode_director(source, _FORMS[bits]))) & LABEL_MASK
            if slot == ROUTER:
                return Walked(member, reverse64(moved), 0, delay, hops)
            if cable is None or not cable.is_up or not cable.to.is_up:
                return None
            if lossy and self.loss and self.random.random() < self.loss:
                return None
            delay += cable.latency + self.random.random() * self.jitter if lossy else cable.latency
            label, source, member = moved, cable.slot, cable.to
        return None

    # -- asking

    def leads_to(self, one: Member, path: int | None, other: Member) -> bool:
        """Whether a path works, there and back."""
        if not path:
            return False
        walked = self.walk(one, path)
        if walked is None or walked.error or walked.member is not other:
            return False
        back = self.walk(other, walked.label)
        return back is not None and not back.error and back.member is one

    def reaches(self, one: Member, other: Member) -> bool:
        """Whether the path that a session would use works."""
        return self.leads_to(one, one.session_path(other.address, self.now), other)

    def pairs(self) -> list[tuple[Member, Member]]:
        """All ordered pairs of nodes that are up."""
        up = [member for member in self.members if member.is_up]
        return [(one, other) for one in up for other in up if one is not other]

    def all_reach(self) -> bool:
        """Whether every node has a working path to every other one."""
        return all(self.reaches(one, other) for one, other in self.pairs())

    def want_all(self) -> None:
        """Every node wants a path to every other one."""
        for one, other in self.pairs():
            self.search(one, other)

    def search(self, one: Member, other: Member) -> None:
        """A session of one node wants a path to another one."""
        one.pathfinder.search(other.address, self.now)
        self._settle(one)

    def distance(self, one: Member) -> dict[int, int]:
        """Hops of the shortest path to every node, by number."""
        found = {one.number: 0}
        queue = deque([one])
        while queue:
            member = queue.popleft()
            for cable in member.cables.values():
                if cable.is_up and cable.to.is_up and cable.to.number not in found:
                    found[cable.to.number] = found[member.number] + 1
                    queue.append(cable.to)
        return found

    def hops(self, one: Member, other: Member) -> int | None:
        """Hops of the path that a session would use."""
        path = one.session_path(other.address, self.now)
        walked = self.walk(one, path) if path else None
        return walked.hops if walked and not walked.error and walked.member is other else None

    # -- inside

    def _pathfinder(self, key: PublicKey) -> Pathfinder:
        seed = sha256(key + self.random.randbytes(8)).digest()
        return Pathfinder(own=key, entropy=Random(seed).randbytes, now=self.now, config=self.config)

    def _up(self, member: Member, slot: int, peer: Member) -> None:
        cable = member.cables.get(slot)
        if cable and cable.is_up and cable.to is peer and member.is_up:
            member.pathfinder.peer_up(peer.key, 21, V358.peer_label(slot), self.now)
            self._settle(member)

    def _gone(self, member: Member, slot: int) -> None:
        if member.cables.pop(slot, None) and member.is_up:
            path = V358.peer_label(slot)
            member.pathfinder.peer_gone(path, self.now)
            self._settle(member)

    def _settle(self, member: Member) -> None:
        """Do what a pathfinder wants, and wake it when it wants that."""
        for output in member.pathfinder.drain():
            match output:
                case SendMessage():
                    self.messages += 1
                    self._send(member, output)
                case PathFound(address=address, path=path, metric=metric):
                    known = member.paths.setdefault(address, {})
                    known[path] = (metric, self.now)
                    if len(known) > SESSION_PATHS:
                        del known[
                            max(known, key=lambda p: effective_metric(known[p][0], self.now - known[p][1]))
                        ]
                case PathLost(address=address, path=path):
                    member.paths.get(address, {}).pop(path, None)
        self._wake(member)

    def _send(self, member: Member, message: SendMessage) -> None:
        walked = self.walk(member, message.path, lossy=True)
        if walked is None:
            return
        if walked.error:
            self.after(2 * walked.delay + 0.001, lambda: self._error(member, message.path, walked))
        elif walked.member.key == message.key:
            self.after(walked.delay, lambda: self._arrive(walked.member, member.key, walked.label, message))

    def _arrive(self, member: Member, sender: PublicKey, path: int, message: SendMessage) -> None:
        if member.is_up:
            member.pathfinder.message(sender, path, message.content, self.now)
            self._settle(member)

    def _error(self, member: Member, path: int, walked: Walked) -> None:
        if member.is_up:
            member.pathfinder.switch_error(path, walked.label, walked.error, self.now)
            self._settle(member)

    def _wake(self, member: Member) -> None:
        deadline = member.pathfinder.next_deadline()
        if deadline is None or deadline >= member.wake:
            return
        member.wake = max(deadline, self.now)
        pathfinder = member.pathfinder
        self.after(member.wake - self.now, lambda: self._poll(member, pathfinder))

    def _poll(self, member: Member, pathfinder: Pathfinder) -> None:
        if member.pathfinder is not pathfinder or not member.is_up:
            return
        if member.wake > self.now + 1e-9:
            return
        member.wake = float("inf")
        member.pathfinder.poll(self.now)
        self._settle(member)


# -- shapes


def line(mesh: LabelMesh, count: int) -> list[Member]:
    """Join nodes in a row."""
    members = mesh.add_many(count)
    for one, other in itertools.pairwise(members):
        mesh.join(one, other)
    return members


def ring(mesh: LabelMesh, count: int) -> list[Member]:
    """Join nodes in a circle."""
    members = line(mesh, count)
    mesh.join(members[-1], members[0])
    return members


def star(mesh: LabelMesh, leaves: int) -> list[Member]:
    """Join nodes to a hub, the first one."""
    members = mesh.add_many(leaves + 1)
    for leaf in members[1:]:
        mesh.join(members[0], leaf)
    return members


def grid(mesh: LabelMesh, width: int, height: int) -> list[Member]:
    """Join nodes in rows and columns."""
    members = mesh.add_many(width * height)
    for index, member in enumerate(members):
        if index % width + 1 < width:
            mesh.join(member, members[index + 1])
        if index + width < len(members):
            mesh.join(member, members[index + width])
    return members


def random_mesh(mesh: LabelMesh, count: int, degree: float) -> list[Member]:
    """Join nodes at random: a tree, so that all hang together, and more links up to the mean degree."""
    members = mesh.add_many(count)
    joined: set[tuple[int, int]] = set()
    for index in range(1, count):
        other = mesh.random.randrange(index)
        joined.add((other, index))
        mesh.join(members[other], members[index])
    while len(joined) < count * degree / 2:
        one, other = sorted(mesh.random.sample(range(count), 2))
        if (one, other) not in joined:
            joined.add((one, other))
            mesh.join(members[one], members[other])
    return members
