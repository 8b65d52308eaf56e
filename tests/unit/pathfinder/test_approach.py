"""Shortening a found path from the target's side, and the rumours that help."""

from __future__ import annotations

from random import Random

from dexrouter.core.pathfinder.approach import MOST_QUESTIONS, Approach
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.queries import Target
from dexrouter.core.pathfinder.rumours import MOST_RUMOURS, Rumours
from dexrouter.crypto.keys import address_of
from dexrouter.wire.encoding_scheme import V358
from tests.sim.labelmesh import make_key

RANDOM = Random(11)
KEYS = [make_key(RANDOM) for _ in range(8)]
FAR_PATH = 0x1357_9BDF_3579


def at(number: int, path: int) -> Target:
    return Target(KEYS[number], address_of(KEYS[number]), 21, path)


def fresh() -> tuple[Approach, Rumours]:
    graph = LinkGraph(KEYS[0], address_of(KEYS[0]), 21, V358, 0.0)
    rumours = Rumours()
    return Approach(graph, rumours, at(1, FAR_PATH)), rumours


def test_a_known_neighbour_of_the_target_leads_back_to_it() -> None:
    """The target's peer is known by a short path: it is asked there, and the target's path is then short."""
    approach, rumours = fresh()
    rumours.heard(at(2, 0x133))
    assert approach.next() == at(1, FAR_PATH)
    approach.answered(at(1, FAR_PATH), [at(2, FAR_PATH << 4 | 0x5), at(3, FAR_PATH << 4 | 0x7)])
    assert approach.next() == at(2, 0x133), "the short way comes first"
    approach.answered(at(2, 0x133), [at(1, 0x1533)])
    approach.reached(0x1533)
    assert approach.next() == at(3, FAR_PATH << 4 | 0x7)
    assert not approach.has_more


def test_the_way_back_leads_over_the_nodes_between() -> None:
    """Two hops from the target somebody is known: the node between is asked over the new way."""
    approach, rumours = fresh()
    rumours.heard(at(3, 0x133))
    approach.next()
    approach.answered(at(1, FAR_PATH), [at(2, FAR_PATH << 4 | 0x5)])
    behind = approach.next()
    assert behind == at(2, FAR_PATH << 4 | 0x5)
    approach.answered(behind, [at(3, FAR_PATH << 8 | 0x55), at(1, FAR_PATH << 8 | 0x35)])
    assert approach.next() == at(3, 0x133)
    approach.answered(at(3, 0x133), [at(2, 0x1733), at(4, 0x1933)])
    assert approach.next() == at(2, 0x1733)
    assert approach.next() is None


def test_no_detour_is_followed_and_no_node_asked_twice() -> None:
    """Ways that cannot be shorter than the one that works are left alone."""
    approach, rumours = fresh()
    rumours.heard(at(2, 0x133))
    approach.reached(0x153)
    approach.next()
    approach.answered(at(1, FAR_PATH), [at(2, FAR_PATH << 4 | 0x5)])
    again = approach.next()
    assert again == at(2, FAR_PATH << 4 | 0x5), "no gain in going from there; but one may look behind it"
    approach.answered(at(5, 0x13), [at(6, 0x153)])
    assert approach.next() is None


def test_questions_are_bounded() -> None:
    """However many nodes are named, so many are asked and no more."""
    approach, _ = fresh()
    approach.next()
    keys = [make_key(RANDOM) for _ in range(40)]
    named = [Target(key, address_of(key), 21, 0x1000 + number) for number, key in enumerate(keys)]
    approach.answered(at(1, FAR_PATH), named)
    count = 1
    while approach.next():
        count += 1
    assert count == MOST_QUESTIONS


def test_rumours_keep_the_shortest_path_and_a_bound() -> None:
    """Of one node the shortest path stays; of too many nodes the ones heard last."""
    rumours = Rumours()
    rumours.heard(at(2, 0x1533))
    rumours.heard(at(2, 0x153))
    rumours.heard(at(2, 0x15533))
    assert rumours.get(address_of(KEYS[2])) == at(2, 0x153)
    rumours.is_false(at(2, 0x1533))
    assert rumours.get(address_of(KEYS[2])) == at(2, 0x153)
    rumours.is_false(at(2, 0x153))
    assert rumours.get(address_of(KEYS[2])) is None
    for number in range(MOST_RUMOURS + 20):
        key = number.to_bytes(32)
        rumours.heard(Target(KEYS[3], address_of(key), 21, 0x13))  # the address alone tells them apart
    assert len(rumours) == MOST_RUMOURS
    wanted = position_of(address_of((100).to_bytes(32)))
    assert rumours.closest(wanted, 3)[0].address == address_of((100).to_bytes(32))
