"""Meshes of whole nodes: the same core as behind sockets, on the simulator's clock and wires."""

from __future__ import annotations

from random import Random

import pytest

from dexrouter.core.peer import Peer
from dexrouter.core.peer_table import PeerTable
from dexrouter.sim.__main__ import main
from dexrouter.sim.experiment import Plan, run
from dexrouter.sim.shapes import SHAPES, distances, neighbours
from dexrouter.sim.world import Wires, World


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("count", [2, 9, 30])
def test_shapes_hang_together(shape: str, count: int) -> None:
    """Every node of a shape can be reached from every other one, no wire is doubled, none leads to itself."""
    edges = SHAPES[shape](count, Random(3))
    assert len({frozenset(edge) for edge in edges}) == len(edges)
    assert all(one != other for one, other in edges)
    assert len(distances(neighbours(edges), 0)) == count


def test_a_line_of_five_is_up_within_five_seconds() -> None:
    """All 20 ordered pairs have answered a ping within 5 s of the start, over shortest paths."""
    result = run(Plan(shape="line", nodes=5, settle=5.0, limit=5.0))
    assert result.reached == result.pairs == 20
    assert result.first_worst < 5.0
    assert result.stretch_median == result.stretch_worst == 1.0


def test_what_no_label_can_name_is_counted_apart() -> None:
    """A label holds 14 hops: of a line of 17 the six pairs that are farther apart cannot reach each other."""
    result = run(Plan(shape="line", nodes=17, pairs=272, settle=0.0, limit=0.0))
    assert (result.pairs, result.too_far) == (272, 6)


@pytest.mark.parametrize("shape", ["grid", "small-world"])
def test_meshes_with_loops_are_up_soon(shape: str) -> None:
    """All pairs of nine nodes reach each other, and nobody takes a long way round."""
    result = run(Plan(shape=shape, nodes=9, settle=10.0, limit=12.0))
    assert result.reached == result.pairs
    assert result.stretch_median == 1.0


def test_bad_wires() -> None:
    """A twentieth of the datagrams lost, some doubled, some overtaken: all pairs reach each other."""
    wires = Wires(loss=0.05, doubled=0.05, late=0.1)
    result = run(Plan(shape="line", nodes=5, settle=2.0, limit=20.0, wires=wires))
    assert result.reached == result.pairs


def test_a_partition_heals() -> None:
    """A line cut in the middle for 30 s: all pairs again within 20 s after it is mended."""
    result = run(Plan(shape="line", nodes=4, settle=3.0, limit=20.0, partition=30.0))
    assert result.again == result.pairs


def test_restarted_nodes_are_found_again() -> None:
    """Nodes that lose all their memory, one after another: all pairs again within 10 s of the last start."""
    result = run(Plan(shape="line", nodes=5, settle=3.0, limit=10.0, restarts=3))
    assert result.again == result.pairs


def test_a_cut_path_in_a_ring_is_replaced() -> None:
    """Without any sign from the link, traffic goes the other way round within seven seconds."""
    edges = SHAPES["ring"](6, Random(1))
    world = World(6, edges, seed=2, wires=Wires())
    for number in range(6):
        world.start(number)
    for _ in range(30):
        world.ping(0, 2)
        world.run(0.5)
    assert world.first_reply(0, 2) is not None
    assert world.hops(0, 2) == 2
    world.cut([(1, 0)])
    world.forget_replies()
    world.run(0.1)
    world.forget_replies()
    for _ in range(14):
        world.ping(0, 2)
        world.run(0.5)
    assert world.first_reply(0, 2) is not None
    assert world.hops(0, 2) == 4


def test_an_end_of_a_cut_wire_that_tells_nobody_holds_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pairs again within four seconds and from then on, though one end keeps sending into the gap."""
    world = World(6, [(number, (number + 1) % 6) for number in range(6)], seed=2, wires=Wires())
    for number in range(6):
        world.start(number)
    stubborn, set_silent = world.node(0), PeerTable.set_silent
    assert stubborn is not None

    def unless_stubborn(table: PeerTable, peer: Peer, *, silent: bool) -> None:
        if stubborn.peering.by_slot is not table.by_slot:
            set_silent(table, peer, silent=silent)

    monkeypatch.setattr(PeerTable, "set_silent", unless_stubborn)
    pairs = [(one, other) for one in range(6) for other in range(6) if one != other]
    dead: list[set[tuple[int, int]]] = []
    for second in range(38):
        if second == 14:
            world.cut([(0, 1)])
        world.forget_replies()
        for pair in pairs:
            world.ping(*pair)
        world.run(1.0)
        dead.append({pair for pair in pairs if world.first_reply(*pair) is None})
    assert (0, 1) in dead[14]
    assert not [failed for failed in dead[18:] if failed]


def test_the_same_seed_gives_the_same_course() -> None:
    """Every datagram follows from the seed."""

    def course(seed: int) -> int:
        edges = SHAPES["random"](6, Random(seed))
        world = World(6, edges, seed=seed, wires=Wires(loss=0.1))
        for number in range(6):
            world.start(number)
        world.ping(0, 5)
        world.run(8.0)
        return world.datagrams()

    assert course(4) == course(4)
    assert course(4) != course(5)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each shape and size, exit code 0 if all pairs reached each other."""
    arguments = ["--shape", "line", "ring", "--nodes", "2", "3", "--settle", "1", "--restarts", "1"]
    assert main(arguments) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:4] for row in rows[1:]] == [
        ["line", "2", "1", "2/2"],
        ["line", "3", "2", "6/6"],
        ["ring", "2", "1", "2/2"],
        ["ring", "3", "3", "6/6"],
    ]
    assert main(["--nodes", "2", "--loss", "0.99", "--limit", "1", "--settle", "0"]) == 1
    with pytest.raises(SystemExit):
        main(["--loss", "1"])
    with pytest.raises(SystemExit):
        main(["--nodes", "0"])
