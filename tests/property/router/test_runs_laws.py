"""Laws of packets in columns: spans say the same however they are kept, and a replay window counts alike."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dexrouter.crypto.replay import ReplayWindow
from dexrouter.crypto.spans import Spans

TRAINS = st.builds(
    Spans.train,
    st.integers(0, 100),
    st.integers(20, 50),
    st.just(20),
    st.integers(1, 20),
    st.integers(1, 12),
)


@given(train=TRAINS, offset=st.integers(-20, 20), part=st.tuples(st.integers(0, 12), st.integers(0, 12)))
def test_a_train_says_the_same_as_its_packets_listed(
    train: Spans, offset: int, part: tuple[int, int]
) -> None:
    """Starts, sizes, places, parts."""
    listed = Spans(list(train.starts), list(train.sizes))
    assert list(train) == list(listed)
    assert len(train) == len(listed)
    assert list(train.places(offset)) == list(listed.places(offset))
    assert train.sizes_less(offset) == listed.sizes_less(offset)
    assert list(train.part(*part)) == list(listed.part(*part)) == list(listed)[slice(*part)]


@given(pieces=st.lists(TRAINS, max_size=4), alone=st.tuples(st.integers(0, 99), st.integers(1, 99)))
def test_spans_grow_by_trains_and_by_single_packets(pieces: list[Spans], alone: tuple[int, int]) -> None:
    """In order, and what was added is not changed by it."""
    before = [list(piece) for piece in pieces]
    sizes = [piece.sizes[:] for piece in pieces]
    spans = Spans([], [])
    for piece in pieces:
        spans.extend(piece)
    spans.add(*alone)
    start, size = alone
    assert list(spans) == [span for piece in before for span in piece] + [(start, start + size)]
    assert [list(piece) for piece in pieces] == before
    assert [piece.sizes for piece in pieces] == sizes


@given(train=TRAINS, offset=st.integers(-20, 20))
def test_joined_packets_lie_one_behind_the_other(train: Spans, offset: int) -> None:
    """Cut at the given size, the whole is the packets again."""
    joined = train.joined(offset)
    packets = [(start + offset, end) for start, end in train]
    if joined is None:
        gaps = [after[0] - before[1] for before, after in pairwise(packets)]
        assert len(packets) == 1 or any(gaps)
        return
    start, end, size = joined
    assert [(at, min(at + size, end)) for at in range(start, end, size)] == packets


@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 0, -1, -3, 2, 40, 70, 200]), max_size=120),
    cuts=st.integers(0, 2**32),
)
def test_a_window_counts_runs_as_it_counts_packets(steps: list[int], cuts: int) -> None:
    """Up to the first that is refused, from where the next run begins behind it."""
    counters, counter = [], 100
    for step in steps:
        counter = max(counter + step, 4)
        counters.append(counter)
    one, other = ReplayWindow(), ReplayWindow()
    chance = random.Random(cuts)
    at, accepted = 0, []
    while at < len(counters):
        run = counters[at : at + chance.randrange(1, 80)]
        fresh = one.check_run(run)
        accepted += run[:fresh]
        at += fresh + (fresh < len(run))
    assert accepted == [number for number in counters if other.check(number)]
    for name in ReplayWindow.__slots__:
        assert getattr(one, name) == getattr(other, name)
