"""The event loop: readers, the one deadline, signals between packets, and a machine that slept."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from dexrouter.io.clock import boot_time, wall_milliseconds
from dexrouter.io.loop import EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


def far_away() -> float:
    return boot_time() + 30.0


def nothing(_now: float) -> None:
    """Do what is due: nothing."""


def fail(_now: float) -> None:
    raise AssertionError("the machine did not sleep")


def test_a_reader_is_called_when_there_is_something_to_read(loop: EventLoop) -> None:
    """And again, until everything is read: a bounded burst is enough."""
    near, far = socket.socketpair()
    got = []

    def read() -> None:
        got.append(near.recv(1))
        if len(got) == 3:
            loop.stop()

    with near, far:
        loop.add_reader(near.fileno(), read)
        far.send(b"abc")
        loop.run(far_away, nothing, fail)
        loop.remove_reader(near.fileno())
    assert got == [b"a", b"b", b"c"]


def test_the_deadline_wakes_the_loop_not_before_and_hardly_after(loop: EventLoop) -> None:
    start = boot_time()
    rounds = []

    def due(now: float) -> None:
        rounds.append(now - start)
        if now >= start + 0.05:
            loop.stop()

    loop.run(lambda: start + 0.05, due, fail)
    assert 0.05 <= rounds[-1] < 1.0
    assert len(rounds) <= 3


def test_a_reader_that_is_removed_in_the_same_round_is_not_called(loop: EventLoop) -> None:
    one, other = socket.socketpair()
    called = []

    def read(mine: socket.socket, their: socket.socket) -> Callable[[], None]:
        def callback() -> None:
            called.append(mine)
            mine.recv(10)
            loop.remove_reader(their.fileno())
            loop.stop()

        return callback

    with one, other:
        loop.add_reader(one.fileno(), read(one, other))
        loop.add_reader(other.fileno(), read(other, one))
        one.send(b"x")
        other.send(b"x")
        loop.run(far_away, nothing, fail)
    assert len(called) == 1


def test_a_signal_is_handled_between_packets(loop: EventLoop) -> None:
    """By the loop, not inside whatever runs when it comes."""
    order: list[str] = []

    def handle() -> None:
        order.append("handled")
        loop.stop()

    loop.on_signal(signal.SIGUSR1, handle)

    def due(_now: float) -> None:
        if not order:
            os.kill(os.getpid(), signal.SIGUSR1)
            order.append("sent")

    loop.run(lambda: boot_time() + (30.0 if order else 0.0), due, fail)
    assert order == ["sent", "handled"]


def test_a_signal_from_elsewhere_wakes_a_loop_that_waits(loop: EventLoop) -> None:
    loop.on_signal(signal.SIGUSR1, loop.stop)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    start = boot_time()
    loop.run(far_away, nothing, fail)
    timer.join()
    assert boot_time() - start < 10.0


def test_closing_gives_the_signals_back() -> None:
    """A router that hangs in its end can still be ended."""
    before = signal.getsignal(signal.SIGUSR1)
    made = EventLoop()
    made.on_signal(signal.SIGUSR1, made.stop)
    assert signal.getsignal(signal.SIGUSR1) != before
    made.close()
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(("asleep", "noticed"), [(3600.0, True), (9.0, False)], ids=["an_hour", "not_really"])
def test_far_more_time_than_was_waited_for_means_that_the_machine_slept(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch, asleep: float, noticed: bool
) -> None:
    times = iter([1000.0, *[1000.1 + asleep] * 3])
    monkeypatch.setattr("dexrouter.io.loop.boot_time", lambda: next(times))
    slept: list[float] = []

    def due(_now: float) -> None:
        loop.stop()

    loop.run(lambda: 1000.0, due, slept.append)
    assert slept == ([1000.1 + asleep] if noticed else [])


def test_clocks_go_forward() -> None:
    assert boot_time() <= boot_time()
    assert wall_milliseconds() > 1_700_000_000_000


def test_plain_data_leaves_the_deadline_as_it_was(loop: EventLoop) -> None:
    """Nothing is asked and nothing is due because of it; anything else, or the deadline, ends that."""
    near, far = socket.socketpair()
    asked, due_at, answers = [], [], iter([True, True, None])

    def read() -> object:
        near.recv(1)
        return next(answers)

    def deadline() -> float:
        asked.append(1)
        return far_away()

    def due(_now: float) -> None:
        due_at.append(len(asked))
        loop.stop()

    with near, far:
        loop.add_reader(near.fileno(), read)
        far.send(b"abc")
        loop.run(deadline, due, fail)
        loop.remove_reader(near.fileno())
    assert due_at == [1]
    assert next(answers, "none left") == "none left"


def test_what_is_due_is_done_among_plain_data(loop: EventLoop) -> None:
    """A descriptor that is always readable does not keep the timer from its turn."""
    near, far = socket.socketpair()
    until = boot_time() + 0.02
    times = []

    def due(now: float) -> None:
        times.append(now)
        loop.stop()

    with near, far:
        loop.add_reader(near.fileno(), lambda: True)
        far.send(b"a")
        loop.run(lambda: until, due, fail)
        loop.remove_reader(near.fileno())
    assert times[0] >= until
