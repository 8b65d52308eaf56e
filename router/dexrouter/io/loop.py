"""One thread, one epoll, one timer.

Readers are called when their descriptor is readable and must take a bounded burst, so that no descriptor
starves another; epoll is level-triggered and brings them back. The timer is whatever deadline the owner gives
before each wait; a round of plain data, from which nothing follows, leaves it as it was. Signals wake the
loop through a socket pair and are handled between packets, never inside.
"""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final

from dexrouter.io.clock import boot_time

__all__ = ["EventLoop", "Reader"]

_LONGEST_WAIT: Final = 60.0
_MOST_EVENTS: Final = 32
"""Taken at once; the kernel gives the others their turn. Room for them is made anew for each wait."""
_SLEPT: Final = 10.0
"""The wait took this much longer than asked: the machine slept (or was starved), sessions may be stale."""

Reader = Callable[[], object]
"""Reads a burst; `True`, and nothing else, says that no deadline has changed and nothing else is due."""

_Handler = signal.Handlers | Callable[[int, FrameType | None], object] | int | None


class EventLoop:
    """Waits for descriptors, signals and one deadline."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._signals: dict[int, Callable[[], None]] = {}
        self._handlers_before: dict[int, _Handler] = {}
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self.add_reader(self._wake_read.fileno(), self._handle_signals)
        self._running = False

    def add_reader(self, descriptor: int, callback: Reader) -> None:
        """Call back when the descriptor is readable."""
        self._readers[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove_reader(self, descriptor: int) -> None:
        """Forget a descriptor (before it is closed)."""
        del self._readers[descriptor]
        self._epoll.unregister(descriptor)

    def on_signal(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        """Call back, between packets, after this signal came."""
        self._signals[number] = callback
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        self._handlers_before.setdefault(number, signal.signal(number, _note_signal))

    def stop(self) -> None:
        """End `run` after the present round."""
        self._running = False

    def run(
        self, deadline: Callable[[], float], due: Callable[[float], None], slept: Callable[[float], None]
    ) -> None:
        """Go round until stopped.

        `deadline` says when `due` must be called at the latest (it is called after every round but those of
        plain data, too); `slept` is called first when far more time has passed than was waited for.
        """
        self._running = True
        readers, poll = self._readers, self._epoll.poll
        before = boot_time()
        until = deadline()
        while self._running:
            wait = min(max(until - before, 0.0), _LONGEST_WAIT)
            events = poll(wait, _MOST_EVENTS)
            now = boot_time()
            is_plain = bool(events) and now < until
            if now - before > wait + _SLEPT:
                slept(now)
                is_plain = False
            for descriptor, _ in events:
                callback = readers.get(descriptor)
                if callback is not None and callback() is not True:
                    is_plain = False
            if is_plain:
                before = now
                continue
            due(boot_time())
            before = boot_time()
            until = deadline()

    def close(self) -> None:
        """Give the descriptors back, and the signals to those who had them."""
        if self._signals:
            signal.set_wakeup_fd(-1)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        self._handlers_before.clear()
        self._epoll.close()
        self._wake_read.close()
        self._wake_write.close()

    def _handle_signals(self) -> None:
        try:
            numbers = self._wake_read.recv(64)
        except BlockingIOError:
            return
        for number in numbers:
            callback = self._signals.get(number)
            if callback is not None:
                callback()


def _note_signal(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that the signal does not end the process: the wake-up socket carries it."""
