"""Searches: finding a path to an address that is not in the graph (spec 05 §6.3).

A search asks the closest nodes that are known or named for the nodes close to the target, three at a time,
until the target itself has answered. From then on it looks for a shorter way (approach.py). A search that
found nothing is begun again by wanted.py after a pause, and then starts from other nodes as well.

Bounds: `MOST_REQUESTS` queries for closer nodes, `max_searches` searches (the oldest ends), each `LONGEST`
seconds, `MOST_CANDIDATES` candidates, `MOST_PATHS` paths tried at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dexrouter.core.pathfinder.approach import Approach
from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.crawl import Crawl, node_target
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.queries import Purpose, Query, Target
from dexrouter.core.pathfinder.rumours import Rumours
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.labels import label_bits

__all__ = ["Search", "Searches"]

MOST_REQUESTS: Final = 20
PARALLEL: Final = 3
FIRST_CANDIDATES: Final = 8
FIRST_RUMOURS: Final = 4
OTHER_CANDIDATES: Final = 6
"""Nodes taken at random when a search is repeated."""

LONGEST: Final = 20.0
"""Seconds."""

MOST_CANDIDATES: Final = 64
MOST_PATHS: Final = 12


class Search:
    """One search under way."""

    __slots__ = (
        "approach",
        "asked",
        "candidates",
        "found_bits",
        "in_flight",
        "paths",
        "position",
        "requests",
        "target",
        "tried",
        "until",
    )

    def __init__(self, target: Address, now: float) -> None:
        self.target = target
        self.position = position_of(target)
        self.candidates: dict[Address, Target] = {}
        self.asked: set[Address] = {target}
        self.until = now + LONGEST
        """It ends by then, whatever it still waits for."""
        self.requests = 0
        self.in_flight = 0
        self.paths: dict[int, Target] = {}
        """Paths to the target that others have named, not yet tried."""
        self.tried: set[int] = set()
        """The same paths, and those that were tried."""
        self.found_bits = 0
        """Length of the shortest path that works; 0 while none does."""
        self.approach: Approach | None = None
        """The way to a shorter path; made when the target has answered."""


class Searches:
    """All searches of one pathfinder."""

    def __init__(
        self,
        graph: LinkGraph,
        rumours: Rumours,
        asker: Asker,
        config: PathfinderConfig,
        entropy: Entropy,
        now: float,
    ) -> None:
        self._graph = graph
        self._rumours = rumours
        self._asker = asker
        self._config = config
        self._entropy = entropy
        self._bucket = TokenBucket(config.search_burst, config.search_rate, now)
        self._running: dict[Address, Search] = {}
        self.started = 0
        """Searches begun, for the counters."""

    def __len__(self) -> int:
        return len(self._running)

    def start(self, address: Address, now: float, *, is_repeated: bool) -> None:
        """Search an address, unless that is already being done."""
        if address in self._running or address == self._graph.root.address:
            return
        if len(self._running) >= self._config.max_searches:
            del self._running[next(iter(self._running))]
        search = Search(address, now)
        reachable = [node for node in self._graph.nodes.values() if node.best and node.address != address]
        reachable.sort(key=lambda node: node.position ^ search.position)
        first = reachable[:FIRST_CANDIDATES]
        others = reachable[FIRST_CANDIDATES:]
        if is_repeated and others:
            first += [others[byte % len(others)] for byte in self._entropy(OTHER_CANDIDATES)]
        search.candidates = {
            one.address: one for one in self._rumours.closest(search.position, FIRST_RUMOURS)
        }
        for node in first:
            if node.best:
                search.candidates[node.address] = node_target(node, node.best.path)
        search.candidates.pop(address, None)
        if rumour := self._rumours.get(address):
            _named(search, rumour)
        self._running[address] = search
        self.started += 1
        self.tick(now)

    def closed(self, query: Query) -> Search | None:
        """Note that a query is answered, perhaps late; gives the search that it belongs to."""
        search = self._running.get(query.search) if query.search else None
        if search and not query.is_late:
            search.in_flight -= 1
        return search

    def reached(self, query: Query, path: int) -> None:
        """Note that a node has answered over this path: perhaps the target of a search."""
        search = self._running.get(query.target.address)
        if search is None:
            return
        bits = label_bits(path)
        search.found_bits = min(search.found_bits or bits, bits)
        if search.approach is None:
            search.approach = Approach(self._graph, self._rumours, query.target)
        search.approach.reached(path)

    def answered(self, search: Search, crawl: Crawl, query: Query, entries: Iterable[NodeEntry]) -> None:
        """Read the nodes which the answer to a query of this search names."""
        path = query.target.path
        entries = list(entries)
        targets = [target for entry in entries if (target := crawl.entry_target(path, entry))]
        for target in targets:
            if target.address == search.target:
                _named(search, target)
        if query.purpose is Purpose.SEARCH:
            for entry in entries:
                candidate = crawl.nearest_way(path, entry)
                if candidate and candidate.address not in search.asked:
                    _add_candidate(search, candidate)
        elif search.approach:
            search.approach.answered(query.target, targets)

    def unanswered(self, query: Query) -> None:
        """Note that a query of a search was not answered in time."""
        search = self._running.get(query.search) if query.search else None
        if search:
            search.in_flight -= 1
        self._rumours.is_false(query.target)

    def tick(self, now: float) -> None:
        """Send what may be sent, for targets not yet found first; end the searches that are done."""
        for search in sorted(self._running.values(), key=lambda one: one.found_bits > 0):
            self._advance(search, now)
            if _is_done(search) or now >= search.until:
                del self._running[search.target]

    def next_deadline(self, now: float) -> float | None:
        """When a search that waits for a token may go on."""
        if any(search.in_flight < PARALLEL and _has_questions(search) for search in self._running.values()):
            return self._bucket.ready_at(now)
        return None

    def _advance(self, search: Search, now: float) -> None:
        while search.in_flight < PARALLEL:
            path = _shortest_untried(search)
            if path is not None:
                search.in_flight += self._asker.try_path(search.paths.pop(path), now, search=search.target)
                continue
            if not _has_questions(search) or not self._bucket.take(now):
                return
            if search.approach:
                target = search.approach.next()
                if target:
                    search.in_flight += self._asker.peers(target, now, search=search.target)
                continue
            target = _closest(search)
            search.requests += 1
            search.asked.add(target.address)
            search.in_flight += self._asker.find(target, search.target, now, search=search.target)


def _named(search: Search, target: Target) -> None:
    """Somebody has named a path to the target."""
    if target.path not in search.tried and len(search.paths) < MOST_PATHS:
        search.tried.add(target.path)
        search.paths[target.path] = target


def _add_candidate(search: Search, target: Target) -> None:
    """Keep a node to ask; of one node the shortest path, of too many nodes the closest."""
    known = search.candidates.get(target.address)
    if known is None or known.path > target.path:
        search.candidates[target.address] = target
    if len(search.candidates) > MOST_CANDIDATES:
        farthest = max(search.candidates.values(), key=lambda one: position_of(one.address) ^ search.position)
        del search.candidates[farthest.address]


def _shortest_untried(search: Search) -> int | None:
    if not search.paths:
        return None
    path = min(search.paths)
    return None if search.found_bits and label_bits(path) >= search.found_bits else path


def _has_questions(search: Search) -> bool:
    if search.approach:
        return search.approach.has_more
    return bool(search.candidates) and search.requests < MOST_REQUESTS


def _closest(search: Search) -> Target:
    closest = min(search.candidates.values(), key=lambda one: position_of(one.address) ^ search.position)
    return search.candidates.pop(closest.address)


def _is_done(search: Search) -> bool:
    return not search.in_flight and _shortest_untried(search) is None and not _has_questions(search)
