"""One run: start a mesh, let hosts ping each other, do it harm if asked to, measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from resource import RUSAGE_SELF, getrusage
from statistics import median

from dexrouter.sim.shapes import SHAPES, Edge, distances, neighbours
from dexrouter.sim.world import Wires, World
from dexrouter.wire.labels import MAX_PATH_BITS

__all__ = ["MOST_HOPS", "Plan", "Result", "run"]

_STEP = 0.1
_PING_EVERY = 1.0
_LIVELY_PING_EVERY = 0.5
_UNHEARD = 99.0

MOST_HOPS = MAX_PATH_BITS // 4
"""Hops of the longest path: each takes at least four bits of the label."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. Times are seconds of the virtual clock."""

    shape: str = "random"
    nodes: int = 10
    seed: int = 1
    pairs: int = 100
    """Pairs of hosts that ping each other, drawn by chance; all ordered pairs if there are no more."""

    quiet: float = 0.0
    """Time between the start of the nodes and the first ping."""

    limit: float = 30.0
    """Time for the pairs to reach each other."""

    settle: float = 20.0
    """Time for better paths to be found, before these are measured."""

    wires: Wires = field(default_factory=Wires)
    partition: float = 0.0
    """If not 0: so long the mesh is cut in two; then the pairs have `limit` to find each other again."""

    restarts: int = 0
    """Nodes that are stopped one after another, each for two seconds; then as above."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    plan: Plan
    wires: int
    pairs: int
    reached: int
    """Pairs with an echo reply within the limit."""

    too_far: int
    """Pairs with more hops between them than a label can hold (`MOST_HOPS`)."""

    first_median: float
    """Seconds from the first ping to its first reply, over the pairs that reached."""

    first_worst: float
    stretch_median: float
    """Hops of the path in use divided by those of the shortest one."""

    stretch_worst: float
    datagrams: float
    """Per node and second, while the pairs ping each other."""

    quiet_datagrams: float
    """Per node and second before the first ping."""

    memory: float
    """KiB per node: growth of the process from before the mesh to the end."""

    again: int | None
    """Pairs that reach each other again after the harm; None if there was none."""

    again_worst: float


def run(plan: Plan) -> Result:
    """Carry out a plan."""
    chance = Random(plan.seed)  # noqa: S311 - a run is to be repeated from its seed
    edges = SHAPES[plan.shape](plan.nodes, chance)
    before = _memory()
    world = World(plan.nodes, edges, seed=plan.seed, wires=plan.wires)
    for number in range(plan.nodes):
        world.start(number)
    world.run(plan.quiet)
    quiet_datagrams = world.datagrams()
    pairs = _pairs(plan, chance)
    first = _ping_until_reached(world, pairs, plan.limit)
    _keep_pinging(world, pairs, plan.settle)
    near = neighbours(edges)
    stretches = sorted(_stretches(world, near, [pair for pair in pairs if pair in first]))
    active = world.datagrams() - quiet_datagrams
    elapsed = world.now - plan.quiet
    again = None
    if plan.partition or plan.restarts:
        _harm(world, edges, plan, chance, pairs)
        again = _ping_until_reached(world, pairs, plan.limit)
    times = sorted(first.values())
    return Result(
        plan=plan,
        wires=len(edges),
        pairs=len(pairs),
        reached=len(first),
        too_far=_too_far(near, pairs),
        first_median=median(times) if times else _UNHEARD,
        first_worst=times[-1] if times else _UNHEARD,
        stretch_median=median(stretches) if stretches else 0.0,
        stretch_worst=stretches[-1] if stretches else 0.0,
        datagrams=active / plan.nodes / max(elapsed, _STEP),
        quiet_datagrams=quiet_datagrams / plan.nodes / plan.quiet if plan.quiet else 0.0,
        memory=max(_memory() - before, 0) / plan.nodes,
        again=None if again is None else len(again),
        again_worst=max(again.values(), default=_UNHEARD) if again is not None else 0.0,
    )


def _pairs(plan: Plan, chance: Random) -> list[tuple[int, int]]:
    count = plan.nodes
    if count * (count - 1) <= plan.pairs:
        return [(one, other) for one in range(count) for other in range(count) if one != other]
    drawn: dict[tuple[int, int], None] = {}
    while len(drawn) < plan.pairs:
        one, other = chance.sample(range(count), 2)
        drawn[one, other] = None
    return list(drawn)


def _ping_until_reached(
    world: World, pairs: list[tuple[int, int]], limit: float
) -> dict[tuple[int, int], float]:
    """Ping until each pair had a reply, or until the limit; gives the times of the first replies."""
    start = world.now
    world.forget_replies()
    first: dict[tuple[int, int], float] = {}
    next_ping = start
    while len(first) < len(pairs) and world.now - start < limit:
        if world.now >= next_ping:
            next_ping += _LIVELY_PING_EVERY
            for pair in pairs:
                if pair not in first:
                    world.ping(*pair)
        world.run(_STEP)
        for pair in pairs:
            if pair not in first and (time := world.first_reply(*pair)) is not None:
                first[pair] = time - start
    return first


def _keep_pinging(world: World, pairs: list[tuple[int, int]], seconds: float) -> None:
    end = world.now + seconds
    while world.now < end:
        for pair in pairs:
            world.ping(*pair)
        world.run(_PING_EVERY)


def _stretches(world: World, near: dict[int, list[int]], pairs: list[tuple[int, int]]) -> list[float]:
    shortest: dict[int, dict[int, int]] = {}
    found = []
    for source, target in pairs:
        if source not in shortest:
            shortest[source] = distances(near, source)
        hops = world.hops(source, target)
        if hops is not None:
            found.append(hops / shortest[source][target])
    return found


def _too_far(near: dict[int, list[int]], pairs: list[tuple[int, int]]) -> int:
    hops = {source: distances(near, source) for source in {source for source, _ in pairs}}
    return sum(hops[source][target] > MOST_HOPS for source, target in pairs)


def _harm(world: World, edges: list[Edge], plan: Plan, chance: Random, pairs: list[tuple[int, int]]) -> None:
    """Cut the mesh in two for a while, and stop nodes for a moment, while the hosts go on pinging."""
    if plan.partition:
        half = plan.nodes // 2
        world.cut(edge for edge in edges if (edge[0] < half) != (edge[1] < half))
        _keep_pinging(world, pairs, plan.partition)
        world.mend()
    for _ in range(plan.restarts):
        victim = chance.randrange(plan.nodes)
        world.stop(victim)
        _keep_pinging(world, pairs, 2.0)
        world.start(victim)
        _keep_pinging(world, pairs, 1.0)


def _memory() -> int:
    """KiB that this process has needed at most until now."""
    return getrusage(RUSAGE_SELF).ru_maxrss
