"""Shortening the path to a node that a search has found.

The first path is usually a detour: distance in the keyspace says nothing about distance in the mesh. So the
nodes around the target are asked for their peers, over the detour, until one shows up that we know a shorter
way to. From that one the same nodes are asked again, back towards the target, each over the new way; the
target's own answer over it makes it a path.

Bounds: `MOST_QUESTIONS` questions, `MOST_NEAR` nodes around the target, `DEPTH` hops from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.queries import Target
from dexrouter.core.pathfinder.rumours import Rumours
from dexrouter.crypto.keys import Address
from dexrouter.wire.labels import label_bits

__all__ = ["Approach"]

MOST_QUESTIONS: Final = 16
MOST_NEAR: Final = 96
DEPTH: Final = 2
_HOP_BITS: Final = 4
"""Least bits of a hop: what a node so many hops from the target costs at least."""


class Approach:
    """The nodes around one target, and whom to ask next."""

    def __init__(self, graph: LinkGraph, rumours: Rumours, target: Target) -> None:
        self._graph = graph
        self._rumours = rumours
        self._bits = label_bits(target.path)
        """Length of the best path that works."""
        self._distance: dict[Address, int] = {target.address: 0}
        """Hops to the target, of nodes around it."""
        self._towards: list[Target] = []
        """On a shorter way, next one last."""
        self._outwards: list[Target] = [target]
        """Around the target, next one first."""
        self._asked: set[tuple[Address, int]] = set()
        self._left = MOST_QUESTIONS

    def reached(self, path: int) -> None:
        """Note that the target has answered over this path."""
        self._bits = min(self._bits, label_bits(path))

    def next(self) -> Target | None:
        """Whom to ask for its peers now."""
        while self._left and (self._towards or self._outwards):
            target = self._towards.pop() if self._towards else self._outwards.pop(0)
            if (target.address, target.path) not in self._asked:
                self._asked.add((target.address, target.path))
                self._left -= 1
                return target
        return None

    @property
    def has_more(self) -> bool:
        """Whether `next` may give somebody."""
        return bool(self._left and (self._towards or self._outwards))

    def answered(self, answerer: Target, peers: Iterable[Target]) -> None:
        """Read whom a node names as its peers."""
        here = self._distance.get(answerer.address)
        if here is None:
            return
        for peer in peers:
            there = self._distance.get(peer.address)
            if there is None and here < DEPTH and len(self._distance) < MOST_NEAR:
                self._distance[peer.address] = here + 1
                self._meet(peer, here + 1)
            elif there is not None and 0 < there < here and self._is_gain(peer.path, there):
                self._towards.append(peer)

    def _meet(self, peer: Target, distance: int) -> None:
        """Take a new node around the target: go from it if we know a shorter way there, else look behind."""
        known = self._way_to(peer.address)
        if known and self._is_gain(known.path, distance):
            self._towards.append(known)
        elif distance < DEPTH:
            self._outwards.append(peer)

    def _way_to(self, address: Address) -> Target | None:
        node = self._graph.nodes.get(address)
        if node and node.best:
            return Target(node.key, node.address, node.version, node.best.path)
        return self._rumours.get(address)

    def _is_gain(self, path: int, distance: int) -> bool:
        return label_bits(path) + distance * _HOP_BITS < self._bits
