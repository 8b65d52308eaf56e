"""The link graph, the routes over it, and what is forgotten."""

from __future__ import annotations

from random import Random

import pytest

from dexrouter.core.pathfinder.capacity import Capacity
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.failure import blamed, failed_hop
from dexrouter.core.pathfinder.graph import LinkGraph, Node
from dexrouter.core.pathfinder.placing import place, unfold_far_links
from dexrouter.core.pathfinder.queries import Target
from dexrouter.core.pathfinder.routes import compute_routes, straighten
from dexrouter.crypto.keys import address_of
from dexrouter.wire.encoding_scheme import F8, V358, EncodingScheme
from dexrouter.wire.labels import label_bits, reverse64
from tests.sim.labelmesh import make_key

RANDOM = Random(5)
KEYS = [make_key(RANDOM) for _ in range(24)]


def graph_of() -> LinkGraph:
    return LinkGraph(KEYS[0], address_of(KEYS[0]), 21, V358, 0.0)


def answer(
    graph: LinkGraph,
    number: int,
    path: int,
    *,
    inverse_form: int = 0,
    scheme: EncodingScheme = V358,
    now: float = 1.0,
) -> Node:
    """Let a node answer over a path."""
    target = Target(KEYS[number], address_of(KEYS[number]), 21, path)
    return place(graph, target, 21, scheme, inverse_form, 0.01, now).node


def best(node: Node) -> int:
    return node.best.path if node.best else 0


def test_a_chain_is_placed_link_by_link() -> None:
    """Each answer adds the last hop of its path as a link of the node before it."""
    graph = graph_of()
    one = answer(graph, 1, 0x13)
    two = answer(graph, 2, 0x153)
    compute_routes(graph)
    assert graph.link_count == 2
    assert one.links[0x15].child is two
    assert (best(one), best(two)) == (0x13, 0x153)
    walk = graph.walk(0x1753)
    assert (walk.node, walk.rest, len(walk.links)) == (two, 0x17, 2)


def test_a_label_is_widened_for_a_wide_way_back() -> None:
    """The worked example of the protocol notes: behind a hub's ninth interface, 1f becomes 9a."""
    graph = graph_of()
    peer = answer(graph, 1, 0x13)
    hub = answer(graph, 2, 0x133, inverse_form=1)
    leaf = answer(graph, 3, 0x9A33)
    compute_routes(graph)
    assert hub.links[0x1F].child is leaf, "the link is not stored in canonical form"
    assert peer.links[0x13].inverse_form == 1
    assert best(leaf) == 0x9A33


def test_the_shortest_label_of_equally_many_hops_is_best() -> None:
    """Of two ways with two hops, the one with narrow directors wins; the other is the alternative."""
    graph = graph_of()
    answer(graph, 1, 0x9E)
    answer(graph, 2, 0x13)
    answer(graph, 3, 0xB9E)
    target = answer(graph, 3, 0x173)
    compute_routes(graph)
    assert best(target) == 0x173
    assert target.alternative
    assert target.alternative.first_hop == 0x9E


def test_the_alternative_begins_with_another_peer() -> None:
    """In a ring each node is reached both ways round, and the two ways share no first hop."""
    graph = graph_of()
    answer(graph, 1, 0x13)
    answer(graph, 2, 0x153)
    answer(graph, 3, 0x15)
    answer(graph, 2, 0x155)
    target = answer(graph, 4, 0x1753)
    compute_routes(graph)
    assert target.best
    assert target.alternative
    assert {target.best.first_hop, target.alternative.first_hop} == {0x13, 0x15}


def test_a_renumbered_interface_changes_its_link() -> None:
    """When another node answers over a known path, the link is its own from then on."""
    graph = graph_of()
    one = answer(graph, 1, 0x13)
    two = answer(graph, 2, 0x153)
    three = answer(graph, 3, 0x153)
    compute_routes(graph)
    assert one.links[0x15].child is three
    assert two.best is None
    assert best(three) == 0x153


def test_a_far_node_becomes_a_near_one() -> None:
    """A path with an unknown middle is kept as it is until the nodes on it are known."""
    graph = graph_of()
    far = answer(graph, 3, 0x1753)
    assert best(far) == 0x1753
    assert list(graph.far) == [0x1753]
    answer(graph, 1, 0x13)
    two = answer(graph, 2, 0x153)
    unfold_far_links(graph)
    compute_routes(graph)
    assert not graph.far
    assert two.links[0x17].child is far
    assert best(far) == 0x1753


def test_paths_go_on_behind_far_nodes() -> None:
    """A far node can have links of its own."""
    graph = graph_of()
    far = answer(graph, 3, 0x1753, inverse_form=1)
    behind = answer(graph, 4, (0x9A << 12) | 0x753)
    compute_routes(graph)
    assert far.links[0x1F].child is behind
    assert best(behind) == 0x9A753


def test_a_detour_through_the_known_is_straightened() -> None:
    """A path that runs to a node and back again is cut to the way that is left."""
    graph = graph_of()
    one = answer(graph, 1, 0x13)
    answer(graph, 2, 0x153)
    answer(graph, 1, 0x1353)
    assert one.best
    compute_routes(graph)
    assert straighten(graph, 0x191353) == 0x1913, "out to the second node, back, and on"
    assert straighten(graph, 0x17) == 0x17


def test_unanswered_queries_make_a_link_suspect() -> None:
    """Two misses in a row outweigh several hops more; an answer clears them."""
    graph = graph_of()
    answer(graph, 1, 0x13)
    target = answer(graph, 2, 0x153)
    answer(graph, 3, 0x15)
    answer(graph, 4, 0x135)
    answer(graph, 2, 0x1935)
    compute_routes(graph)
    assert best(target) == 0x153
    for _ in range(2):
        for link in graph.walk(0x153).links[-1:]:
            graph.doubt(link)
    assert graph.has_lost_links
    compute_routes(graph)
    assert best(target) == 0x1935
    answer(graph, 2, 0x153, now=2.0)
    compute_routes(graph)
    assert best(target) == 0x153


def test_only_links_that_were_not_heard_since_are_blamed_for_silence() -> None:
    """A peer's own link is not, if the path goes on behind it: its pings watch that one."""
    graph = graph_of()
    answer(graph, 1, 0x13)
    answer(graph, 2, 0x153)
    answer(graph, 3, 0x1553)
    peer, middle, last = graph.walk(0x1553).links
    assert blamed([peer, middle, last], sent=2.0) == [middle, last]
    assert blamed([peer], sent=2.0) == [peer]
    graph.confirm(middle, 2.5)
    assert blamed([peer, middle, last], sent=2.0) == [last]


def test_no_path_is_longer_than_a_label_can_hold() -> None:
    """Fourteen hops of four bits fit into 59 bits, fifteen do not."""
    graph = graph_of()
    path = 1
    nodes = []
    for number in range(1, 17):
        bits = label_bits(path)
        path = (0x13 << bits) | (path & ((1 << bits) - 1))
        nodes.append(answer(graph, number, path) if bits + 4 <= 59 else None)
    compute_routes(graph)
    assert [node is not None and node.best is not None for node in nodes] == [True] * 14 + [False] * 2


def test_other_schemes_are_understood() -> None:
    """A path through a node with another encoding scheme is walked by that scheme."""
    graph = graph_of()
    one = answer(graph, 1, 0x13, scheme=F8)
    target = answer(graph, 2, 0x1053)
    with_scheme = graph.walk(0x1053)
    compute_routes(graph)
    assert one.links[0x105].child is target
    assert with_scheme.rest == 1
    assert best(target) == 0x1053


def test_a_node_with_a_new_scheme_is_taken_anew() -> None:
    """Labels under the old scheme mean nothing any more: the links of the node are dropped."""
    graph = graph_of()
    answer(graph, 1, 0x13)
    answer(graph, 2, 0x153)
    again = answer(graph, 1, 0x13, scheme=F8)
    assert not again.links
    assert graph.link_count == 1


@pytest.mark.parametrize("hops", range(4))
def test_a_switch_error_names_the_failed_hop(hops: int) -> None:
    """From the label in the error's cause follow the node that refused and the link behind it."""
    graph = graph_of()
    directors = (0x3, 0x5, 0x7, 0x9)
    path, known = 0, []
    for number, director in enumerate(directors, 1):
        path |= director << 4 * (number - 1)
        known.append(answer(graph, number, path | 1 << 4 * number))
    path |= 1 << 16
    in_flight = path >> 4 * hops | (reverse64(0x5) >> 4 * max(hops - 1, 0) if hops else 0)
    failure = failed_hop(graph, path, in_flight)
    assert failure
    assert failure.node is (known[hops - 1] if hops else graph.root)
    assert failure.prefix == path & ((1 << 4 * (hops + 1)) - 1) | 1 << 4 * (hops + 1)
    assert [link.child for link in failure.links] == [known[hops]]


def test_an_error_that_fits_no_hop_is_refused() -> None:
    """Nothing is removed for a label that our path cannot have become."""
    graph = graph_of()
    answer(graph, 1, 0x13)
    assert failed_hop(graph, 0x13, 0x17) is None
    assert failed_hop(graph, 1, 1) is None
    assert failed_hop(graph, 0, 0) is None


def test_the_graph_stays_within_its_bounds() -> None:
    """Peers and wanted nodes stay, the farthest others go; what may come in later is known beforehand."""
    graph = graph_of()
    config = PathfinderConfig(max_nodes=5, max_links=8)
    capacity = Capacity(graph, config)
    assert capacity.would_admit(0, 1 << 30)
    answer(graph, 1, 0x13)
    path = 0x13
    for number in range(2, 14):
        bits = label_bits(path)
        path = (0x13 << bits) | (path & ((1 << bits) - 1))
        answer(graph, number, path)
    for number in range(14, 18):
        answer(graph, number, 0x103 | (number - 10 << 4 | 0x10) & 0xF0 | 0x100)
    wanted = graph.nodes[address_of(KEYS[9])]
    wanted.is_wanted = True
    compute_routes(graph)
    capacity.enforce()
    compute_routes(graph)
    capacity.enforce()
    assert len(graph.nodes) <= config.max_nodes + 2
    assert graph.link_count <= config.max_links
    assert address_of(KEYS[1]) in graph.nodes
    assert wanted.address in graph.nodes
    assert capacity.would_admit(graph.root.position ^ 1 << 20, 1 << 30), "an empty bucket takes anybody"
