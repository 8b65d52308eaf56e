"""Meshes of pathfinders: how fast all pairs find working paths, and how they keep them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dexrouter.core.pathfinder.pathfinder import PathfinderConfig
from tests.sim.labelmesh import LabelMesh, Member, grid, line, random_mesh, ring, star

SHAPES: list[tuple[str, Callable[[LabelMesh], list[Member]], float]] = [
    ("two", lambda mesh: line(mesh, 2), 1.0),
    ("line of five", lambda mesh: line(mesh, 5), 2.0),
    ("line of twelve", lambda mesh: line(mesh, 12), 4.0),
    ("ring of six", lambda mesh: ring(mesh, 6), 2.0),
    ("grid of 5 by 5", lambda mesh: grid(mesh, 5, 5), 3.0),
    ("star of fifty", lambda mesh: star(mesh, 50), 8.0),
    ("random forty", lambda mesh: random_mesh(mesh, 40, 3.0), 8.0),
]
"""Name, builder, and seconds within which all pairs shall have working paths without any search."""


@pytest.mark.parametrize(
    ("build", "limit"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_pairs_find_paths(build: Callable[[LabelMesh], list[Member]], limit: float, seed: int) -> None:
    """Every node has a working path, there and back, to every other one, and keeps it."""
    mesh = LabelMesh(seed)
    build(mesh)
    assert mesh.run_until(mesh.all_reach, limit=limit) is not None
    mesh.run(10.0)
    assert mesh.all_reach()
    for member in mesh.members:
        assert not member.pathfinder.drops


def test_paths_are_the_shortest_in_a_small_mesh() -> None:
    """When all is known, the paths have as few hops as there can be."""
    mesh = LabelMesh(3)
    members = grid(mesh, 4, 4)
    mesh.run(20.0)
    for one in members:
        distance = mesh.distance(one)
        for other in members:
            if one is not other:
                assert mesh.hops(one, other) == distance[other.number]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cut_that_nobody_notices_is_routed_around(seed: int) -> None:
    """A link of a ring goes silent without any sign: paths in use are replaced within seven seconds."""
    mesh = LabelMesh(seed)
    members = ring(mesh, 6)
    mesh.want_all()
    mesh.run(15.0)
    assert mesh.all_reach()
    mesh.cut(members[1], members[2])
    assert mesh.run_until(mesh.all_reach, limit=7.0) is not None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_dead_node_is_routed_around(seed: int) -> None:
    """A node of a ring dies: the others reach each other the other way round within seven seconds."""
    mesh = LabelMesh(seed)
    members = ring(mesh, 6)
    mesh.want_all()
    mesh.run(15.0)
    mesh.kill(members[2], notice_after=20.0)
    assert mesh.run_until(mesh.all_reach, limit=7.0) is not None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_restarted_node_with_other_interfaces_is_found_again(seed: int) -> None:
    """The middle of a line comes back with its interfaces swapped: all pairs again within five seconds."""
    mesh = LabelMesh(seed)
    members = line(mesh, 5)
    mesh.want_all()
    mesh.run(15.0)
    mesh.kill(members[2])
    mesh.run(3.0)
    mesh.restart(members[2], order=[members[3], members[1]])
    mesh.want_all()
    assert mesh.run_until(mesh.all_reach, limit=5.0) is not None


def test_a_lossy_mesh_converges_and_stays() -> None:
    """With a twentieth of the packets lost on each hop all pairs are found, and no path is given up."""
    mesh = LabelMesh(2, loss=0.05)
    line(mesh, 5)
    mesh.want_all()
    assert mesh.run_until(mesh.all_reach, limit=6.0) is not None
    for _ in range(40):
        mesh.run(1.0)
        assert mesh.all_reach()


def test_partition_and_healing() -> None:
    """Two halves lose each other and, when the bridge is back, find each other again."""
    mesh = LabelMesh(4)
    members = line(mesh, 6)
    mesh.want_all()
    mesh.run(10.0)
    mesh.cut(members[2], members[3], notice_after=1.0)
    mesh.run(30.0)
    assert members[0].session_path(members[5].address, mesh.now) is None
    assert mesh.reaches(members[0], members[2])
    mesh.join(members[2], members[3])
    mesh.want_all()
    assert mesh.run_until(mesh.all_reach, limit=5.0) is not None


def test_nodes_that_come_and_go() -> None:
    """Every few seconds a node of a mesh restarts; between the restarts all pairs reach each other."""
    mesh = LabelMesh(5)
    members = random_mesh(mesh, 16, 3.5)
    mesh.want_all()
    mesh.run(10.0)
    for round_number in range(5):
        victim = members[mesh.random.randrange(len(members))]
        mesh.kill(victim)
        mesh.run(2.0)
        mesh.restart(victim)
        mesh.want_all()
        assert mesh.run_until(mesh.all_reach, limit=15.0) is not None, round_number


def test_the_steady_state_is_below_five_queries_a_second() -> None:
    """A node of a settled mesh of 20, every pair in use, sends fewer than five queries a second."""
    mesh = LabelMesh(6)
    members = random_mesh(mesh, 20, 3.0)
    mesh.want_all()
    mesh.run(30.0)
    before = mesh.messages
    mesh.run(15.0)
    assert (mesh.messages - before) / 2 / 15 / len(members) < 5


def test_a_mesh_larger_than_the_store_is_searched() -> None:
    """With room for 12 nodes, a mesh of 60 is still reached by searches, over paths that are not long."""
    mesh = LabelMesh(7, config=PathfinderConfig(max_nodes=12))
    members = random_mesh(mesh, 60, 4.0)
    mesh.run(20.0)
    pairs = [mesh.random.sample(members, 2) for _ in range(40)]
    for one, other in pairs:
        mesh.search(one, other)
    mesh.run(10.0)
    assert all(mesh.reaches(one, other) for one, other in pairs)
    stretch = sorted((mesh.hops(one, other) or 99) / mesh.distance(one)[other.number] for one, other in pairs)
    assert stretch[len(stretch) // 2] <= 1.3
    for member in members:
        counters = member.pathfinder.counters()
        assert counters["nodes"] <= 12 + counters["peers"] + counters["wanted"] + 32


def test_the_same_seed_gives_the_same_course() -> None:
    """Every message, in every order, is decided by the seed."""

    def course(seed: int) -> tuple[int, list[tuple[int, int | None]]]:
        mesh = LabelMesh(seed, loss=0.02)
        random_mesh(mesh, 12, 3.0)
        mesh.run(8.0)
        paths = [(one.number, one.session_path(other.address, mesh.now)) for one, other in mesh.pairs()]
        return mesh.messages, paths

    assert course(8) == course(8)
    assert course(8) != course(9)
