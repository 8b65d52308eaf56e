"""The crawl: asking every node worth knowing for its peers, and again from time to time (spec 05 §7).

Rules:

* What a node says about others is a reason to ask these others, nothing more.
* Nodes wait in one queue, by priority and then by length of path; at most `max_asks` wait, the one at the
  longest path is dropped. Queries leave as tokens allow: a burst that learns a small mesh at once, then
  slowly.
* Direct peers are asked without a token: there are few, and everything begins with them.
* A path that has just answered, or that did not answer `MOST_TRIES` times, is left alone for a while.
* The upkeep asks the node heard of least recently, more often while the graph is changing.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.core.pathfinder.answers import ANSWER_NODES
from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.capacity import Capacity
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.graph import FAR_COST_PER_BIT, Link, LinkGraph, Node, Route, hop_label
from dexrouter.core.pathfinder.keyspace import bucket, flip_bit, position_of
from dexrouter.core.pathfinder.queries import Query, Target
from dexrouter.core.pathfinder.routes import straighten
from dexrouter.core.pathfinder.rumours import Rumours
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import PublicKey, address_of, is_mesh_address
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.labels import INVALID_LABEL, SELF_LABEL, label_bits, splice

__all__ = ["Crawl", "Priority", "node_target"]

MOST_TRIES: Final = 3
"""Queries to a node that has never answered."""

QUIET_AFTER_ANSWER: Final = 30.0
QUIET_AFTER_FAILURE: Final = 45.0
_QUIET_PATHS: Final = 512
"""Paths remembered as just asked; the oldest is forgotten."""

_SUSPECT_RETEST: Final = 10.0
"""Seconds before a suspect link is tested again because its parent still names it."""

_NEVER: Final = float("inf")

_KEYSPACE_AFTER_FIND: Final = 0.5
"""Seconds to the next look for neighbours in the keyspace after one that has found some."""

_CLOSEST: Final = 4
"""The nodes closest to us which are asked in turn for still closer ones."""


class Priority(IntEnum):
    """Who is asked first."""

    PEER = 0
    """A direct peer, or a node that stands between us and a path that has just failed."""

    NEAR = 1
    """An unknown node in a bucket of the keyspace in which too few are known."""

    UNKNOWN = 2
    """Any other unknown node."""

    LINK = 3
    """A known node over a link that is new to us, or another page of peers."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A node that waits to be asked."""

    target: Target
    priority: Priority
    tries: int
    page: int


def node_target(node: Node, path: int) -> Target:
    """Name a known node at a path."""
    return Target(node.key, node.address, node.version, path)


class Crawl:
    """The queue of nodes to ask and the clock of the upkeep."""

    def __init__(
        self,
        graph: LinkGraph,
        capacity: Capacity,
        rumours: Rumours,
        asker: Asker,
        config: PathfinderConfig,
        entropy: Entropy,
        now: float,
    ) -> None:
        self._graph = graph
        self._capacity = capacity
        self._rumours = rumours
        self._asker = asker
        self._config = config
        self._entropy = entropy
        self._queue: dict[int, Ask] = {}
        """By path."""
        self._order: list[tuple[int, int]] = []
        """Priority and path of the same, the next one first."""
        self._quiet: dict[int, float] = {}
        self._bucket = TokenBucket(config.crawl_burst, config.crawl_rate, now)
        self._next_upkeep = now + config.lively_interval
        self._next_keyspace = now + config.keyspace_interval / 2
        self._keyspace_turn = 0
        self._near_turn = False
        self._lively_until = now + config.lively_time

    def __len__(self) -> int:
        return len(self._queue)

    def want(self, target: Target, priority: Priority, *, tries: int = 0, page: int = 0) -> bool:
        """Queue a node, unless the same path waits already with at least this priority; tells whether."""
        waiting = self._queue.get(target.path)
        if waiting and waiting.priority <= priority:
            return False
        if waiting:
            self._take(waiting)
        elif len(self._queue) >= self._config.max_asks:
            if self._order[-1] <= (priority, target.path):
                return False
            self._take(self._queue[self._order[-1][1]])
        self._queue[target.path] = Ask(target, priority, tries, page)
        insort(self._order, (priority, target.path))
        return True

    def heard_of(self, target: Target, now: float, *, is_wanted: bool) -> None:
        """Note a node that has shown itself at a path, by a query or by traffic; we may not know it."""
        walk = self._graph.walk(target.path)
        if walk.rest == SELF_LABEL and walk.node.address == target.address:
            return
        node = self._graph.nodes.get(target.address)
        if node is None:
            if is_wanted or self._is_worth_it(target):
                self._want_unknown(target, now)
        elif node.best is None or label_bits(target.path) <= label_bits(node.best.path):
            self._want_quietly(target, Priority.LINK, now)

    def changed(self, now: float) -> None:
        """Look around more often for a while: the graph has changed."""
        self._lively_until = now + self._config.lively_time
        self._next_upkeep = min(self._next_upkeep, now + self._config.lively_interval)

    def answered(self, query: Query, node: Node | None, entries: Iterable[NodeEntry], now: float) -> None:
        """Read the answer to a `gp` of ours; `node` is the answerer, if it is in the graph."""
        self._hush(query.target.path, now + QUIET_AFTER_ANSWER)
        entries = list(entries)
        labels = set()
        for entry in entries:
            label = hop_label(node.scheme, entry.label) if node else INVALID_LABEL
            labels.add(label)
            self._read_entry(query, node, entry, label, now)
        labels.discard(INVALID_LABEL)
        if node is None:
            return
        self._drop_unlisted(query, node, labels, is_complete=len(entries) < ANSWER_NODES)
        last = max(labels, default=0)
        node.page = last if len(entries) >= ANSWER_NODES and last > query.page else 0
        if node.page and (not query.page or query.page < node.page):
            self.want(query.target, Priority.LINK, page=node.page)

    def found_nearby(self, query: Query, entries: Iterable[NodeEntry], now: float) -> None:
        """Read the answer to an `fn` of the upkeep: those that fill our buckets are asked."""
        for entry in entries:
            target = self.nearest_way(query.target.path, entry)
            if target is None or target.address in self._graph.nodes or not self._is_worth_it(target):
                continue
            if self._want_unknown(target, now):
                self._next_keyspace = min(self._next_keyspace, now + _KEYSPACE_AFTER_FIND)

    def unanswered(self, query: Query, now: float) -> None:
        """Ask again after a `gp` without an answer, a few times if the node has never answered."""
        node = self._graph.nodes.get(query.target.address)
        tries = query.tries + 1
        if node is None and tries < MOST_TRIES:
            self.want(query.target, Priority.UNKNOWN, tries=tries)
        elif node is None or node.best is None or node.best.path != query.target.path:
            self._hush(query.target.path, now + QUIET_AFTER_FAILURE)
            self._rumours.is_false(query.target)
        elif tries < 2:
            self.want(query.target, Priority.LINK, tries=tries, page=query.page)

    def recheck(self, links: Iterable[Link], since: float) -> None:
        """Ask the nodes on a failed path that were not heard since, so that the dead link shows itself."""
        for link in links:
            node = link.child
            if node.heard < since and node.best:
                self.want(node_target(node, node.best.path), Priority.PEER)

    def entry_target(self, path: int, entry: NodeEntry) -> Target | None:
        """Make a target of what a node at `path` says; nothing if it is unusable or ourselves."""
        address = address_of(entry.key)
        if entry.label <= SELF_LABEL or entry.version < OLDEST_COMPATIBLE_VERSION:
            return None
        if not is_mesh_address(address):
            return None
        whole = splice(entry.label, path)
        if whole == INVALID_LABEL or address == self._graph.root.address:
            return None
        whole = straighten(self._graph, whole)
        return None if whole <= SELF_LABEL else Target(PublicKey(entry.key), address, entry.version, whole)

    def nearest_way(self, path: int, entry: NodeEntry) -> Target | None:
        """Make a target of what a node at `path` says, by the shortest way that is known or rumoured."""
        target = self.entry_target(path, entry)
        address = address_of(entry.key)
        node = self._graph.nodes.get(address)
        other = node_target(node, node.best.path) if node and node.best else self._rumours.get(address)
        return other if other and (target is None or other.path < target.path) else target

    def tick(self, now: float) -> None:
        """Do the upkeep that is due, then send what waits."""
        if now >= self._next_upkeep:
            self._upkeep(now)
            interval = self._interval(now)
            self._next_upkeep = now + interval * (2 / 3 + self._entropy(1)[0] / 384)
        if now >= self._next_keyspace:
            self._keyspace(now)
            self._next_keyspace = now + self._config.keyspace_interval * (0.75 + self._entropy(1)[0] / 512)
        self._flush(now)

    def next_deadline(self, now: float) -> float:
        """When `tick` has something to do again."""
        deadline = min(self._next_upkeep, self._next_keyspace)
        return min(deadline, self._bucket.ready_at(now)) if self._queue else deadline

    def _flush(self, now: float) -> None:
        while self._order:
            priority, path = self._order[0]
            if self._asker.is_busy(self._queue[path].target.address):
                self._take(self._queue[path])
                continue
            if priority > Priority.PEER and not self._bucket.take(now):
                return
            ask = self._take(self._queue[path])
            self._asker.peers(ask.target, now, tries=ask.tries, page=ask.page)

    def _take(self, ask: Ask) -> Ask:
        """Take an ask out of the queue."""
        del self._queue[ask.target.path]
        self._order.remove((ask.priority, ask.target.path))
        return ask

    def _upkeep(self, now: float) -> None:
        """Ask the node heard of least recently, unless unknown ones wait for the same tokens."""
        if self._order and self._order[0][0] < Priority.LINK:
            return
        is_lively = now < self._lively_until
        least_age = 1.0 if is_lively else self._config.refresh_age
        oldest = self._oldest(near=is_lively and self._near_turn)
        self._near_turn = not self._near_turn
        if oldest is None or oldest.best is None or max(oldest.heard, oldest.asked) + least_age > now:
            return
        if self._bucket.take(now):
            oldest.asked = now
            self._asker.peers(node_target(oldest, oldest.best.path), now, page=oldest.page)

    def _oldest(self, *, near: bool) -> Node | None:
        """Find the node heard of least recently; if `near`, among peers and half-read lists of peers."""
        oldest, oldest_time = None, _NEVER
        for node in self._graph.nodes.values():
            if node.best and (time := max(node.heard, node.asked)) < oldest_time:
                if near and not node.page and node.best.path != node.best.first_hop:
                    continue
                oldest, oldest_time = node, time
        return oldest

    def _keyspace(self, now: float) -> None:
        """Look for neighbours: ask the closest nodes for ourselves, and others for a gap in a bucket."""
        root = self._graph.root
        reachable = [node for node in self._graph.nodes.values() if node.best]
        if not reachable or not self._bucket.take(now):
            return
        self._keyspace_turn += 1
        if self._keyspace_turn % 2:
            reachable.sort(key=lambda node: node.position ^ root.position)
            node = reachable[self._keyspace_turn // 2 % min(_CLOSEST, len(reachable))]
            wanted = root.address
        else:
            node = reachable[int.from_bytes(self._entropy(2)) % len(reachable)]
            wanted = flip_bit(node.address, bucket(root.position, node.position))
        if node.best:
            self._asker.find(node_target(node, node.best.path), wanted, now)

    def _read_entry(self, query: Query, node: Node | None, entry: NodeEntry, label: int, now: float) -> None:
        target = self.entry_target(query.target.path, entry)
        if target is None:
            return
        link = node.links.get(label) if node else None
        if link and link.child.address == target.address:
            if link.is_suspect and now - link.seen > _SUSPECT_RETEST:
                self._want_quietly(target, Priority.LINK, now)
            return
        if link:
            self._graph.remove_link(link)
        known = self._graph.nodes.get(target.address)
        if known is None:
            self._rumours.heard(target)
            if self._is_worth_it(target) or (query.page and label == query.page):
                self._want_unknown(target, now)
        elif node and (route := _route_around(self._graph, node, known)):
            path = splice(entry.label, route.path)
            if path != INVALID_LABEL:
                self._want_quietly(replace(target, path=straighten(self._graph, path)), Priority.LINK, now)

    def _drop_unlisted(self, query: Query, node: Node, labels: set[int], *, is_complete: bool) -> None:
        """Drop the suspect links of a node which it no longer names among its peers."""
        first = hop_label(node.scheme, query.page) if query.page > SELF_LABEL else 0
        last = (1 << 60) if is_complete else max(labels, default=0)
        for label, link in list(node.links.items()):
            if link.is_suspect and first <= label <= last and label not in labels:
                self._graph.remove_link(link)

    def _is_worth_it(self, target: Target) -> bool:
        cost = label_bits(target.path) * FAR_COST_PER_BIT
        return not self._capacity.is_overfull() and self._capacity.would_admit(
            position_of(target.address), cost
        )

    def _want_unknown(self, target: Target, now: float) -> bool:
        is_near = self._capacity.is_short_of(position_of(target.address))
        return self._want_quietly(target, Priority.NEAR if is_near else Priority.UNKNOWN, now)

    def _want_quietly(self, target: Target, priority: Priority, now: float) -> bool:
        return self._quiet.get(target.path, 0.0) <= now and self.want(target, priority)

    def _hush(self, path: int, until: float) -> None:
        self._quiet.pop(path, None)
        if len(self._quiet) >= _QUIET_PATHS:
            del self._quiet[next(iter(self._quiet))]
        self._quiet[path] = until

    def _interval(self, now: float) -> float:
        return self._config.lively_interval if now < self._lively_until else self._config.upkeep_interval


def _route_around(graph: LinkGraph, node: Node, child: Node) -> Route | None:
    """Find a route to `node` that does not pass `child`: only over such a one is a link to it of use."""
    for route in (node.best, node.alternative):
        if route and child not in (link.child for link in graph.walk(route.path).links):
            return route
    return None
