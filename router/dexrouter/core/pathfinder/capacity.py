"""What is forgotten when the graph is full (spec 05 §5.5).

Never: direct peers and nodes in use. Else the first of

1. nodes that cannot be reached,
2. the worst of those which neither lead to another node nor are among the best `BUCKET_KEEP` of their bucket:
   the one at the most expensive path,
3. the most expensive node that leads to no other.

So three things stay: the neighbourhood (paths in it are the shortest), a few nodes of every bucket (any
search gets closer), and what is in use. When the links are too many, the oldest of those that no best path
needs goes.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.graph import Link, LinkGraph, Node
from dexrouter.core.pathfinder.keyspace import bucket
from dexrouter.crypto.keys import Address

__all__ = ["BUCKET_KEEP", "SLACK", "Capacity"]

BUCKET_KEEP: Final = 4
"""Nodes of each bucket that are kept before all others (spec 05 §5.5)."""

SLACK: Final = 32
"""Nodes above the bound that may enter between two computations of the routes."""

_UNREACHABLE: Final = 1 << 40
"""Cost of a node without a path, above every real cost."""


class Capacity:
    """The bounds of one graph. `enforce` follows each computing of the routes; till then its counts hold."""

    def __init__(self, graph: LinkGraph, config: PathfinderConfig) -> None:
        self._graph = graph
        self._config = config
        self._buckets: Counter[int] = Counter()
        self._worst_cost = _UNREACHABLE
        """Cost of the node that would go next; everything is admitted while there is room."""

    def is_overfull(self) -> bool:
        """Whether even the slack is used up: nothing new until the next `enforce`."""
        limit = self._config.max_nodes + self._config.max_wanted + len(self._graph.root.links)
        return len(self._graph.nodes) >= limit + SLACK

    def would_admit(self, position: int, cost: int) -> bool:
        """Whether a node at this position and path cost is worth a query: it would be kept."""
        return cost < self._worst_cost or self.is_short_of(position)

    def is_short_of(self, position: int) -> bool:
        """Whether too few nodes are known in the bucket of this position: searches depend on these."""
        return self._buckets[bucket(self._graph.root.position, position)] < BUCKET_KEEP

    def enforce(self) -> None:
        """Evict until nodes and links are within their bounds.

        What is evicted is not dead: paths that led through it still work. So the routes need not be computed
        again, unless a node went that others were reached through.
        """
        graph = self._graph
        needs_routes = graph.is_dirty
        protected = self._protected()
        excess = len(graph.nodes) - len(protected) - self._config.max_nodes
        if excess >= 0:
            for node in [
                node for node in graph.nodes.values() if not (node.best or node.address in protected)
            ]:
                graph.remove_node(node)
                excess -= 1
        if excess >= 0:
            victims = self._victims(protected, excess + 1)
            for node in victims[:excess]:
                needs_routes |= any(
                    link.child.best and link.child.best.link is link for link in node.links.values()
                )
                graph.remove_node(node)
            self._worst_cost = _cost(victims[-1]) if victims else 0
        else:
            self._worst_cost = _UNREACHABLE
        excess = graph.link_count - self._config.max_links
        if excess > 0:
            for link in self._spare_links()[:excess]:
                graph.remove_link(link)
        graph.is_dirty = needs_routes
        root = graph.root.position
        self._buckets = Counter(bucket(root, node.position) for node in graph.nodes.values())

    def _protected(self) -> set[Address]:
        protected = {link.child.address for link in self._graph.root.links.values()}
        protected.update(node.address for node in self._graph.nodes.values() if node.is_wanted)
        return protected

    def _victims(self, protected: set[Address], count: int) -> list[Node]:
        """Give that many nodes (fewer if there are not so many), the first to go first."""
        graph = self._graph
        root = graph.root.position
        leading = {
            node.best.link.parent.address
            for node in graph.nodes.values()
            if node.best and not node.best.link.is_far
        }
        kept: Counter[int] = Counter()
        ranked: list[tuple[int, int, Node]] = []
        for order, node in enumerate(sorted(graph.nodes.values(), key=_cost)):
            number = bucket(root, node.position)
            kept[number] += 1
            if node.address in protected:
                continue
            if node.address in leading:
                ranked.append((3, -order, node))
            elif kept[number] > BUCKET_KEEP:
                ranked.append((1, -order, node))
            else:
                ranked.append((2, -order, node))
        ranked.sort(key=lambda entry: entry[:2])
        return [node for _, _, node in ranked[:count]]

    def _spare_links(self) -> list[Link]:
        used = {node.best.link for node in self._graph.nodes.values() if node.best}
        root = self._graph.root
        spare = [link for link in self._graph.links() if link not in used and link.parent is not root]
        return sorted(spare, key=lambda link: link.seen)


def _cost(node: Node) -> int:
    return node.best.cost if node.best else _UNREACHABLE
