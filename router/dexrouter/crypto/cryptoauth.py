"""CryptoAuth: one session with one other key (spec 01 §2 to §9).

`seal` makes one packet of one payload, `open` gives the payload of one packet or the reason against it. The
same machine serves links (with credentials) and end-to-end sessions (without).

Rules:

* Pure: the time is an argument (monotonic seconds), entropy a callable, errors of the other end are return
  values. Misuse by our own code raises `ValueError`.
* A packet that is refused changes nothing, with one exception that the protocol asks for: a data packet
  that arrives before the session is established moves the replay window (spec 01 §8 B4).
* `seal_run` and `open_run` are the per-packet path: they do the same to many data packets that lie in one
  buffer (crypto/runs.py). What is not plain data of an established session they leave to `seal` and `open`.
* `next` is the protocol's own variable: below 5 it is the state, above it is the counter of our next data
  packet.

What may follow what is `TRANSITIONS`; everything before it in `_open_handshake` only decides whether the
packet is authentic.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import KEY_SIZE, KeyPair, PublicKey, address_of
from dexrouter.crypto.primitives import (
    TAG_SIZE,
    BoxKey,
    box_secret,
    is_low_order,
    open_at,
    open_behind,
    password_secret,
    prepare_key,
    public_key_of,
    seal_behind,
)
from dexrouter.crypto.replay import WINDOW, ReplayWindow
from dexrouter.crypto.runs import (
    INITIATOR_SHIFT,
    RESPONDER_SHIFT,
    Buffers,
    close_again,
    data_counters,
    open_boxes,
    open_one,
    seal_boxes,
    seal_one,
)
from dexrouter.crypto.spans import Spans
from dexrouter.crypto.transitions import TRANSITIONS, Action, Arrival, CryptoError, Phase, State
from dexrouter.crypto.users import AUTH_NONE, AuthorizedUsers, Credentials, User
from dexrouter.wire.crypto_header import (
    BOX_AT,
    FIRST_DATA_COUNTER,
    HANDSHAKE_SIZE,
    MIN_PACKET,
    NONCE_SIZE,
    CryptoHeader,
)

__all__ = ["CryptoError", "Session", "State", "peek_handshake_key"]


HANDSHAKE_TIMEOUT: Final = 10
"""Seconds after which a handshake that is not complete starts over (spec 01 §9)."""

SILENCE_TIMEOUT: Final = 60
"""Seconds without data from her after which an established session starts over."""

COUNTER_LIMIT: Final = 0xFFFF_FFF0
"""Data counter at which the session starts over."""

_NO_KEY: Final = bytes(KEY_SIZE)
_WORD: Final = Struct(">I")
_CHALLENGE_RANDOM: Final = 9
"""Random bytes of the challenge without credentials: seven of lookup, two of derivations."""

_FEW: Final = 5
"""So many packets are sealed and opened faster one by one than in columns."""

_MOST_AT_ONCE: Final = 64
"""Packets that are opened before any of them is judged; after a refused one it is one, then two, four ..."""

_STATES: Final = (State.INIT, State.SENT_HELLO, State.RECEIVED_HELLO, State.SENT_KEY, State.RECEIVED_KEY)
_PHASES: Final = (Phase.IDLE, Phase.ASKING, Phase.ANSWERING, Phase.ANSWERING, Phase.KEYED)


def peek_handshake_key(packet: bytes | memoryview) -> PublicKey | None:
    """Give the permanent key that a handshake packet (first word 0 to 3) claims; None for other packets.

    Nothing is proven by it: the packet must still be opened by a session with this key.
    """
    if len(packet) < HANDSHAKE_SIZE or _WORD.unpack_from(packet)[0] >= FIRST_DATA_COUNTER:
        return None
    return PublicKey(bytes(packet[BOX_AT - KEY_SIZE : BOX_AT]))


class Session:
    """One CryptoAuth session. Its user list is shared by all sessions of a node.

    `require_auth` is true for incoming links only; `credentials` go into every handshake packet that we send.

    A permanent key of low order is nobody's (see `is_node_key`): a session with it does no harm. It opens no
    handshake, and its hellos are sealed with a random key, so that nobody can read them.
    """

    __slots__ = (
        "_at_once",
        "_credentials",
        "_entropy",
        "_her_key",
        "_her_temp",
        "_is_initiator",
        "_key",
        "_last_time",
        "_next",
        "_our_temp_private",
        "_our_temp_public",
        "_own",
        "_receive_shift",
        "_require_auth",
        "_send_shift",
        "_users",
        "is_established",
        "replay",
        "user",
    )

    def __init__(
        self,
        *,
        own: KeyPair,
        her_key: PublicKey,
        users: AuthorizedUsers,
        require_auth: bool,
        credentials: Credentials | None,
        entropy: Entropy,
        now: float,
    ) -> None:
        if len(her_key) != KEY_SIZE:
            raise ValueError(f"a public key has {KEY_SIZE} bytes")
        self._own = own
        self._her_key = bytes(her_key)
        self._users = users
        self._require_auth = require_auth
        self._credentials = credentials
        self._entropy = entropy
        self._last_time = int(now)
        self._at_once = _MOST_AT_ONCE
        self.replay = ReplayWindow()
        """Counts of lost, duplicate and late packets; read only."""

        self.user: bytes | None = None
        """Login of the user whose credentials the other end has shown; None if it needed none so far."""

        self.reset()

    # -- what others may know

    @property
    def her_key(self) -> PublicKey:
        """The permanent key of the other end, which never changes."""
        return PublicKey(self._her_key)

    @property
    def state(self) -> State:
        """The state as it is reported and sent in error frames."""
        if self.is_established:
            return State.ESTABLISHED
        return _STATES[min(self._next, State.RECEIVED_KEY)]

    @property
    def next_counter(self) -> int:
        """The protocol's `next`: the state up to 4, and the counter of our next data packet from there on."""
        return self._next

    def has_hello_of(self, other: Session) -> bool:
        """Whether both go back to the same hello of the other end."""
        return self._her_temp == other._her_temp

    # -- what others may do

    def successor(self, now: float) -> Session:
        """Make another session with the same node on the same terms, in its first state."""
        return Session(
            own=self._own,
            her_key=PublicKey(self._her_key),
            users=self._users,
            require_auth=self._require_auth,
            credentials=self._credentials,
            entropy=self._entropy,
            now=now,
        )

    def reset(self) -> None:
        """Start over. Credentials, the requirement of them, and the timeout's clock stay (spec 01 §6)."""
        self._next = 0
        self._is_initiator = False
        self.is_established = False
        """Whether data has come from the other end; read only."""
        self._our_temp_private = _NO_KEY
        self._our_temp_public = _NO_KEY
        self._her_temp = _NO_KEY
        self._key: BoxKey = None
        self._send_shift = RESPONDER_SHIFT
        self._receive_shift = INITIATOR_SHIFT
        self.replay.clear()

    def reset_if_timeout(self, now: float) -> bool:
        """Start over if nothing authentic came for too long (spec 01 §9); tells whether it did."""
        silence = now - self._last_time
        if silence < HANDSHAKE_TIMEOUT or self._next == 1:
            return False
        if silence < SILENCE_TIMEOUT and self.is_established:
            return False
        self._last_time = int(now)
        self.reset()
        return True

    def set_credentials(self, credentials: Credentials | None) -> None:
        """Change what we present: another password, or none any more, resets; the same changes nothing."""
        old = self._credentials
        if credentials is not None and old is not None and credentials.password == old.password:
            return
        self._credentials = credentials
        if credentials is not old:
            self.reset()

    def seal(self, payload: bytes | memoryview, now: float) -> bytes:
        """Make the packet that carries a payload: hello, key or data, as the state asks for.

        The payload of a data packet must not be empty (`ValueError`); that of a handshake packet may.
        """
        if now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        counter = self._next
        if counter < FIRST_DATA_COUNTER or counter >= COUNTER_LIMIT:
            return self._seal_handshake(payload)
        key = self._key
        if key is None:
            key = self._key = self._data_key()
        if not payload:
            raise ValueError("a data packet cannot be empty")
        self._next = counter + 1
        nonce = (counter << self._send_shift).to_bytes(NONCE_SIZE, "little")
        return seal_behind(counter.to_bytes(4, "big"), payload, nonce, key)

    def open(self, packet: bytes | memoryview, now: float, *, apply_timeout: bool) -> bytes | CryptoError:
        """Give the payload of a packet, or why it is refused. Never raises, whatever the packet is.

        `apply_timeout`: links apply the timeout rule before every packet, end-to-end sessions before
        handshake packets only (spec 01 §9).
        """
        if apply_timeout and now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        if len(packet) < MIN_PACKET:
            return CryptoError.RUNT
        counter = int.from_bytes(packet[:4], "big")
        if counter < FIRST_DATA_COUNTER:
            return self._open_handshake(packet)
        if not self.is_established:
            return self._open_first_data(packet, counter, now)
        nonce = (counter << self._receive_shift).to_bytes(NONCE_SIZE, "little")
        payload = open_behind(packet, 4, nonce, self._key)
        if payload is None:
            return CryptoError.DECRYPT
        if not self.replay.check(counter):
            return CryptoError.REPLAY
        self._last_time = int(now)
        return payload

    # -- many packets, each where it is in one buffer

    def seal_run(
        self, packets: Buffers, spans: Spans, offset: int, before: bytes, head: bytes, now: float
    ) -> bool:
        """Seal payloads in place, for a session that has its keys; False: `seal` has to do it.

        At `offset` from the start of each span comes `before`, the counter, the tag, then the payload, whose
        first bytes become `head`.
        """
        if now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        counter = self._next
        following = counter + len(spans.sizes)
        if counter < FIRST_DATA_COUNTER or following >= COUNTER_LIMIT:
            return False
        key = self._key
        if key is None:
            key = self._key = self._data_key()
        self._next = following
        if following - counter <= _FEW:
            for number in range(following - counter):
                seal_one(
                    packets, spans, number, offset, before, head, counter + number, self._send_shift, key
                )
            return True
        seal_boxes(packets, spans, offset, before, head, range(counter, following), self._send_shift, key)
        return True

    def open_run(
        self, packets: Buffers, spans: Spans, first: int, offset: int, now: float
    ) -> tuple[int, CryptoError | None]:
        """Open data packets in place until one is refused: its number, and why. They begin at an offset.

        The payload begins 20 bytes behind that. What is refused for anything but REPLAY is untouched and not
        judged: `open` must look at it, for it may be a handshake. The timeout is the caller's business.
        """
        if not self.is_established:
            return first, CryptoError.NO_SESSION
        number, count = first, len(spans.sizes)
        refused: CryptoError | None = None
        while refused is None and number < count:
            some = spans.part(number, number + self._at_once)
            accepted, refused = self._open_some(packets, some, offset)
            number += accepted
            # Who mixes forged packets in must not make us open the others again and again.
            self._at_once = min(self._at_once * 2, _MOST_AT_ONCE) if refused is None else 1
        if number > first:
            self._last_time = int(now)
        return number, refused

    def open_lone(self, packets: Buffers, start: int, size: int, now: float) -> bool:
        """Open one packet in place, if it is as plain as packets mostly are; False: it is untouched.

        That is data of an established session which the replay window need not move for.
        """
        if not self.is_established or now - self._last_time >= HANDSHAKE_TIMEOUT or size < MIN_PACKET:
            return False
        counter = int.from_bytes(packets.buffer[start : start + 4], "big")
        replay = self.replay
        offset = counter - replay.base
        if counter < FIRST_DATA_COUNTER or not 0 <= offset < WINDOW or replay.bits >> offset & 1:
            return False
        nonce = (counter << self._receive_shift).to_bytes(NONCE_SIZE, "little")
        box = packets.at + (start + 4)
        if open_at(box + TAG_SIZE, box, size - 4, nonce, self._key):
            return False
        replay.bits |= 1 << offset
        self._last_time = int(now)
        return True

    def _open_some(self, packets: Buffers, spans: Spans, offset: int) -> tuple[int, CryptoError | None]:
        """Open packets until one is refused; what is behind that one is as it came."""
        shift, key = self._receive_shift, self._key
        if len(spans.sizes) <= _FEW:
            for number in range(len(spans.sizes)):
                counter = open_one(packets, spans, number, offset, shift, key)
                if counter is None:
                    return number, CryptoError.DECRYPT
                if not self.replay.check(counter):
                    return number, CryptoError.REPLAY
            return len(spans.sizes), None
        counters = data_counters(packets, spans, offset)
        authentic = open_boxes(packets, spans, offset, counters, shift, key)
        fresh = self.replay.check_run(counters[:authentic])
        if fresh < authentic:
            behind = spans.part(fresh + 1, authentic)
            close_again(packets, behind, offset, counters[fresh + 1 : authentic], shift, key)
            return fresh, CryptoError.REPLAY
        return fresh, None if fresh == len(spans) else CryptoError.DECRYPT

    # -- data before the session is established

    def _open_first_data(self, packet: bytes | memoryview, counter: int, now: float) -> bytes | CryptoError:
        """Spec 01 §8 B."""
        if self._next < State.SENT_KEY:
            return CryptoError.NO_SESSION
        key = self._data_key()
        nonce = (counter << self._receive_shift).to_bytes(NONCE_SIZE, "little")
        payload = open_behind(packet, 4, nonce, key)
        is_fresh = payload is not None and self.replay.check(counter)
        self.replay.restart(counter + 1 & 0xFFFF_FFFF)
        if payload is None:
            return CryptoError.DECRYPT
        if not is_fresh:
            return CryptoError.REPLAY
        self._key = key
        self.is_established = True
        self._next += 3
        self._last_time = int(now)
        return payload

    def _data_key(self) -> BoxKey:
        return prepare_key(_certain(box_secret(self._our_temp_private, self._her_temp)))

    # -- handshakes out

    def _seal_handshake(self, payload: bytes | memoryview) -> bytes:
        """Hello or key, first or repeated (spec 01 §7 steps 2 to 4)."""
        if self._next >= COUNTER_LIMIT:
            self.reset()
        nonce = self._next
        if nonce in (State.INIT, State.RECEIVED_HELLO):
            self._our_temp_private = self._entropy(KEY_SIZE)
            self._our_temp_public = public_key_of(self._our_temp_private)
        credentials = self._credentials
        if credentials is None:
            challenge = bytes((AUTH_NONE,)) + self._entropy(_CHALLENGE_RANDOM) + bytes(2)
        else:
            challenge = credentials.lookup + bytes(4)
        secret = credentials.secret if credentials else None
        if nonce < State.RECEIVED_HELLO:
            key = _handshake_key(self._own.private.reveal(), self._her_key, secret) or self._entropy(KEY_SIZE)
            self._is_initiator = True
            self._send_shift, self._receive_shift = INITIATOR_SHIFT, RESPONDER_SHIFT
            self._next = State.SENT_HELLO.value
        else:
            key = _certain(_handshake_key(self._own.private.reveal(), self._her_temp, secret))
            self._next = State.SENT_KEY.value
        head = CryptoHeader(nonce, challenge, self._entropy(NONCE_SIZE), self._own.public)
        content = b"".join((self._our_temp_public, payload))
        return seal_behind(head.encode(), content, head.handshake_nonce, prepare_key(key))

    # -- handshakes in

    def _open_handshake(self, packet: bytes | memoryview) -> bytes | CryptoError:
        """Spec 01 §8 D and E, in this order; nothing changes before the packet is accepted."""
        is_key = packet[3] >= State.RECEIVED_HELLO
        if is_key and self.is_established:
            return CryptoError.KEY_PKT_ESTABLISHED_SESSION
        if len(packet) < HANDSHAKE_SIZE:
            return CryptoError.RUNT
        head = CryptoHeader.parse(packet)
        if head.public_key != self._her_key:
            return CryptoError.WRONG_PERM_PUBKEY
        user = self._users.lookup(head.lookup)
        refusal = self._refusal(user, head.auth_type)
        if refusal is not None:
            return refusal
        if is_key and not self._is_initiator:
            return CryptoError.STRAY_KEY
        private = self._our_temp_private if is_key else self._own.private.reveal()
        key = _handshake_key(private, self._her_key, user.secret if user else None)
        content = None
        if key is not None:
            content = open_behind(packet, BOX_AT, head.handshake_nonce, prepare_key(key))
        if content is None:
            return CryptoError.HANDSHAKE_DECRYPT_FAILED
        her_temp = content[:KEY_SIZE]
        if her_temp == _NO_KEY:
            return CryptoError.WISEGUY
        arrival = self._arrival(head.nonce, her_temp)
        action = TRANSITIONS[self._phase(), arrival]
        if isinstance(action, CryptoError):
            return action
        if her_temp != self._her_temp and is_low_order(her_temp):
            return CryptoError.HANDSHAKE_DECRYPT_FAILED
        self._act(action, her_temp)
        if user is not None:
            self.user = user.login
        return content[KEY_SIZE:]

    def _refusal(self, user: User | None, auth_type: int) -> CryptoError | None:
        """Whether the credentials of a packet forbid it (spec 01 §8 E3 to E5)."""
        if user is not None:
            return None if user.allows(address_of(self._her_key)) else CryptoError.IP_RESTRICTED
        if self._require_auth:
            return CryptoError.AUTH_REQUIRED
        return CryptoError.UNRECOGNIZED_AUTH if auth_type != AUTH_NONE else None

    def _phase(self) -> Phase:
        if self._next < len(_PHASES):
            return _PHASES[self._next]
        return Phase.RUNNING if self.is_established else Phase.SENDING

    def _arrival(self, nonce: int, her_temp: bytes) -> Arrival:
        is_known = her_temp == self._her_temp
        match nonce:
            case 0:
                return Arrival.HELLO_KNOWN if is_known else Arrival.HELLO_NEW
            case 1:
                return Arrival.REPEAT_HELLO_KNOWN if is_known else Arrival.HELLO_NEW
            case 2:
                return Arrival.KEY_KNOWN if is_known else Arrival.KEY_NEW
            case _:
                return Arrival.REPEAT_KEY_KNOWN if is_known else Arrival.REPEAT_KEY_NEW

    def _act(self, action: Action, her_temp: bytes) -> None:
        """Carry out a cell. The replay window starts anew, but for a crossing hello that we win."""
        if action is Action.CROSS:
            if self._her_key > self._own.public:
                return
            action = Action.START_OVER
        if action is Action.START_OVER:
            self.reset()
        match action:
            case Action.ANSWER | Action.START_OVER:
                self._her_temp = her_temp
                self._next = State.RECEIVED_HELLO.value
            case Action.TAKE_KEY:
                self._her_temp = her_temp
                self._next = State.RECEIVED_KEY.value
            case Action.REKEY:
                self._her_temp = her_temp
                self._key = self._data_key()
                self._next += 1
            case Action.ACCEPT_STEP:
                self._next += 1
        self.replay.clear()


def _handshake_key(private: bytes, public: bytes, auth_secret: bytes | None) -> bytes | None:
    """Compute the secret of a handshake box (spec 01 §5); None for a low-order point."""
    if auth_secret is None:
        return box_secret(private, public)
    return password_secret(private, public, auth_secret)


def _certain(secret: bytes | None) -> bytes:
    """Give a secret that exists, because low-order keys were refused when they arrived."""
    if secret is None:
        raise RuntimeError("a low-order key has found its way into a session")
    return secret
