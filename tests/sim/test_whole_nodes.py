"""Meshes of whole nodes: the same core as behind sockets, on the simulator's clock and wires."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from dexrouter.core.metric import DHT_NODE
from dexrouter.core.paths import Path, Paths
from dexrouter.core.peer import Peer
from dexrouter.core.peer_table import PeerTable
from dexrouter.sim.__main__ import main
from dexrouter.sim.experiment import Plan, run
from dexrouter.sim.shapes import SHAPES, distances, neighbours
from dexrouter.sim.world import Wires, World
from dexrouter.wire.labels import SELF_LABEL, splice


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


class StuckPaths(Paths):
    """The paths of a stock session: it keeps to the one that set it up."""

    def __init__(self, label: int) -> None:
        super().__init__()
        self.stuck = Path(label, DHT_NODE, 0.0)
        self._rank(0.0)

    def _rank(self, now: float) -> None:
        self._paths = [self.stuck]
        super()._rank(now)


def path_over(world: World, *numbers: int) -> int:
    """Give the label of a path over these nodes."""
    path = SELF_LABEL
    for here, there in pairwise(numbers):
        node, other = world.node(here), world.node(there)
        assert node is not None
        assert other is not None
        (label,) = [peer.label for peer in node.peering.peers() if peer.key == other.own.public]
        path = splice(label, path)
    return path


def test_a_node_in_front_of_a_gap_leads_the_frames_of_others_around_it() -> None:
    """Also of a node that never changes its path; that one is told by errors, but not once a frame."""
    world = World(6, [(number, (number + 1) % 6) for number in range(6)], seed=2, wires=Wires())
    for number in range(6):
        world.start(number)
    for _ in range(20):
        world.ping(3, 0)
        world.run(0.5)
    stuck, target, relay = world.node(3), world.node(0), world.node(1)
    assert stuck is not None
    assert target is not None
    assert relay is not None
    path = path_over(world, 3, 2, 1, 0)
    stuck.sessions.by_address[target.own.address].paths = StuckPaths(path)
    world.cut([(0, 1)])
    world.run(7.0)
    for _ in range(20):
        world.forget_replies()
        for _ in range(20):
            world.ping(3, 0)
        world.run(0.5)
        assert world.first_reply(3, 0) is not None
    assert relay.detours.sent >= 400
    assert 10 <= relay.switch.drops["switch.undeliverable"] <= 220


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
