"""The paths of a session: which is best, how they fade, and what doubt does (spec 04 §6)."""

from __future__ import annotations

from dexrouter.core.metric import (
    DEAD_LINK,
    DHT_NODE,
    DHT_PEER,
    NO_INFORMATION,
    SM_INCOMING,
    dht_node_metric,
    effective_metric,
)
from dexrouter.core.paths import MAX_PATHS, Paths
from dexrouter.wire.labels import INVALID_LABEL

NOW = 1000.0


def best(paths: Paths) -> int | None:
    return paths.best.label if paths.best is not None else None


def labels(paths: Paths) -> list[int]:
    return [path.label for path in paths]


def test_a_metric_grows_by_one_each_millisecond_and_ends_at_no_information() -> None:
    assert effective_metric(DHT_PEER, 0.0) == DHT_PEER
    assert effective_metric(DHT_PEER, 1.5) == DHT_PEER + 1500
    assert effective_metric(DHT_PEER, 1e9) == NO_INFORMATION
    assert effective_metric(DEAD_LINK, 0.0) == NO_INFORMATION


def test_the_metric_of_a_known_node_holds_its_cost_up_to_20_bits() -> None:
    assert dht_node_metric(5) == DHT_NODE + 5
    assert dht_node_metric(1 << 30) == DHT_NODE | 0xFFFFF


def test_the_best_path_is_the_one_with_the_lowest_metric() -> None:
    paths = Paths()
    assert best(paths) is None
    assert paths.newest_validation() == float("-inf")
    assert paths.discover(0x13, SM_INCOMING, NOW)
    assert paths.discover(0x15, DHT_PEER, NOW)
    assert best(paths) == 0x15
    assert paths.newest_validation() == NOW


def test_a_known_path_is_renewed_only_by_a_metric_better_than_its_faded_one() -> None:
    """The source that told it vouches again, or a worse one does after a long time."""
    paths = Paths()
    paths.discover(0x13, DHT_PEER, NOW)
    assert not paths.discover(0x13, SM_INCOMING, NOW + 1.0)
    assert next(iter(paths)).metric == DHT_PEER
    assert not paths.discover(0x13, DHT_PEER, NOW + 1.0)
    assert next(iter(paths)).validated == NOW + 1.0
    paths.discover(0x13, SM_INCOMING, NOW + 4000.0)
    assert next(iter(paths)).metric == SM_INCOMING


def test_three_paths_are_kept_and_the_worst_gives_way_to_a_better_one() -> None:
    paths = Paths()
    for number in range(MAX_PATHS):
        assert paths.discover(0x13 + number, DHT_NODE + number, NOW)
    assert not paths.discover(0x99, SM_INCOMING, NOW)
    assert paths.discover(0x98, DHT_PEER, NOW)
    assert labels(paths) == [0x98, 0x13, 0x14]
    assert len(paths) == MAX_PATHS


def test_no_path_is_made_of_labels_that_cannot_be_one() -> None:
    paths = Paths()
    for label in (0, INVALID_LABEL):
        assert not paths.discover(label, DHT_PEER, NOW)
    assert not paths.discover(0x13, DEAD_LINK, NOW)
    assert len(paths) == 0


def test_a_dead_path_is_not_used_while_another_one_is_alive_or_in_doubt() -> None:
    paths = Paths()
    paths.discover(0x13, DHT_PEER, NOW)
    paths.discover(0x15, DHT_NODE, NOW)
    paths.doubt(NOW, again_after=1.5)
    paths.discover(0x13, DEAD_LINK, NOW)
    assert best(paths) == 0x15
    paths.drop(0x15, NOW)
    assert best(paths) is None


def test_doubt_asks_over_every_path_and_the_first_that_answers_is_best() -> None:
    """Each is asked once, and again when its answer is overdue."""
    paths = Paths()
    paths.discover(0x13, DHT_PEER, NOW)
    paths.discover(0x15, DHT_NODE, NOW)
    assert set(paths.doubt(NOW + 1.0, again_after=1.5)) == {0x13, 0x15}
    assert paths.doubt(NOW + 2.0, again_after=1.5) == ()
    assert paths.heard(0x15, NOW + 2.1)
    assert best(paths) == 0x15
    assert set(paths.doubt(NOW + 2.6, again_after=1.5)) == {0x13, 0x15}


def test_a_packet_over_an_unknown_path_confirms_nothing() -> None:
    paths = Paths()
    paths.discover(0x13, DHT_PEER, NOW)
    assert not paths.heard(0x15, NOW + 1.0)
    assert paths.newest_validation() == NOW
    assert paths.heard(0x13, NOW + 1.0)
    assert paths.newest_validation() == NOW + 1.0
