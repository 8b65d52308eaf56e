"""Shapes of meshes: which node has a wire to which other one. Pure; numbers stand for nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import isqrt
from random import Random
from typing import Final

__all__ = ["SHAPES", "Edge", "distances", "grid", "line", "neighbours", "random_mesh", "ring", "small_world"]

Edge = tuple[int, int]
"""Two nodes with a wire between them; the first one calls the second one."""

MEAN_DEGREE: Final = 4.0
"""Wires of a node in the random shapes, on average."""

_REWIRED: Final = 0.1
"""Part of the wires of a small world that lead somewhere else than to a neighbour."""


def line(count: int, _: Random) -> list[Edge]:
    """Give a row: the worst case for the length of paths."""
    return [(number, number - 1) for number in range(1, count)]


def ring(count: int, chance: Random) -> list[Edge]:
    """Give a circle: every node is reached two ways."""
    return [*line(count, chance), (0, count - 1)] if count > 2 else line(count, chance)


def grid(count: int, _: Random) -> list[Edge]:
    """Give rows and columns, as square as the count allows."""
    width = max(isqrt(count), 1)
    across = [(number, number - 1) for number in range(count) if number % width]
    return across + [(number, number - width) for number in range(width, count)]


def random_mesh(count: int, chance: Random) -> list[Edge]:
    """Give a tree drawn by chance and so many wires more that a node has four on average."""
    edges = {(number, chance.randrange(number)) for number in range(1, count)}
    most = count * (count - 1) // 2
    while len(edges) < min(int(count * MEAN_DEGREE / 2), most):
        one, other = chance.sample(range(count), 2)
        edges.add((max(one, other), min(one, other)))
    return sorted(edges)


def small_world(count: int, chance: Random) -> list[Edge]:
    """Give a circle with wires to the next and the one after next, a tenth of these rewired by chance."""
    near = ring(count, chance)
    edges = {(max(edge), min(edge)) for edge in near}
    for number in range(count if count > 4 else 0):
        other = (number + 2) % count
        if chance.random() < _REWIRED:
            other = chance.randrange(count)
        if other != number:
            edges.add((max(number, other), min(number, other)))
    return sorted(edges)


SHAPES: Final[dict[str, Callable[[int, Random], list[Edge]]]] = {
    "line": line,
    "ring": ring,
    "grid": grid,
    "random": random_mesh,
    "small-world": small_world,
}


def neighbours(edges: Iterable[Edge]) -> dict[int, list[int]]:
    """List the nodes at the other ends of each node's wires."""
    found: dict[int, list[int]] = {}
    for one, other in edges:
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return found


def distances(near: dict[int, list[int]], start: int) -> dict[int, int]:
    """Count the hops from one node to all that can be reached."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        number = queue.popleft()
        for other in near.get(number, ()):
            if other not in found:
                found[other] = found[number] + 1
                queue.append(other)
    return found
