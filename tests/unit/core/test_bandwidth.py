"""The rate that peerStats shows: bytes of the last 1.024 s (spec 02 §10)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexrouter.core.bandwidth import Bandwidth


class Counted:
    """A stream that is counted as the node counts it."""

    def __init__(self) -> None:
        self.rate = Bandwidth()
        self.total = 0

    def add(self, count: int, now: float) -> None:
        if now >= self.rate.until:
            self.rate.turn(self.total, now)
        self.total += count

    def kbps(self, now: float) -> int:
        return self.rate.kbps(self.total, now)


def test_the_rate_is_kilobits_over_the_last_second() -> None:
    """128 bytes a second are one kilobit of 1024 bits."""
    rate = Counted()
    rate.add(128 * 7, 1000.0)
    assert rate.kbps(1000.0) == 7
    assert rate.kbps(1000.9) == 7


def test_what_is_older_than_a_second_no_longer_counts() -> None:
    rate = Counted()
    rate.add(12800, 1000.0)
    rate.add(1280, 1000.6)
    assert rate.kbps(1000.6) == 110
    assert rate.kbps(1001.1) == 10
    assert rate.kbps(1002.0) == 0


def test_a_long_pause_clears_the_ring() -> None:
    rate = Counted()
    for step in range(8):
        rate.add(1280, 1000.0 + step * 0.128)
    rate.add(128, 5000.0)
    assert rate.kbps(5000.0) == 1


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0.0, 0.4)), max_size=40))
def test_the_ring_holds_what_passed_in_its_eight_slots(steps: list[tuple[int, float]]) -> None:
    """Equal to a sum over a list that forgets nothing."""
    rate = Counted()
    now = 1000.0
    passed: list[tuple[int, int]] = []
    for count, pause in steps:
        now += pause
        rate.add(count, now)
        passed.append((int(now / 0.128), count))
    slot = int(now / 0.128)
    assert rate.kbps(now) == sum(count for at, count in passed if slot - at < 8) >> 7
