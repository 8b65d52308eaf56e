"""End-to-end sessions: CryptoAuth between this node and any other, whatever lies between (spec 04).

One session for each address. A packet for an address without a path is held while the pathfinder searches; a
packet for a session that is not set up is held while a query (content type 256) carries the handshake. Data
for the host goes only through a session whose keys are fresh on both sides.

Rules:

* Handles are ours to give: session number n has handle first + n, the first drawn by chance.
* A packet that does not decrypt changes nothing. It is answered, at most ten times a second, with an
  authentication error no larger than itself (spec 03 §8.3).
* A hello from a stranger makes a session only if it decrypts. Bounds: 4,096 sessions, the one that was
  longest without user traffic and without an authentic packet gives way; packets held for 64 addresses,
  4 packets each, 10 s.
* A path over which nothing comes back is put in doubt after 1.5 s and left as soon as another one answers.
  When none answers, the session itself begins anew: the other node may have restarted.

`events` tells the node what must follow: a search, a query that carries a handshake, a control frame.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from struct import Struct
from typing import Final

from dexrouter.core.metric import SM_INCOMING, SM_SEND
from dexrouter.core.paths import Paths
from dexrouter.crypto.cryptoauth import CryptoError, State, peek_handshake_key
from dexrouter.crypto.cryptoauth import Session as CryptoSession
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of, is_node_key
from dexrouter.crypto.users import AuthorizedUsers
from dexrouter.wire.labels import routes_through
from dexrouter.wire.session_frame import ContentType, data_header

__all__ = [
    "AuthenticationFailed",
    "Delivered",
    "Discovered",
    "Probe",
    "SearchWanted",
    "Session",
    "SessionEvent",
    "Sessions",
    "UnknownHandle",
]

MAX_SESSIONS: Final = 4096
MAX_HELD_ADDRESSES: Final = 64
MAX_HELD_EACH: Final = 4
HOLD_FOR: Final = 10.0
IDLE_AFTER: Final = 120.0
"""Seconds without a validated path: the session ends. Without user traffic: it is no longer kept up."""
SEARCH_AGAIN_AFTER: Final = 30.0
SETUP_AGAIN_AFTER: Final = 0.5
DOUBT_AFTER: Final = 1.5
"""Seconds without any answer to what we sent, before the path is doubted."""
RENEW_AFTER: Final = 5.0
"""Seconds without any answer, before the session begins anew."""
BELIEVE_UNKNOWN_AFTER: Final = 1.0
"""Silence after which a report that the other node has no session is acted upon."""

TICK: Final = 0.5
_ERRORS_PER_SECOND: Final = 10
IDENTIFY_SIZE: Final = 72
"""Length of the frame that asks a node for its key (KEYPING): shorter packets are not answered with one."""

_ERROR_SIZE: Final = 60
"""Length of the authentication error's whole frame."""

_MIN_RUN: Final = 24
_MIN_HANDSHAKE: Final = 124
_FIRST_HANDLES: Final = 99_996
_HEADER: Final = Struct(">QBBH")
_WORD: Final = Struct(">I")
_TWO_WORDS: Final = Struct(">II")


@dataclass(frozen=True, slots=True)
class SearchWanted:
    """No path to this address is known, or the known ones fail."""

    address: Address


@dataclass(frozen=True, slots=True)
class Probe:
    """Send a query over this path of the session: to set it up, or to see whether the path works."""

    session: Session
    path: int


@dataclass(frozen=True, slots=True)
class Discovered:
    """A packet of this session came over a path that was not known."""

    session: Session
    path: int


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Tell the sender at `path` that its packet did not decrypt (spec 03 §8.3)."""

    path: int
    body: bytes
    """What came behind the switch header."""
    error: CryptoError
    state: State


@dataclass(frozen=True, slots=True)
class UnknownHandle:
    """A packet for no session of ours came over `path`: its sender does not know that we began anew."""

    path: int


SessionEvent = UnknownHandle | SearchWanted | Probe | Discovered | AuthenticationFailed


class Session:
    """One session. Times are monotonic seconds."""

    __slots__ = (
        "address",
        "bytes_in",
        "bytes_out",
        "crypto",
        "handle",
        "key",
        "last_heard",
        "last_search",
        "last_setup",
        "last_used",
        "paths",
        "send_handle",
        "unanswered_since",
        "version",
    )

    def __init__(self, *, key: PublicKey, crypto: CryptoSession, handle: int, now: float) -> None:
        self.key = key
        self.address: Address = address_of(key)
        self.crypto = crypto
        self.handle = handle
        """Ours: run packets for us carry it."""
        self.send_handle = 0
        """Theirs, told in their handshake packets."""
        self.version = 0
        self.paths = Paths()
        self.last_used = 0.0
        """Last user traffic out; 0: none lately."""
        self.last_search = 0.0
        self.last_setup = 0.0
        self.last_heard = now
        """Last authentic packet."""
        self.unanswered_since = 0.0
        """When we first sent something that nothing has come back after; 0: all answered."""
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def can_carry_user_data(self) -> bool:
        """Whether keys are fresh on both sides: data for the host may go out."""
        return self.crypto.state >= State.RECEIVED_KEY

    def __repr__(self) -> str:
        return f"<Session {self.address.hex()} {self.crypto.state.name}>"


Delivered = tuple[Session, int, bytes]
"""Session, content type, content."""


class Sessions:
    """All end-to-end sessions of a node. Frames out are complete, switch header included."""

    def __init__(self, *, own: KeyPair, entropy: Entropy, now: float) -> None:
        self._own = own
        self._entropy = entropy
        self._users = AuthorizedUsers()
        """Empty: end-to-end sessions know no passwords."""
        self._next_handle = 4 + int.from_bytes(entropy(4), "big") % _FIRST_HANDLES
        self.by_address: dict[Address, Session] = {}
        self.by_handle: dict[int, Session] = {}
        self._held: dict[Address, list[tuple[float, int, bytes]]] = {}
        self._next_tick = now
        self._errors_left = _ERRORS_PER_SECOND
        self._errors_until = now
        self.events: list[SessionEvent] = []
        self.frames: list[bytes] = []
        """Frames for the switch that became possible: held packets whose session is ready."""
        self.drops: Counter[str] = Counter()

    # -- in

    def receive(self, path: int, body: bytes, now: float) -> Delivered | None:
        """Take what came behind the switch header over `path` (the way back): the content, or None."""
        if len(body) < _MIN_RUN:
            self.drops["session.short"] += 1
            return None
        word = _WORD.unpack_from(body)[0]
        if word > 3:
            session = self.by_handle.get(word)
            if session is None:
                self.drops["session.unknown_handle"] += 1
                if len(body) + 12 >= IDENTIFY_SIZE and self._may_speak(now):
                    self.events.append(UnknownHandle(path))
                return None
            if _WORD.unpack_from(body, 4)[0] < 4:
                self.drops["session.setup_behind_handle"] += 1
                return None
            plain = session.crypto.open(body[4:], now, apply_timeout=False)
            if isinstance(plain, CryptoError):
                self._failed(session, path, body, plain, now)
                return None
            if len(plain) < 4:
                self.drops["session.no_data_header"] += 1
                return None
            self._heard(session, path, now)
            session.bytes_in += len(plain)
            return session, plain[2] << 8 | plain[3], plain[4:]
        return self._receive_handshake(path, body, now)

    def _receive_handshake(self, path: int, body: bytes, now: float) -> Delivered | None:
        key = peek_handshake_key(body) if len(body) >= _MIN_HANDSHAKE else None
        if key is None:
            self.drops["session.short"] += 1
            return None
        if key == self._own.public or not is_node_key(key):
            self.drops["session.bad_key"] += 1
            return None
        session = self.by_address.get(address_of(key))
        fresh = session or self._make(key, now)
        plain = fresh.crypto.open(body, now, apply_timeout=True)
        if isinstance(plain, CryptoError):
            self._failed(fresh, path, body, plain, now)
            return None
        if len(plain) < 8:
            self.drops["session.no_data_header"] += 1
            return None
        if session is None:
            self._keep(fresh)
        fresh.send_handle = _WORD.unpack_from(plain)[0]
        fresh.bytes_in += len(plain)
        self._heard(fresh, path, now)
        return fresh, plain[6] << 8 | plain[7], plain[8:]

    def _heard(self, session: Session, path: int, now: float) -> None:
        session.last_heard = now
        session.unanswered_since = 0.0
        if not session.paths.heard(path, now) and session.paths.discover(path, SM_INCOMING, now):
            self.events.append(Discovered(session, path))
        if session.address in self._held and session.can_carry_user_data:
            self._release(session, now)

    def _failed(self, session: Session, path: int, body: bytes, error: CryptoError, now: float) -> None:
        self.drops[f"session.{error.name.lower()}"] += 1
        if len(body) + 12 < _ERROR_SIZE:
            return
        if self._may_speak(now):
            self.events.append(AuthenticationFailed(path, body, error, session.crypto.state))

    def _may_speak(self, now: float) -> bool:
        """Bound what strangers can make us send."""
        if now >= self._errors_until:
            self._errors_until = now + 1.0
            self._errors_left = _ERRORS_PER_SECOND
        if not self._errors_left:
            return False
        self._errors_left -= 1
        return True

    # -- out

    def send(self, address: Address, content_type: int, content: bytes, now: float) -> bytes | None:
        """Send user data: the frame, or None if it is held (or dropped) until a path and keys are there."""
        session = self.by_address.get(address)
        if session is None:
            self._hold(address, content_type, content, now)
            self.events.append(SearchWanted(address))
            return None
        session.last_used = now
        path = session.paths.best
        if path is None:
            self._hold(address, content_type, content, now)
            self._search(session, now)
            return None
        session.crypto.reset_if_timeout(now)
        if not session.can_carry_user_data:
            self._hold(address, content_type, content, now)
            self._set_up(session, path.label, now)
            return None
        return self._frame(session, path.label, content_type, content, now)

    def send_message(
        self, key: PublicKey, version: int, path: int, content: bytes, now: float
    ) -> bytes | None:
        """Send a router message (type 256) over a given path, opening the session if need be."""
        session = self.open(key, version, path, SM_SEND, now)
        if session is None:
            return None
        session.crypto.reset_if_timeout(now)
        return self._frame(session, path, ContentType.CJDHT, content, now)

    def _frame(self, session: Session, path: int, content_type: int, content: bytes, now: float) -> bytes:
        """Encrypt and put the switch header in front: path, version 1, everything else 0 (spec 04 §4.7)."""
        crypto = session.crypto
        header = data_header(content_type)
        session.bytes_out += len(content)
        if not session.unanswered_since:
            session.unanswered_since = now
        if crypto.state >= State.RECEIVED_KEY:
            packet = crypto.seal(header + content, now)
            return _HEADER.pack(path, 0, 0x40, 0) + _WORD.pack(session.send_handle) + packet
        packet = crypto.seal(_WORD.pack(session.handle) + header + content, now)
        return _HEADER.pack(path, 0, 0x40, 0) + packet

    # -- what the pathfinder says

    def open(self, key: PublicKey, version: int, path: int, metric: int, now: float) -> Session | None:
        """Find or make the session with a node, and note a path to it."""
        address = address_of(key)
        session = self.by_address.get(address)
        if session is None:
            if key == self._own.public or not is_node_key(key):
                return None
            session = self._keep(self._make(key, now))
        if version:
            session.version = version
        session.paths.discover(path, metric, now)
        return session

    def path_found(self, key: PublicKey, version: int, path: int, metric: int, now: float) -> None:
        """Note a path; held packets and unfinished handshakes go on at once."""
        address = address_of(key)
        if address not in self.by_address and address not in self._held:
            return
        session = self.open(key, version, path, metric, now)
        if session is None or address not in self._held:
            return
        if session.can_carry_user_data:
            self._release(session, now)
        elif (best := session.paths.best) is not None:
            self._set_up(session, best.label, now)

    def path_lost(self, address: Address, path: int, now: float) -> None:
        """Forget a path that is dead; ask for another if the session is in use."""
        session = self.by_address.get(address)
        if session is None:
            return
        session.paths.drop(path, now)
        if session.last_used and session.paths.best is None:
            self._search(session, now)

    def path_failed(self, path: int, now: float) -> None:
        """Stop using a path from which a switch error came back."""
        for session in self.by_address.values():
            if any(known.label == path for known in session.paths):
                self.path_lost(session.address, path, now)

    def first_hop_lost(self, label: int, now: float) -> None:
        """Drop every path that begins with the label of a peer that is gone."""
        for session in tuple(self.by_address.values()):
            for path in tuple(session.paths):
                if routes_through(path.label, label):
                    self.path_lost(session.address, path.label, now)

    def unknown_there(self, path: int, now: float) -> None:
        """Take a report that the node at `path` knows no session of ours; without silence it is ignored."""
        for session in self.by_address.values():
            best = session.paths.best
            if best is None or best.label != path or not session.crypto.is_established:
                continue
            if now - session.last_heard > BELIEVE_UNKNOWN_AFTER:
                session.crypto.reset()
                self._set_up(session, path, now)

    # -- time

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called; None without sessions."""
        return self._next_tick if self.by_address or self._held else None

    def poll(self, now: float) -> None:
        """Look after every session: expiry, upkeep, doubt (spec 04 §5.3)."""
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        for address, packets in tuple(self._held.items()):
            if now - packets[-1][0] > HOLD_FOR:
                self.drops["session.held_too_long"] += len(packets)
                del self._held[address]
        for session in tuple(self.by_address.values()):
            self._look_after(session, now)

    def _look_after(self, session: Session, now: float) -> None:
        newest = max(session.paths.newest_validation(), session.last_heard)
        if now - newest > IDLE_AFTER and now - session.last_used > IDLE_AFTER:
            self._end(session)
            return
        if not session.last_used:
            return
        if now - session.last_used > IDLE_AFTER:
            session.last_used = 0.0
            return
        if now - session.last_search >= SEARCH_AGAIN_AFTER:
            self._search(session, now)
        if not session.crypto.is_established:
            best = session.paths.best
            if best is not None:
                self._set_up(session, best.label, now)
            else:
                self._search(session, now)
        self._watch(session, now)

    def _watch(self, session: Session, now: float) -> None:
        """Doubt the path, then the session, when nothing comes back any more."""
        if not session.unanswered_since:
            return
        silent = now - session.unanswered_since
        if silent < DOUBT_AFTER:
            return
        if silent > RENEW_AFTER and session.crypto.is_established and now - session.last_heard > RENEW_AFTER:
            session.crypto.reset()
            session.unanswered_since = now
        for label in session.paths.doubt(now, again_after=DOUBT_AFTER):
            self.events.append(Probe(session, label))
        self._search(session, now)

    # -- inside

    def _search(self, session: Session, now: float) -> None:
        if now - session.last_search >= 1.0:
            session.last_search = now
            self.events.append(SearchWanted(session.address))

    def _set_up(self, session: Session, path: int, now: float) -> None:
        if now - session.last_setup >= SETUP_AGAIN_AFTER:
            session.last_setup = now
            self.events.append(Probe(session, path))

    def _hold(self, address: Address, content_type: int, content: bytes, now: float) -> None:
        packets = self._held.get(address)
        if packets is None:
            if len(self._held) >= MAX_HELD_ADDRESSES:
                self.drops["session.hold_full"] += 1
                return
            self._held[address] = [(now, content_type, content)]
            return
        if len(packets) >= MAX_HELD_EACH:
            packets.pop(0)
            self.drops["session.held_replaced"] += 1
        packets.append((now, content_type, content))

    def _release(self, session: Session, now: float) -> None:
        path = session.paths.best
        if path is None:
            return
        for _, content_type, content in self._held.pop(session.address):
            self.frames.append(self._frame(session, path.label, content_type, content, now))

    def _make(self, key: PublicKey, now: float) -> Session:
        crypto = CryptoSession(
            own=self._own,
            her_key=key,
            users=self._users,
            require_auth=False,
            credentials=None,
            entropy=self._entropy,
            now=now,
        )
        return Session(key=key, crypto=crypto, handle=self._next_handle, now=now)

    def _keep(self, session: Session) -> Session:
        if len(self.by_address) >= MAX_SESSIONS:
            idle = min(self.by_address.values(), key=lambda other: max(other.last_used, other.last_heard))
            self.drops["session.evicted"] += 1
            self._end(idle)
        self._next_handle += 1
        self.by_address[session.address] = session
        self.by_handle[session.handle] = session
        return session

    def _end(self, session: Session) -> None:
        del self.by_address[session.address]
        del self.by_handle[session.handle]
