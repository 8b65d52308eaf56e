"""dex-mailqueue: looks at opensmtpd's queue, and lets it try a letter when the recipient's machine answers.

A unit of its own starts it, as root, because opensmtpd tells and does that for root alone. It holds no
rights beside that, reads no letters and listens to nobody. A machine answers when its port 25 accepts a
connection, which is closed at once. What smtpctl says while opensmtpd is away is passed over.

A smtpctl that is killed while opensmtpd answers it takes opensmtpd down (6.8.0p2: "control: exiting:
Connection reset by peer"). So nothing here kills one: it has no time limit, and the signals that end this
program wait, in it and in its smtpctl, until the round is over.
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Address

from dexsetup.mailqueue.rules import Patience, routes_to, waiting_letters

__all__ = ["answering", "main", "serve_once"]

Ask = Callable[[tuple[IPv6Address, ...]], tuple[IPv6Address, ...]]

_ROUND_SECONDS = 5.0
_CONNECT_SECONDS = 4.0
_SMTP_PORT = 25
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_DIRECTORIES = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal of _ENDING; takes no arguments. Gives 2 when it is called wrongly, else 0."""
    if sys.argv[1:] if argv is None else argv:
        sys.stderr.write("dex-mailqueue is started by its unit, without arguments\n")
        return 2
    patience = Patience()
    # Whatever is started from here on has them shut out as well.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    while True:
        serve_once(patience, time.monotonic())
        if signal.sigtimedwait(_ENDING, _ROUND_SECONDS) is not None:
            return 0


def serve_once(patience: Patience, now: float, ask: Ask | None = None) -> None:
    """Look at the queue once, ask the machines that are due, and send to those that answer."""
    waiting = waiting_letters(_smtpctl("show", "queue"))
    here = (answering if ask is None else ask)(patience.due(waiting, now))
    routes = _smtpctl("show", "routes") if here else ""
    for address in here:
        for route in routes_to(address, routes):
            _smtpctl("resume", "route", route)
        for letter in waiting[address]:
            _smtpctl("schedule", letter)
        sys.stderr.write(f"{address} answers: {len(waiting[address])} waiting letters are sent\n")
        sys.stderr.flush()


def answering(addresses: Iterable[IPv6Address], port: int = _SMTP_PORT) -> tuple[IPv6Address, ...]:
    """Return those of the addresses whose port accepts a connection in time. All are asked at once."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    poll = select.poll()
    asked: dict[int, tuple[IPv6Address, socket.socket]] = {}
    found = []
    with ExitStack() as stack:
        for address in addresses:
            one = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
            one.setblocking(False)
            one.connect_ex((str(address), port))
            poll.register(one, select.POLLOUT)
            asked[one.fileno()] = (address, one)
        while asked and (left := deadline - time.monotonic()) > 0:
            for number, _ in poll.poll(left * 1000):
                poll.unregister(number)
                address, one = asked.pop(number)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and _is_connected(one):
                    found.append(address)
    return tuple(found)


def _is_connected(one: socket.socket) -> bool:
    try:
        one.getpeername()
    except OSError:
        return False
    return True


def _smtpctl(*arguments: str) -> str:
    """Return what smtpctl prints; nothing where it fails, as it does while opensmtpd is away."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words and ids that were read as digits and letters
            ["smtpctl", *arguments],  # noqa: S607 - where it lies differs; the path is ours
            check=False,
            capture_output=True,
            env=_DIRECTORIES,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
