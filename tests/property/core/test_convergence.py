"""Laws of the mesh: whatever wires and restarts do, nodes find each other again and deliver."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.core.peer import PeerState
from virtual_wire import World, echo_request

SEEDS = st.integers(0, 2**32)
LOSS = st.sampled_from((0.0, 0.05, 0.2, 0.35))
PART = st.sampled_from((0.0, 0.1, 0.4))


def delivers(world: World, source: str, target: str) -> bool:
    """Whether a packet from one host reaches the other within a fifth of a second."""
    packet = echo_request(world.key(source), world.key(target))
    world.tun[target].clear()
    world.from_tun(source, packet)
    world.run(0.2)
    assert all(arrived == packet for arrived in world.tun[target])
    return bool(world.tun[target])


@settings(max_examples=20)
@given(SEEDS, LOSS, PART, PART, st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.0, 30.0)), max_size=3))
def test_a_pair_comes_up_again_and_delivers_both_ways(
    seed: int, loss: float, doubled: float, late: float, restarts: list[tuple[str, float]]
) -> None:
    """Under loss, duplication and reordering, after any restarts of either side."""
    world = World(seed=seed, loss=loss, doubled=doubled, late=late)
    world.line("a", "b")
    for name, after in restarts:
        world.run(after)
        world.kill(name)
        world.run(after / 4)
        world.add(name)
    world.wait(lambda: world.is_linked("a", "b"), seconds=60.0)
    world.wait(lambda: delivers(world, "a", "b"), seconds=60.0)
    world.wait(lambda: delivers(world, "b", "a"), seconds=60.0)


@settings(max_examples=15)
@given(SEEDS, LOSS, PART, PART, st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 20.0)), max_size=2))
def test_a_line_of_three_delivers_from_end_to_end(
    seed: int, loss: float, doubled: float, late: float, restarts: list[tuple[str, float]]
) -> None:
    world = World(seed=seed, loss=loss, doubled=doubled, late=late)
    world.line("a", "b", "c")
    for name, after in restarts:
        world.run(after)
        delivers(world, "a", "c")
        world.kill(name)
        world.run(after / 4)
        world.add(name)
    world.wait(lambda: delivers(world, "a", "c"), seconds=90.0)
    world.wait(lambda: delivers(world, "c", "a"), seconds=90.0)


@settings(max_examples=15)
@given(SEEDS, st.floats(0.0, 120.0), st.floats(0.0, 10.0))
def test_a_cut_wire_that_is_mended_carries_packets_again(seed: int, cut: float, before: float) -> None:
    """However long it was cut; the peers say UNRESPONSIVE meanwhile, if it was long enough."""
    world = World(seed=seed)
    world.line("a", "b")
    world.run(before)
    world.cut.add(frozenset("ab"))
    world.run(cut)
    states = {peer.state for name in "ab" for peer in world.nodes[name].peering.peers()}
    if cut > 30.0 and before > 1.0:
        assert states == {PeerState.UNRESPONSIVE}
    world.cut.clear()
    world.wait(lambda: world.is_linked("a", "b"), seconds=15.0)
    world.wait(lambda: delivers(world, "a", "b") and delivers(world, "b", "a"), seconds=15.0)


@settings(max_examples=10)
@given(SEEDS)
def test_everything_recorded_and_sent_again_changes_nothing_for_those_who_talk(seed: int) -> None:
    """All datagrams of a link, replayed from the right address: peers stay, packets pass, none twice."""
    world = World(seed=seed)
    world.line("a", "b")
    world.wait(lambda: delivers(world, "a", "b") and delivers(world, "b", "a"), seconds=10.0)
    recorded = list(world.sent)
    changes = len(world.changes)
    world.tun["a"].clear()
    world.tun["b"].clear()
    for sent in recorded:
        target = world.name_at(sent.target)
        assert target is not None
        world.inject(target, world.address(sent.source), sent.datagram)
    world.run(1.0)
    assert world.tun == {"a": [], "b": []}
    assert world.changes[changes:] == []
    assert delivers(world, "a", "b")
    assert delivers(world, "b", "a")
