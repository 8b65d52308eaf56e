"""The handshake of a CryptoAuth session: how two nodes come to share a key (spec 01 §4 to §9).

`Handshake` is the half of a session that changes its state: hello, key, the first data, which proves that the
other end is there, and the timeouts after which all begins anew. The other half, which uses the key, is in
cryptoauth.py; the rules there hold here, too.

What may follow what is `TRANSITIONS`; everything before it in `_open_handshake` only decides whether the
packet is authentic. `next` is the protocol's own variable: below 5 it is the state, above it is the counter
of our next data packet.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import KEY_SIZE, KeyPair, PublicKey, address_of
from dexrouter.crypto.primitives import (
    BoxKey,
    box_secret,
    is_low_order,
    open_behind,
    password_secret,
    prepare_key,
    public_key_of,
    seal_behind,
)
from dexrouter.crypto.replay import ReplayWindow
from dexrouter.crypto.runs import INITIATOR_SHIFT, RESPONDER_SHIFT
from dexrouter.crypto.transitions import TRANSITIONS, Action, Arrival, CryptoError, Phase, State
from dexrouter.crypto.users import AUTH_NONE, AuthorizedUsers, Credentials, User
from dexrouter.wire.crypto_header import (
    BOX_AT,
    FIRST_DATA_COUNTER,
    HANDSHAKE_SIZE,
    NONCE_SIZE,
    CryptoHeader,
)

__all__ = ["COUNTER_LIMIT", "HANDSHAKE_TIMEOUT", "MOVING_HANDSHAKE", "Handshake", "peek_handshake_key"]

HANDSHAKE_TIMEOUT: Final = 10
"""Seconds after which a handshake that is not complete starts over (spec 01 §9)."""

MOVING_HANDSHAKE: Final = 2
"""Seconds in which a handshake that her packet has just brought forward does not start over.

The C router's does: after ten seconds without data it throws away the key that has just come. Two that call
each other at the same time after a silence then hold what fits no more, for ten seconds.
"""

SILENCE_TIMEOUT: Final = 60
"""Seconds without data from her after which an established session starts over."""

COUNTER_LIMIT: Final = 0xFFFF_FFF0
"""Data counter at which the session starts over."""

_NO_KEY: Final = bytes(KEY_SIZE)
_WORD: Final = Struct(">I")
_CHALLENGE_RANDOM: Final = 9
"""Random bytes of the challenge without credentials: seven of lookup, two of derivations."""

_STATES: Final = (State.INIT, State.SENT_HELLO, State.RECEIVED_HELLO, State.SENT_KEY, State.RECEIVED_KEY)
_PHASES: Final = (Phase.IDLE, Phase.ASKING, Phase.ANSWERING, Phase.ANSWERING, Phase.KEYED)


def peek_handshake_key(packet: bytes | memoryview) -> PublicKey | None:
    """Give the permanent key that a handshake packet (first word 0 to 3) claims; None for other packets.

    Nothing is proven by it: the packet must still be opened by a session with this key.
    """
    if len(packet) < HANDSHAKE_SIZE or _WORD.unpack_from(packet)[0] >= FIRST_DATA_COUNTER:
        return None
    return PublicKey(bytes(packet[BOX_AT - KEY_SIZE : BOX_AT]))


class Handshake:
    """The state of one CryptoAuth session, and the packets that change it.

    A permanent key of low order is nobody's (see `is_node_key`): a session with it does no harm. It opens no
    handshake, and its hellos are sealed with a random key, so that nobody can read them.
    """

    __slots__ = (
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

    def has_hello_of(self, other: Handshake) -> bool:
        """Whether both go back to the same hello of the other end."""
        return self._her_temp == other._her_temp

    # -- starting over

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

    # -- the first data

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
