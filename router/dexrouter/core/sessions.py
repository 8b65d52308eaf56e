"""End-to-end sessions: CryptoAuth between this node and any other, whatever lies between (spec 04).

One session for each address. A packet for an address without a path is held while the pathfinder searches; a
packet for a session that is not set up is held while a query (content type 256) carries the handshake. Data
for the host goes only through a session whose keys are fresh on both sides.

Rules:

* A packet that does not decrypt changes nothing. It is answered, at most ten times a second, with an
  authentication error no larger than itself (spec 03 §8.3).
* A hello from a stranger makes a session only if it decrypts, and replaces an established one only when it is
  proven fresh (core/renewal.py). Nothing in a handshake packet is for the host.
* Bounds: sessions, core/session_table.py; packets held, core/held.py; handshakes a second, core/admission.py.
* A path over which nothing comes back is put in doubt after 1.5 s and left as soon as another one answers.
  When none answers, the session itself begins anew: the other node may have restarted.

`events` tells the node what must follow: a search, a query that carries a handshake, a control frame.
"""

from __future__ import annotations

from collections import Counter
from struct import Struct
from typing import Final

from dexrouter.core.admission import Admission
from dexrouter.core.held import HeldPackets
from dexrouter.core.metric import SM_INCOMING, SM_SEND
from dexrouter.core.renewal import is_hello, take_hello
from dexrouter.core.session import (
    AuthenticationFailed,
    Discovered,
    Probe,
    SearchWanted,
    Session,
    SessionEvent,
    UnknownHandle,
)
from dexrouter.core.session_table import SessionTable
from dexrouter.crypto.cryptoauth import CryptoError, State
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.handshake import peek_handshake_key
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of, is_node_key
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import routes_through
from dexrouter.wire.session_frame import ContentType, data_header
from dexrouter.wire.switch_header import origin_header

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
_QUOTED_OF_LAST: Final = 256
"""Such a report must quote one of so many packets that were sent last."""

TICK: Final = 0.5
_ERRORS_PER_SECOND: Final = 10
IDENTIFY_SIZE: Final = 72
"""Length of the frame that asks a node for its key (KEYPING): shorter packets are not answered with one."""

_ERROR_SIZE: Final = 60
"""Length of the authentication error's whole frame."""

_MIN_RUN: Final = 24
_MIN_HANDSHAKE: Final = 124
_ANY_ROOM: Final = 65536
"""The answer to a hello is one router message, of any length."""
_WORD: Final = Struct(">I")
_TWO_WORDS: Final = Struct(">II")


Delivered = tuple[Session, int, bytes]
"""Session, content type, content."""


class Sessions:
    """All end-to-end sessions of a node. Frames out are complete, switch header included."""

    def __init__(self, *, own: KeyPair, entropy: Entropy, now: float) -> None:
        self._own = own
        self.drops: Counter[str] = Counter()
        self._table = SessionTable(own, entropy, self.drops)
        self.by_address = self._table.by_address
        self.by_handle = self._table.by_handle
        self._admission = Admission()
        self._next_tick = now
        self._errors_left = _ERRORS_PER_SECOND
        self._errors_until = now
        self.events: list[SessionEvent] = []
        self.frames: list[bytes] = []
        """Frames for the switch that became possible: held packets whose session is ready."""
        self._held = HeldPackets(self.drops)
        self.holding = self._held.by_address
        """Destinations that packets of the host wait for; read only."""

    # -- in

    def receive(self, path: int, body: bytes, now: float) -> Delivered | None:
        """Take what came behind the switch header over `path` (the way back): the content, or None."""
        if len(body) < _MIN_RUN:
            self.drops["session.short"] += 1
            return None
        word = _WORD.unpack_from(body)[0]
        if word <= 3:
            return self._receive_handshake(path, body, now)
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
            renewed = self._open_renewed(session, body[4:], now)
            if renewed is None:
                self._failed(session, path, body, plain, now)
                return None
            plain = renewed
        if len(plain) < 4:
            self.drops["session.no_data_header"] += 1
            return None
        self.heard(session, path, len(plain), now)
        return session, plain[2] << 8 | plain[3], plain[4:]

    def refused(self, session: Session, path: int, body: bytes, error: CryptoError, now: float) -> None:
        """Count a packet of a session that was refused, and tell its sender if that may be."""
        self._failed(session, path, body, error, now)

    def _receive_handshake(self, path: int, body: bytes, now: float) -> Delivered | None:
        key = peek_handshake_key(body) if len(body) >= _MIN_HANDSHAKE else None
        if key is None:
            self.drops["session.short"] += 1
            return None
        if key == self._own.public or not is_node_key(key):
            self.drops["session.bad_key"] += 1
            return None
        if not self._admission.take(V358.director(path), now):
            self.drops["session.too_many_handshakes"] += 1
            return None
        session = self.by_address.get(address_of(key))
        if session is not None and is_hello(body):
            session.crypto.reset_if_timeout(now)
            if session.can_carry_user_data:
                # Also with a key and no data yet: a hello that crossed ours is old, and must not end what
                # the other side has finished meanwhile.
                return self._receive_renewal(session, path, body, now)
        fresh = session or self._table.make(key, now)
        plain = fresh.crypto.open(body, now, apply_timeout=True)
        if isinstance(plain, CryptoError):
            self._failed(fresh, path, body, plain, now)
            return None
        if len(plain) < 8:
            self.drops["session.no_data_header"] += 1
            return None
        if session is None:
            self._table.keep(fresh)
        fresh.send_handle = _WORD.unpack_from(plain)[0]
        self.heard(fresh, path, len(plain), now)
        return self._early(fresh, plain)

    def _early(self, session: Session, plain: bytes) -> Delivered | None:
        """Give the content of a handshake packet, which may be a replay: nothing for the host."""
        content_type = plain[6] << 8 | plain[7]
        if content_type != ContentType.CJDHT:
            self.drops["session.early_data"] += 1
            return None
        return session, content_type, plain[8:]

    def _receive_renewal(self, session: Session, path: int, body: bytes, now: float) -> Delivered | None:
        """Take a hello that meets an established session: the node has restarted, or somebody replays."""
        taken = take_hello(session.crypto, session.renewal, body, now, room=_ANY_ROOM)
        if isinstance(taken, CryptoError):
            self._failed(session, path, body, taken, now)
            return None
        renewal, plain = taken
        if len(plain) < 8:
            self.drops["session.no_data_header"] += 1
            return None
        session.renewal = renewal
        renewal.path = path
        renewal.send_handle = _WORD.unpack_from(plain)[0]
        return self._early(session, plain)

    def _open_renewed(self, session: Session, packet: bytes, now: float) -> bytes | None:
        """Look whether a packet that the session refuses is for the next one, which then takes over."""
        renewal = session.renewal
        if renewal is None:
            return None
        plain = renewal.open_data(packet, now)
        if plain is not None:
            session.crypto = renewal.session
            session.send_handle = renewal.send_handle
            session.renewal = None
        return plain

    def heard(self, session: Session, path: int, size: int, now: float) -> None:
        """Note authentic packets of a session over a path, and their size without tags."""
        session.bytes_in += size
        session.last_heard = now
        if not session.paths.heard(path, now) and session.paths.discover(path, SM_INCOMING, now):
            self.events.append(Discovered(session, path))
        best = session.paths.best
        if best is None or best.label == path:
            session.unanswered_since = 0.0
        if session.address in self._held and session.can_carry_user_data:
            self._release(session, now)

    def _failed(self, session: Session, path: int, body: bytes, error: CryptoError, now: float) -> None:
        self.drops[f"session.{error.name.lower()}"] += 1
        best = session.paths.best
        if error is CryptoError.DECRYPT and session.crypto.state is State.RECEIVED_KEY and best is not None:
            # The other node goes on with the session before this one, until it has data of the new one.
            self._set_up(session, best.label, now)
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
            self._held.hold(address, content_type, content, now)
            self.events.append(SearchWanted(address))
            return None
        session.last_used = now
        path = session.paths.best
        if path is None:
            self._held.hold(address, content_type, content, now)
            self._search(session, now)
            return None
        session.crypto.reset_if_timeout(now)
        if not session.can_carry_user_data:
            self._held.hold(address, content_type, content, now)
            self._set_up(session, path.label, now)
            return None
        return self._frame(session, path.label, content_type, content, now)

    def ready(self, address: Address, now: float) -> tuple[Session, bytes] | None:
        """Give the session through which user data for an address can go now, and the header of its path.

        None: `send` it one by one.
        """
        session = self.by_address.get(address)
        if session is None:
            return None
        path = session.paths.best
        if path is None:
            return None
        crypto = session.crypto
        crypto.reset_if_timeout(now)
        if not crypto.is_established and not session.can_carry_user_data:
            return None
        return session, path.header

    def sent_run(self, session: Session, size: int, now: float) -> None:
        """Note user data that was sealed where it lies."""
        session.last_used = now
        session.bytes_out += size
        if not session.unanswered_since:
            session.unanswered_since = now

    def send_message(
        self, key: PublicKey, version: int, path: int, content: bytes, now: float
    ) -> bytes | None:
        """Send a router message (type 256) over a given path, opening the session if need be."""
        session = self.open(key, version, path, SM_SEND, now)
        if session is None:
            return None
        if self._speaks_for_renewal(session, path, now):
            return self._renewal_frame(session, content, now)
        session.crypto.reset_if_timeout(now)
        return self._frame(session, path, ContentType.CJDHT, content, now)

    @staticmethod
    def _speaks_for_renewal(session: Session, path: int, now: float) -> bool:
        """Whether a router message belongs to the next session.

        It does if it answers the hello that began it, or if the present session has fallen silent.
        """
        renewal = session.renewal
        if renewal is None or renewal.path != path or not renewal.is_alive(now):
            return False
        since = session.unanswered_since
        is_silent = since > 0 and now - max(since, session.last_heard) >= DOUBT_AFTER
        return renewal.may_answer(0, now) or is_silent

    @staticmethod
    def _renewal_frame(session: Session, content: bytes, now: float) -> bytes | None:
        renewal = session.renewal
        if renewal is None:
            return None
        plain = _WORD.pack(session.handle) + data_header(ContentType.CJDHT) + content
        return origin_header(renewal.path) + renewal.session.seal(plain, now)

    def _frame(self, session: Session, path: int, content_type: int, content: bytes, now: float) -> bytes:
        """Encrypt and put the switch header in front: path, version 1, everything else 0 (spec 04 §4.7)."""
        crypto = session.crypto
        header = data_header(content_type)
        session.bytes_out += len(content)
        if not session.unanswered_since:
            session.unanswered_since = now
        if crypto.state >= State.RECEIVED_KEY:
            packet = crypto.seal(header + content, now)
            return origin_header(path) + _WORD.pack(session.send_handle) + packet
        packet = crypto.seal(_WORD.pack(session.handle) + header + content, now)
        return origin_header(path) + packet

    # -- what the pathfinder says

    def open(self, key: PublicKey, version: int, path: int, metric: int, now: float) -> Session | None:
        """Find or make the session with a node, and note a path to it."""
        address = address_of(key)
        session = self.by_address.get(address)
        if session is None:
            if key == self._own.public or not is_node_key(key):
                return None
            session = self._table.keep(self._table.make(key, now))
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

    def unknown_there(self, path: int, quoted: bytes, now: float) -> None:
        """Take a report that the node at `path` knows no session of ours.

        Anybody on the way can write such a report: it must quote (handle and nonce) one of the last packets
        that we sent, and the other node must have been silent for a while.
        """
        handle, nonce = _TWO_WORDS.unpack_from(quoted)
        for session in self.by_address.values():
            best = session.paths.best
            if best is None or best.label != path or not session.crypto.is_established:
                continue
            age = session.crypto.next_counter - nonce
            is_ours = handle == session.send_handle and 0 < age <= _QUOTED_OF_LAST
            if is_ours and now - session.last_heard > BELIEVE_UNKNOWN_AFTER:
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
        self._held.expire(now)
        for session in tuple(self.by_address.values()):
            self._look_after(session, now)

    def _look_after(self, session: Session, now: float) -> None:
        if session.renewal is not None and not session.renewal.is_alive(now):
            session.renewal = None
        newest = max(session.paths.newest_validation(), session.last_heard)
        if now - newest > IDLE_AFTER and now - session.last_used > IDLE_AFTER:
            self._table.end(session)
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

    def _release(self, session: Session, now: float) -> None:
        path = session.paths.best
        if path is None:
            return
        # A key left lying for too long starts over with the next packet (spec 01 §9): not with this one.
        session.crypto.reset_if_timeout(now)
        if not session.can_carry_user_data:
            self._set_up(session, path.label, now)
            return
        for content_type, content in self._held.take(session.address):
            self.frames.append(self._frame(session, path.label, content_type, content, now))
