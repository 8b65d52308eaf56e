"""Searches: finding a path to an address that is not in the graph (spec 05 §6.3).

A search asks the closest known nodes for nodes that are closer still, three at a time, until the target
itself has answered. Then it goes on a little, with nodes spread over the neighbourhood: whoever knows the
target offers a path, and the shortest that works is kept. The first path is often a detour, because distance
in the keyspace says nothing about distance in the mesh.

Bounds: `MOST_REQUESTS` queries a search, `max_searches` searches (the oldest ends), `MOST_CANDIDATES`
candidates, `MOST_PATHS` paths tried. A failed search for an address is not repeated before a pause that
doubles up to `LONGEST_PAUSE`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.crawl import Crawl, node_target
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.queries import Query, Target
from dexrouter.crypto.keys import Address
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.labels import label_bits

__all__ = ["Search", "Searches"]

MOST_REQUESTS: Final = 20
REFINING_REQUESTS: Final = 12
"""Of these, at most so many after the target has answered."""

PARALLEL: Final = 3
FIRST_CANDIDATES: Final = 8
MOST_CANDIDATES: Final = 64
MOST_PATHS: Final = 6
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0


class Search:
    """One search under way."""

    __slots__ = (
        "asked",
        "candidates",
        "found_bits",
        "in_flight",
        "paths",
        "position",
        "refining",
        "requests",
        "target",
        "tried",
    )

    def __init__(self, target: Address) -> None:
        self.target = target
        self.position = position_of(target)
        self.candidates: dict[Address, Target] = {}
        self.asked: set[Address] = {target}
        self.requests = 0
        self.in_flight = 0
        self.paths: dict[int, Target] = {}
        """Paths to the target that others have named, not yet tried."""
        self.tried: set[int] = set()
        """The same paths, and those that were tried."""
        self.found_bits = 0
        """Length of the shortest path that works; 0 while none does."""
        self.refining: list[Target] | None = None
        """Whom to ask for a shorter path, next one last; made when the target has answered."""


class Searches:
    """All searches of one pathfinder."""

    def __init__(self, graph: LinkGraph, asker: Asker, config: PathfinderConfig, now: float) -> None:
        self._graph = graph
        self._asker = asker
        self._config = config
        self._bucket = TokenBucket(config.search_burst, config.search_rate, now)
        self._running: dict[Address, Search] = {}
        self.started = 0
        """Searches begun, for the counters."""

    def __len__(self) -> int:
        return len(self._running)

    def start(self, address: Address, now: float) -> None:
        """Search an address, unless that is already being done."""
        if address in self._running or address == self._graph.root.address:
            return
        if len(self._running) >= self._config.max_searches:
            del self._running[next(iter(self._running))]
        search = Search(address)
        reachable = [node for node in self._graph.nodes.values() if node.best and node.address != address]
        reachable.sort(key=lambda node: node.position ^ search.position)
        for node in reachable[:FIRST_CANDIDATES]:
            if node.best:
                search.candidates[node.address] = node_target(node, node.best.path)
        known = self._graph.nodes.get(address)
        if known and known.best and not known.best.link.is_suspect:
            search.found_bits = label_bits(known.best.path)
        self._running[address] = search
        self.started += 1
        self.tick(now)

    def is_running(self, address: Address) -> bool:
        """Whether this address is being searched."""
        return address in self._running

    def answered(self, crawl: Crawl, query: Query, entries: Iterable[NodeEntry], now: float) -> None:
        """Read the answer to an `fn` of a search."""
        search = self._running.get(query.search) if query.search else None
        if search is None:
            return
        if not query.is_late:
            search.in_flight -= 1
        answerer = position_of(query.target.address) ^ search.position
        for entry in entries:
            target = crawl.entry_target(query.target.path, entry)
            if target is None:
                continue
            if target.address == search.target:
                _named(search, target)
            elif (
                position_of(target.address) ^ search.position < answerer
                and target.address not in search.asked
            ):
                _add_candidate(search, target)
        self.tick(now)

    def unanswered(self, query: Query, now: float) -> None:
        """Go on after a query of a search without an answer."""
        search = self._running.get(query.search) if query.search else None
        if search:
            search.in_flight -= 1
            self.tick(now)

    def reached(self, address: Address, path: int, query: Query, now: float) -> None:
        """Note that a node has answered over this path: perhaps the target of a search."""
        search = self._running.get(address)
        if search is None:
            return
        if query.search == address and not query.is_late:
            search.in_flight -= 1
        bits = label_bits(path)
        search.found_bits = min(search.found_bits or bits, bits)
        if search.refining is None:
            search.refining = self._refiners(search)
        self.tick(now)

    def tick(self, now: float) -> None:
        """Send what may be sent; end the searches that are done."""
        for search in list(self._running.values()):
            self._advance(search, now)
            if _is_done(search):
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
                target = search.paths.pop(path)
                search.in_flight += self._asker.try_path(target, now, search=search.target)
                continue
            if not _has_questions(search) or not self._bucket.take(now):
                return
            asked = _next_to_ask(search)
            search.requests += 1
            search.asked.add(asked.address)
            search.in_flight += self._asker.find(asked, search.target, now, search=search.target)

    def _refiners(self, search: Search) -> list[Target]:
        """Choose whom to ask for a shorter path: the nodes at the rim of what we know, spread over it."""
        rim = [node for node in self._graph.nodes.values() if node.best and node.address not in search.asked]
        rim.sort(key=lambda node: node.best.cost if node.best else 0)
        count = min(REFINING_REQUESTS, MOST_REQUESTS - search.requests)
        return [node_target(node, node.best.path) for node in rim[-count:] if node.best] if count > 0 else []


def _named(search: Search, target: Target) -> None:
    """Somebody has named a path to the target."""
    if target.path in search.tried or len(search.tried) >= MOST_PATHS:
        return
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
    if search.requests >= MOST_REQUESTS:
        return False
    return bool(search.candidates if search.refining is None else search.refining)


def _next_to_ask(search: Search) -> Target:
    if search.refining is not None:
        return search.refining.pop()
    closest = min(search.candidates.values(), key=lambda one: position_of(one.address) ^ search.position)
    return search.candidates.pop(closest.address)


def _is_done(search: Search) -> bool:
    return not search.in_flight and _shortest_untried(search) is None and not _has_questions(search)
