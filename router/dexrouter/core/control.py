"""The router's control handler: answers control frames and matches answers to its own (spec 03 §8).

Rules:

* Control frames are not encrypted end to end: every switch on the path can read, forge or repeat them. So an
  answer is never larger than its query, costs no state, and what an answer says is a hint.
* An answer counts only if its data is that of a ping still outstanding. At most 50 are, beside those that go
  to every peer: whether it lives, what its label of us is.
* Whatever is wrong with a frame, it is dropped and counted; nothing is answered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION, PROTOCOL_VERSION
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import PublicKey
from dexrouter.wire.control import (
    NO_UDP_ADDRESS,
    Control,
    GetSnodeQuery,
    GetSnodeReply,
    KeyPing,
    KeyPong,
    LlAddrQuery,
    LlAddrReply,
    Ping,
    Pong,
    RPathQuery,
    RPathReply,
    SwitchError,
    parse_control,
)
from dexrouter.wire.errors import WireError

__all__ = [
    "COOKIE_SIZE",
    "Answered",
    "ControlHandler",
    "ErrorReceived",
    "PingKind",
    "PingPurpose",
    "PingTimeout",
]

MAX_OUTSTANDING: Final = 50
"""As the C router (spec 03 §8.4), but for the pings that go to every peer:"""

MAX_LIVENESS: Final = 1024
MAX_ROUTE_SERVER: Final = 512
"""four and two for each of 256 peers, so that silent peers do not use up what the others need."""

COOKIE_SIZE: Final = 12
"""Bytes of our own in front of the data of a ping: by them its answer is known."""


class PingPurpose(Enum):
    """Who asked, and so who gets the answer."""

    LIVENESS = auto()
    ADMIN = auto()
    ROUTE_SERVER = auto()
    IDENTIFY = auto()
    """Whose packets are these, that belong to no session of ours?"""


class PingKind(Enum):
    """Which query goes out (spec 03 §8.2)."""

    PING = auto()
    KEY_PING = auto()
    RPATH = auto()
    GET_SNODE = auto()
    LLADDR = auto()
    """At which UDP address are we seen: answered by v22 and later."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One of our pings was answered."""

    purpose: PingPurpose
    asked_path: int
    path: int
    """Path to the node that answered; another than asked_path if the answer came from elsewhere."""
    version: int
    rtt: float
    """Seconds."""
    answer: Control
    ticket: int = 0
    """What the asker gave with the ping, to know it again."""


@dataclass(frozen=True, slots=True)
class PingTimeout:
    """One of our pings was not answered in time."""

    purpose: PingPurpose
    asked_path: int
    waited: float
    """Seconds."""
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class ErrorReceived:
    """A switch or router on a path reports an error (spec 03 §6.3, §8.3). Unauthenticated: a hint."""

    path: int
    """The full path whose use failed."""
    error: SwitchError


ControlEvent = Answered | PingTimeout | ErrorReceived


@dataclass(slots=True)
class _Outstanding:
    """A ping whose answer is waited for. Times are monotonic seconds."""

    purpose: PingPurpose
    path: int
    sent: float
    deadline: float
    ticket: int


class ControlHandler:
    """One node's control frames, both ways. `receive` gives the reply frame; `events` what was learnt."""

    def __init__(self, *, own_key: PublicKey, entropy: Entropy) -> None:
        self._own_key = own_key
        self._entropy = entropy
        self._outstanding: dict[bytes, _Outstanding] = {}
        self._counts: Counter[PingPurpose] = Counter()
        """How many of them are outstanding."""
        self.events: list[ControlEvent] = []
        self.drops: Counter[str] = Counter()
        self.route_server: tuple[PublicKey, int, int] | None = None
        """Key, version and path of the route server that we tell others about, if there is one."""

    def ping(
        self,
        path: int,
        purpose: PingPurpose,
        now: float,
        *,
        timeout: float,
        kind: PingKind = PingKind.PING,
        data: bytes = b"",
        ticket: int = 0,
    ) -> bytes | None:
        """Make a query for the node at `path`: the control frame, or None if too many are outstanding."""
        if self._is_full(purpose):
            self._expire(now)
            if self._is_full(purpose):
                self.drops["control.no_slot"] += 1
                return None
        cookie = self._entropy(COOKIE_SIZE)
        self._outstanding[cookie] = _Outstanding(purpose, path, now, now + timeout, ticket)
        self._counts[purpose] += 1
        data = cookie + data
        match kind:
            case PingKind.PING:
                return Ping(PROTOCOL_VERSION, data).encode()
            case PingKind.KEY_PING:
                return KeyPing(PROTOCOL_VERSION, self._own_key, data).encode()
            case PingKind.RPATH:
                return RPathQuery(PROTOCOL_VERSION, path, data).encode()
            case PingKind.GET_SNODE:
                return self._snode_query(data).encode()
            case PingKind.LLADDR:
                return LlAddrQuery(PROTOCOL_VERSION, NO_UDP_ADDRESS, data).encode()

    def next_deadline(self) -> float | None:
        """When the first outstanding ping times out."""
        return min((ping.deadline for ping in self._outstanding.values()), default=None)

    def poll(self, now: float) -> None:
        """Give up pings that were not answered in time."""
        self._expire(now)

    def receive(
        self, path: int, body: bytes, now: float, *, label_for_asker: int | None = None
    ) -> bytes | None:
        """Take a control frame that came over `path` (already the way back); give the reply, if any.

        `label_for_asker` is our route server's path fitted for this asker; see node.py.
        """
        try:
            frame = parse_control(body)
        except WireError:
            self.drops["control.malformed"] += 1
            return None
        match frame:
            case Ping(version=version, data=data):
                if version < OLDEST_COMPATIBLE_VERSION:
                    self.drops["control.incompatible"] += 1
                    return None
                return Pong(version=PROTOCOL_VERSION, data=data).encode()
            case KeyPing(version=version, data=data):
                if version < OLDEST_COMPATIBLE_VERSION:
                    self.drops["control.incompatible"] += 1
                    return None
                return KeyPong(version=PROTOCOL_VERSION, key=self._own_key, data=data).encode()
            case RPathQuery(data=data):
                return RPathReply(version=PROTOCOL_VERSION, rpath=path, data=data).encode()
            case GetSnodeQuery(version=version, data=data):
                if version < OLDEST_COMPATIBLE_VERSION:
                    self.drops["control.incompatible"] += 1
                    return None
                return self._snode_reply(data, label_for_asker)
            case Pong(version=version, data=data) | RPathReply(version=version, data=data):
                self._answered(path, version, data, frame, now)
            case KeyPong(version=version, data=data) | GetSnodeReply(version=version, data=data):
                self._answered(path, version, data, frame, now)
            case LlAddrReply(version=version, data=data):
                self._answered(path, version, data, frame, now)
            case SwitchError():
                self.events.append(ErrorReceived(path, frame))
            case _:
                self.drops["control.unknown"] += 1
        return None

    def _answered(self, path: int, version: int, data: bytes, answer: Control, now: float) -> None:
        asked = self._outstanding.pop(data[:COOKIE_SIZE], None)
        if asked is None:
            self.drops["control.not_asked"] += 1
            return
        self._counts[asked.purpose] -= 1
        self.events.append(
            Answered(asked.purpose, asked.path, path, version, now - asked.sent, answer, asked.ticket)
        )

    def _is_full(self, purpose: PingPurpose) -> bool:
        counts = self._counts
        match purpose:
            case PingPurpose.LIVENESS:
                return counts[purpose] >= MAX_LIVENESS
            case PingPurpose.ROUTE_SERVER:
                return counts[purpose] >= MAX_ROUTE_SERVER
            case PingPurpose.ADMIN | PingPurpose.IDENTIFY:
                return counts[PingPurpose.ADMIN] + counts[PingPurpose.IDENTIFY] >= MAX_OUTSTANDING

    def _expire(self, now: float) -> None:
        for cookie, ping in tuple(self._outstanding.items()):
            if now >= ping.deadline:
                del self._outstanding[cookie]
                self._counts[ping.purpose] -= 1
                self.events.append(PingTimeout(ping.purpose, ping.path, now - ping.sent, ping.ticket))

    def _snode_query(self, data: bytes) -> GetSnodeQuery:
        key, version, path = self.route_server or (PublicKey(bytes(32)), 0, 0)
        return GetSnodeQuery(
            version=PROTOCOL_VERSION,
            snode_version=version,
            kbps=0,
            snode_key=key,
            path_to_snode=path,
            data=data,
        )

    def _snode_reply(self, data: bytes, label_for_asker: int | None) -> bytes:
        key, version, _ = self.route_server or (PublicKey(bytes(32)), 0, 0)
        return GetSnodeReply(
            version=PROTOCOL_VERSION,
            snode_version=version,
            kbps=0xFFFFFFFF,
            snode_key=key,
            path_to_snode=label_for_asker or 0,
            data=data,
        ).encode()
