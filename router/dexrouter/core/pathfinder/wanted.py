"""Addresses that sessions want a path to: paths are offered, tested, replaced and searched (spec 04 §6, §7).

Rules:

* An address is wanted from the first request until `wanted_time` after the last; at most `max_wanted` are,
  and the one asked for longest ago makes room.
* A path in use is tested every few seconds. A test that is not answered is repeated at once, and the
  alternative path is tested with it; two misses make the path's links suspect, and the best path another one.
* What sessions were told is remembered, so that they are also told when a path is lost.
* A wanted address without a path is searched, with pauses that double.
"""

from __future__ import annotations

from typing import Final

from dexrouter.core.metric import DHT_PEER, dht_node_metric
from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.crawl import node_target
from dexrouter.core.pathfinder.graph import HOP_COST, LinkGraph, Node
from dexrouter.core.pathfinder.outputs import PathfinderOutput, PathFound, PathLost
from dexrouter.core.pathfinder.queries import Purpose, Query
from dexrouter.core.pathfinder.search import Searches
from dexrouter.crypto.keys import Address
from dexrouter.wire.labels import SELF_LABEL

__all__ = ["WantedAddress", "WantedTable"]

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds between searches for an address that was not found; doubled each time."""

OFFERED_PATHS: Final = 4
"""Paths remembered as offered for one node; the oldest is forgotten."""


class WantedAddress:
    """One address that a session wants."""

    __slots__ = ("address", "next_offer", "next_search", "next_test", "pause", "requested")

    def __init__(self, address: Address, now: float) -> None:
        self.address = address
        self.requested = now
        self.next_offer = now
        self.next_test = now
        self.next_search = now
        self.pause = FIRST_PAUSE


class WantedTable:
    """The addresses, and what the sessions were told."""

    def __init__(
        self,
        graph: LinkGraph,
        asker: Asker,
        searches: Searches,
        outbox: list[PathfinderOutput],
        config: PathfinderConfig,
    ) -> None:
        self._graph = graph
        self._asker = asker
        self._searches = searches
        self._outbox = outbox
        self._config = config
        self._wanted: dict[Address, WantedAddress] = {}
        """In the order of the last request."""

    def __contains__(self, address: Address) -> bool:
        return address in self._wanted

    def __len__(self) -> int:
        return len(self._wanted)

    def request(self, address: Address, now: float) -> None:
        """Serve a session that wants a path: offer what is known, test it, or search."""
        wanted = self._wanted.pop(address, None)
        if wanted is None:
            if len(self._wanted) >= self._config.max_wanted:
                self._end(next(iter(self._wanted)))
            wanted = WantedAddress(address, now)
        self._wanted[address] = wanted
        wanted.requested = now
        node = self._graph.nodes.get(address)
        if node:
            node.is_wanted = True
            self.offer(node, now)
        self._serve(wanted, now)

    def offer(self, node: Node, now: float) -> None:
        """Tell the sessions the paths of a node: the best one last, so that it is the newest."""
        wanted = self._wanted.get(node.address)
        if wanted:
            wanted.next_offer = now + self._config.offer_interval
            wanted.pause = FIRST_PAUSE
        for route in (node.alternative if wanted else None, node.best):
            if route is None or (route is node.alternative and route.link.is_suspect):
                continue
            is_peer = route.path == route.first_hop
            metric = (
                DHT_PEER if is_peer else dht_node_metric(route.cost + HOP_COST * (route is not node.best))
            )
            self._outbox.append(PathFound(node.key, node.address, node.version, route.path, metric))
            others = tuple(path for path in node.offered if path != route.path)
            node.offered = (*others[1 - OFFERED_PATHS :], route.path)
        self._withdraw_suspect(node)

    def changed(self, node: Node, now: float) -> None:
        """Offer the new routes of a node."""
        newest = node.offered[-1] if node.offered else 0
        if node.best and (node.is_wanted or node.best.path != newest):
            self.offer(node, now)

    def withdraw_lost(self, now: float) -> None:
        """Tell the sessions which of the offered paths no longer lead to their nodes."""
        for node in self._graph.nodes.values():
            self._withdraw(node, [path for path in node.offered if not self._leads_there(node, path, now)])
            self._withdraw_suspect(node)

    def answered(self, node: Node, query: Query, now: float) -> None:
        """Note an answer of a wanted node: its path is good, and is offered again when that is due."""
        wanted = self._wanted.get(node.address)
        if wanted is None:
            return
        node.is_wanted = True
        wanted.pause = FIRST_PAUSE
        if query.purpose is Purpose.CHECK:
            wanted.next_test = now + self._test_interval()
        if node.best and (not node.offered or wanted.next_offer <= now):
            self.offer(node, now)

    def unanswered(self, node: Node, query: Query, now: float) -> None:
        """Repeat a test of a path in use that was not answered, and test the alternative with it."""
        wanted = self._wanted.get(node.address)
        if wanted is None:
            return
        if node.best and query.tries < 2:
            self._asker.check(node_target(node, node.best.path), now, tries=query.tries + 1)
        if node.alternative:
            self._asker.check_second(node_target(node, node.alternative.path), now)
        if query.tries >= 1:
            wanted.next_search = min(wanted.next_search, now)

    def tick(self, now: float) -> None:
        """Serve every address that is due; forget those that nobody asks for."""
        for wanted in list(self._wanted.values()):
            if wanted.requested + self._config.wanted_time <= now:
                self._end(wanted.address)
            else:
                self._serve(wanted, now)

    def next_deadline(self) -> float | None:
        """When the next address is due."""
        return min((self._due(wanted) for wanted in self._wanted.values()), default=None)

    def _serve(self, wanted: WantedAddress, now: float) -> None:
        node = self._graph.nodes.get(wanted.address)
        if node and node.best:
            if wanted.next_offer <= now:
                self.offer(node, now)
            if self._is_tested(wanted) and wanted.next_test <= now:
                wanted.next_test = now + self._test_interval()
                if node.heard + 1.0 <= now:
                    self._asker.check(node_target(node, node.best.path), now)
        if (node is None or node.best is None or node.best.link.is_suspect) and wanted.next_search <= now:
            wanted.next_search = now + wanted.pause
            wanted.pause = min(2 * wanted.pause, LONGEST_PAUSE)
            self._searches.start(wanted.address, now, is_repeated=wanted.pause > 2 * FIRST_PAUSE)

    def _due(self, wanted: WantedAddress) -> float:
        node = self._graph.nodes.get(wanted.address)
        due = wanted.requested + self._config.wanted_time
        if node and node.best:
            due = min(due, wanted.next_offer)
            if self._is_tested(wanted):
                due = min(due, wanted.next_test)
        if node is None or node.best is None or node.best.link.is_suspect:
            due = min(due, wanted.next_search)
        return due

    def _is_tested(self, wanted: WantedAddress) -> bool:
        return wanted.next_test < wanted.requested + self._config.probe_time

    def _test_interval(self) -> float:
        return max(self._config.probe_interval, len(self._wanted) / self._config.probe_rate)

    def _leads_there(self, node: Node, path: int, now: float) -> bool:
        walk = self._graph.walk(path)
        return walk.rest == SELF_LABEL and walk.node is node and not self._asker.is_avoided(path, now)

    def _withdraw_suspect(self, node: Node) -> None:
        """Withdraw the paths over suspect links, but not before there is a better one."""
        if node.best and not self._is_suspect(node.best.path):
            self._withdraw(node, [path for path in node.offered if self._is_suspect(path)])

    def _is_suspect(self, path: int) -> bool:
        return any(link.is_suspect for link in self._graph.walk(path).links)

    def _withdraw(self, node: Node, paths: list[int]) -> None:
        for path in paths:
            self._outbox.append(PathLost(node.address, path))
        if paths:
            node.offered = tuple(path for path in node.offered if path not in paths)

    def _end(self, address: Address) -> None:
        del self._wanted[address]
        if node := self._graph.nodes.get(address):
            node.is_wanted = False
