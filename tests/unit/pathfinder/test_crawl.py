"""Whom the crawl asks first."""

from __future__ import annotations

from random import Random

from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.capacity import BUCKET_KEEP, Capacity
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.crawl import Crawl
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.keyspace import bucket, position_of
from dexrouter.core.pathfinder.outputs import PathfinderOutput, SendMessage
from dexrouter.core.pathfinder.placing import place
from dexrouter.core.pathfinder.queries import Purpose, Query, QueryTable, Target
from dexrouter.core.pathfinder.routes import compute_routes
from dexrouter.core.pathfinder.rumours import Rumours
from dexrouter.crypto.keys import PublicKey, address_of
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.encoding_scheme import V358
from tests.sim.labelmesh import make_key

RANDOM = Random(31)
OWN, *KEYS = (make_key(RANDOM) for _ in range(80))
QUIET = PathfinderConfig(crawl_burst=1, crawl_rate=0.001, keyspace_interval=1e6, upkeep_interval=1e6)


def _bucket_of(key: PublicKey) -> int:
    return bucket(position_of(address_of(OWN)), position_of(address_of(key)))


FIRST_HALF = [key for key in KEYS if _bucket_of(key) == 0]
CLOSE = next(key for key in KEYS if _bucket_of(key) > 3)


def at(key: PublicKey, path: int) -> Target:
    return Target(key, address_of(key), 21, path)


class Bench:
    """A crawl with one token, over a graph that knows enough nodes of the other half of the keyspace."""

    def __init__(self) -> None:
        self.graph = LinkGraph(OWN, address_of(OWN), 21, V358, 0.0)
        for number, key in enumerate(FIRST_HALF[:BUCKET_KEEP]):
            place(self.graph, at(key, V358.peer_label(number + 2)), 21, V358, 0, 0.01, 0.0)
        compute_routes(self.graph)
        capacity = Capacity(self.graph, QUIET)
        capacity.enforce()
        self.rumours = Rumours()
        self.outbox: list[PathfinderOutput] = []
        entropy = Random(1).randbytes
        asker = Asker(self.graph, QueryTable(QUIET, entropy), self.outbox, QUIET)
        self.crawl = Crawl(self.graph, capacity, self.rumours, asker, QUIET, entropy, 0.0)

    def asked(self) -> list[PublicKey]:
        self.crawl.tick(0.1)
        return [output.key for output in self.outbox if isinstance(output, SendMessage)]


def test_nodes_close_in_the_keyspace_are_asked_first() -> None:
    """Searches depend on them: who is in a bucket with too few nodes goes before others at shorter paths."""
    bench = Bench()
    bench.crawl.heard_of(at(FIRST_HALF[5], 0x153), 0.0, is_wanted=False)
    bench.crawl.heard_of(at(CLOSE, 0x15353), 0.0, is_wanted=False)
    assert bench.asked() == [CLOSE]


def test_a_find_in_the_keyspace_lets_the_next_look_follow_soon() -> None:
    """While each look brings somebody new, the next one follows; then the usual interval passes again."""
    bench = Bench()
    asked = at(FIRST_HALF[0], V358.peer_label(2))
    query = Query(asked, Purpose.KEYSPACE, 0.0, tries=0, page=0, search=None)
    usual = bench.crawl.next_deadline(0.0)
    bench.crawl.found_nearby(query, [NodeEntry(FIRST_HALF[1], 0x13, 21)], 0.0)
    assert bench.crawl.next_deadline(0.0) == usual
    bench.crawl.found_nearby(query, [NodeEntry(CLOSE, 0x13, 21)], 0.0)
    assert bench.asked() == [CLOSE]
    assert 0.1 < bench.crawl.next_deadline(0.1) < 1.0
    bench.crawl.tick(0.6)
    usual = bench.crawl.next_deadline(0.6)
    bench.crawl.found_nearby(query, [NodeEntry(CLOSE, 0x13, 21)], 0.6)
    assert bench.crawl.next_deadline(0.6) == usual


def test_the_shortest_way_to_a_named_node_is_taken() -> None:
    """Known, rumoured, or as it was named; a name that makes the path too long is no obstacle."""
    bench = Bench()
    known, rumoured, other = FIRST_HALF[0], FIRST_HALF[5], FIRST_HALF[6]
    bench.rumours.heard(at(rumoured, 0x1535))
    long = 1 << 56 | 0x3333_3333_3333
    for key, label, path, expected in (
        (known, 0x13, 0x155, V358.peer_label(2)),
        (rumoured, 0x13, 0x155, 0x1355),
        (rumoured, 0x13535, 0x155, 0x1535),
        (rumoured, long, 0x155, 0x1535),
        (other, 0x13, 0x155, 0x1355),
    ):
        way = bench.crawl.nearest_way(path, NodeEntry(key, label, 21))
        assert way is not None
        assert way.path == expected
    assert bench.crawl.nearest_way(0x155, NodeEntry(other, long, 21)) is None
