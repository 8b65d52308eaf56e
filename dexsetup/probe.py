"""Does a peer answer? One real handshake over an ordinary UDP socket: no TUN, no root, nothing written.

The hello carries a switch ping, so that the other end has a reason to answer; its key packet has the pong.
An authentic answer proves that the node has the private key of the public one that is listed, and that it
takes the password. Who gives no answer may be gone, or may refuse the password: a router never says which.

The session is the router's own (dexrouter.crypto.cryptoauth) with a key pair drawn for this one look, so a
probe tells nobody who asks. All peers are asked at once, each from a socket of its own.

Bounds: at most 256 peers at a time, 3 hellos each, one datagram every 4 ms.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from dexrouter import PROTOCOL_VERSION
from dexrouter.config import AddressError, ConnectTo, Family, parse_peer_address
from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.handshake import peek_handshake_key
from dexrouter.crypto.keys import KeyPair, KeyParseError, generate_key_pair, parse_public_key
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.control import CONTROL_WORD, Ping, Pong, parse_control
from dexrouter.wire.errors import WireError
from dexrouter.wire.switch_header import SIZE as SWITCH_HEADER_SIZE
from dexrouter.wire.switch_header import SwitchHeader

__all__ = ["Answer", "Result", "probe_peers"]

_MOST: Final = 256
_HELLOS_AT: Final = (0.0, 0.5, 1.5)
"""Seconds after the first look at which a peer is asked (again)."""
_PACE: Final = 0.004
_SELF_LABEL: Final = 1
_PING_DATA: Final = bytes(8)
_BUFFER: Final = 2048
_DEFAULT_SECONDS: Final = 3.0


class Answer(StrEnum):
    """What came of a probe."""

    OK = "answers"
    SILENT = "no answer"
    REFUSED = "refused"
    """The other machine says that nothing listens there."""
    OTHER_KEY = "other key"
    """Somebody answers, with another key than the one listed."""
    BAD_KEY = "bad key"
    BAD_ADDRESS = "bad address"
    UNREACHABLE = "no route"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome for one peer."""

    peer: ConnectTo
    answer: Answer
    rtt_ms: int | None = None
    version: int | None = None
    """Protocol version of the peer's router."""

    @property
    def text(self) -> str:
        """The outcome in a word or two, as it stands in a list."""
        return f"{self.rtt_ms} ms" if self.rtt_ms is not None else str(self.answer)


@dataclass(slots=True)
class _Call:
    """One peer while it is asked."""

    peer: ConnectTo
    place: tuple[str, int]
    family: Family
    session: Session
    sent_at: list[float] = field(default_factory=list)


def probe_peers(
    peers: Iterable[ConnectTo],
    *,
    seconds: float = _DEFAULT_SECONDS,
    entropy: Entropy = os.urandom,
    clock: Callable[[], float] = time.monotonic,
    report: Callable[[Result], None] = lambda _: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> tuple[Result, ...]:
    """Ask all peers at once and return what came of it, in their order; `report` hears each at once."""
    own = generate_key_pair(entropy)
    results: dict[int, Result] = {}
    calls: dict[int, _Call] = {}
    for index, peer in enumerate(tuple(peers)[:_MOST]):
        prepared = _prepared(peer, own, entropy, clock())
        if isinstance(prepared, Result):
            results[index] = prepared
            report(prepared)
        else:
            calls[index] = prepared
    with _Sockets() as sockets:
        _exchange(calls, results, sockets, _Run(seconds, clock, report, is_stopped))
    for index, call in calls.items():
        if index not in results:
            results[index] = Result(call.peer, Answer.SILENT)
            report(results[index])
    return tuple(results[index] for index in sorted(results))


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    clock: Callable[[], float]
    report: Callable[[Result], None]
    is_stopped: Callable[[], bool]


class _Sockets:
    """One socket for each peer: connected, so that the kernel tells of a port where nothing listens."""

    def __init__(self) -> None:
        self.by_index: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.by_index.values():
            one.close()

    def open(self, index: int, call: _Call) -> None:
        """Connect a socket. Raises OSError where there is no route."""
        family = socket.AF_INET6 if call.family is Family.IPV6 else socket.AF_INET
        one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.by_index[index] = one
        one.connect(call.place)

    def readable(self, indexes: Sequence[int], seconds: float) -> list[int]:
        """Wait for an answer (or a refusal) to any of these."""
        poll = select.poll()
        numbers = {self.by_index[index].fileno(): index for index in indexes}
        for number in numbers:
            poll.register(number, select.POLLIN)
        return [numbers[number] for number, _ in poll.poll(max(0.0, seconds) * 1000)]


def _prepared(peer: ConnectTo, own: KeyPair, entropy: Entropy, now: float) -> _Call | Result:
    try:
        place = parse_peer_address(peer.address)
    except AddressError:
        return Result(peer, Answer.BAD_ADDRESS)
    try:
        key = parse_public_key(peer.public_key)
    except KeyParseError:
        return Result(peer, Answer.BAD_KEY)
    login = peer.login.encode("utf-8", "surrogateescape") if peer.login else None
    session = Session(
        own=own,
        her_key=key,
        users=AuthorizedUsers(),
        require_auth=False,
        credentials=Credentials(peer.password.encode("utf-8", "surrogateescape"), login),
        entropy=entropy,
        now=now,
    )
    return _Call(peer, (place.host, place.port), place.family, session)


def _exchange(calls: dict[int, _Call], results: dict[int, Result], sockets: _Sockets, run: _Run) -> None:
    start = run.clock()

    def settle(index: int, answer: Answer, rtt: float | None = None, version: int | None = None) -> None:
        milliseconds = None if rtt is None else max(1, round(rtt * 1000))
        results[index] = Result(calls[index].peer, answer, milliseconds, version)
        run.report(results[index])

    while not run.is_stopped():
        now = run.clock()
        waiting = [index for index in calls if index not in results]
        if not waiting or now >= start + run.seconds:
            return
        for index in waiting:
            _call_if_due(index, calls[index], sockets, start, run.clock, settle)
        waiting = [index for index in waiting if index not in results]
        next_hello = min(
            (start + at for at in _HELLOS_AT if start + at > run.clock()), default=start + run.seconds
        )
        for index in sockets.readable(waiting, min(0.1, next_hello - run.clock())):
            _take(index, calls[index], sockets, run.clock, settle)


_Settle = Callable[..., None]


def _call_if_due(
    index: int, call: _Call, sockets: _Sockets, start: float, clock: Callable[[], float], settle: _Settle
) -> None:
    count = len(call.sent_at)
    if count >= len(_HELLOS_AT) or clock() < start + _HELLOS_AT[count]:
        return
    try:
        if count == 0:
            sockets.open(index, call)
            time.sleep(_PACE)
        call.sent_at.append(clock())
        sockets.by_index[index].send(call.session.seal(_ping(), clock()))
    except ConnectionRefusedError:
        settle(index, Answer.REFUSED)
    except OSError:
        settle(index, Answer.UNREACHABLE)


def _take(index: int, call: _Call, sockets: _Sockets, clock: Callable[[], float], settle: _Settle) -> None:
    try:
        packet = sockets.by_index[index].recv(_BUFFER)
    except BlockingIOError:
        return
    except OSError:
        settle(index, Answer.REFUSED)
        return
    key = peek_handshake_key(packet)
    if key is not None and key != call.session.her_key:
        settle(index, Answer.OTHER_KEY)
        return
    content = call.session.open(packet, clock(), apply_timeout=False)
    if isinstance(content, CryptoError):
        return
    settle(index, Answer.OK, clock() - call.sent_at[-1], _version(content))


def _ping() -> bytes:
    """Return a frame for the router at the other end of the link (spec 03 §8)."""
    control = Ping(PROTOCOL_VERSION, _PING_DATA).encode()
    return SwitchHeader(_SELF_LABEL).encode() + CONTROL_WORD.to_bytes(4, "big") + control


def _version(frame: bytes) -> int | None:
    """Return the protocol version of a pong; other frames are as authentic and tell none."""
    try:
        control = parse_control(frame[SWITCH_HEADER_SIZE + 4 :])
    except WireError:
        return None
    return control.version if isinstance(control, Pong) else None
