"""Nodes that others have named, one hop beyond what we know ourselves.

Nothing here is believed: it is where a search begins, and where a shorter way is looked for. At most
`MOST_RUMOURS` are kept; the one heard first makes room. Of several paths to one node the shortest stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from typing import Final

from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.queries import Target
from dexrouter.crypto.keys import Address

__all__ = ["Rumours"]

MOST_RUMOURS: Final = 384


class Rumours:
    """Named nodes by address."""

    def __init__(self) -> None:
        self._targets: dict[Address, Target] = {}

    def __len__(self) -> int:
        return len(self._targets)

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def get(self, address: Address) -> Target | None:
        """Where a node is said to be."""
        return self._targets.get(address)

    def heard(self, target: Target) -> None:
        """Note where a node is said to be."""
        known = self._targets.pop(target.address, None)
        if known and known.path < target.path:
            target = known
        elif known is None and len(self._targets) >= MOST_RUMOURS:
            del self._targets[next(iter(self._targets))]
        self._targets[target.address] = target

    def closest(self, position: int, count: int) -> list[Target]:
        """Give the named nodes closest to a position in the keyspace."""
        return nsmallest(count, self._targets.values(), key=lambda one: position_of(one.address) ^ position)

    def is_false(self, target: Target) -> None:
        """Forget a node that did not answer where it was said to be."""
        if self._targets.get(target.address) == target:
            del self._targets[target.address]
