"""The rules of CryptoAuth that captures do not show: timeouts, credentials, restrictions, hostile keys."""

from __future__ import annotations

from itertools import product

import pytest

from dexrouter.crypto.cryptoauth import CryptoError, Session, State
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.handshake import COUNTER_LIMIT, peek_handshake_key
from dexrouter.crypto.keys import (
    Address,
    KeyPair,
    PublicKey,
    generate_key_pair,
    is_node_key,
)
from dexrouter.crypto.primitives import box_secret, is_low_order, prepare_key, seal_behind
from dexrouter.crypto.transitions import TRANSITIONS, Action, Arrival, Phase
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.crypto_header import CryptoHeader

ENTROPY = SeededEntropy(bytes(64))
FIRST, SECOND = generate_key_pair(ENTROPY), generate_key_pair(ENTROPY)
LOW, HIGH = sorted((FIRST, SECOND), key=lambda pair: pair.public)

LOW_ORDER_POINTS = [
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
]
LOW_ORDER_POINTS += [point[:31] + bytes((point[31] | 0x80,)) for point in LOW_ORDER_POINTS]


def session(
    own: KeyPair,
    her: KeyPair,
    *,
    users: AuthorizedUsers | None = None,
    require_auth: bool = False,
    credentials: Credentials | None = None,
    now: float = 0.0,
) -> Session:
    return Session(
        own=own,
        her_key=her.public,
        users=AuthorizedUsers() if users is None else users,
        require_auth=require_auth,
        credentials=credentials,
        entropy=ENTROPY,
        now=now,
    )


def deliver(sender: Session, receiver: Session, payload: bytes = b"payload", now: float = 0.0) -> None:
    """Seal, open, and insist on the payload."""
    assert receiver.open(sender.seal(payload, now), now, apply_timeout=True) == payload


def established_pair(now: float = 0.0) -> tuple[Session, Session]:
    initiator, responder = session(LOW, HIGH, now=now), session(HIGH, LOW, now=now)
    deliver(initiator, responder, now=now)
    deliver(responder, initiator, now=now)
    deliver(initiator, responder, now=now)
    deliver(responder, initiator, now=now)
    assert initiator.is_established
    assert responder.is_established
    return initiator, responder


def test_states_of_a_handshake() -> None:
    """Both ends go through the protocol's states; counters jump by three when the first data comes."""
    initiator, responder = session(LOW, HIGH), session(HIGH, LOW)
    states = []
    for sender, receiver in ((initiator, responder), (responder, initiator)) * 2:
        deliver(sender, receiver)
        states.append((initiator.state, responder.state))
    assert states == [
        (State.SENT_HELLO, State.RECEIVED_HELLO),
        (State.RECEIVED_KEY, State.SENT_KEY),
        (State.RECEIVED_KEY, State.ESTABLISHED),
        (State.ESTABLISHED, State.ESTABLISHED),
    ]
    assert (initiator.next_counter, responder.next_counter) == (8, 7)
    assert initiator.her_key == HIGH.public


def test_every_pair_of_the_transition_table() -> None:
    """Each phase and arrival has its cell, but for the pairs that cannot come about."""
    key_arrivals = {Arrival.KEY_NEW, Arrival.KEY_KNOWN, Arrival.REPEAT_KEY_NEW, Arrival.REPEAT_KEY_KNOWN}
    known = {
        Arrival.HELLO_KNOWN,
        Arrival.REPEAT_HELLO_KNOWN,
        Arrival.KEY_KNOWN,
        Arrival.REPEAT_KEY_KNOWN,
    }
    impossible = set(product((Phase.IDLE, Phase.ANSWERING, Phase.RUNNING), key_arrivals))
    impossible |= set(product((Phase.IDLE, Phase.ASKING), known))
    assert set(TRANSITIONS) == set(product(Phase, Arrival)) - impossible
    for (_, arrival), cell in TRANSITIONS.items():
        if arrival is Arrival.HELLO_NEW:
            assert cell in (Action.ANSWER, Action.CROSS, Action.START_OVER)
        if arrival is Arrival.HELLO_KNOWN:
            assert cell is CryptoError.INVALID_PACKET


def test_crossing_hellos() -> None:
    """Of two hellos that cross, that of the lower key counts: its sender stays initiator."""
    low, high = session(LOW, HIGH), session(HIGH, LOW)
    from_low, from_high = low.seal(b"low", 0), high.seal(b"high", 0)
    assert low.open(from_high, 0, apply_timeout=True) == b"high"
    assert high.open(from_low, 0, apply_timeout=True) == b"low"
    assert (low.state, high.state) == (State.SENT_HELLO, State.RECEIVED_HELLO)
    deliver(high, low)
    deliver(low, high)
    deliver(high, low)
    assert (low.state, high.state) == (State.ESTABLISHED, State.ESTABLISHED)


def test_an_established_session_survives_59_seconds_of_silence() -> None:
    """Silence of less than a minute changes nothing, a minute resets, counted in whole seconds."""
    initiator, _ = established_pair(now=0.9)
    assert not initiator.reset_if_timeout(59.99)
    assert initiator.is_established
    assert initiator.reset_if_timeout(60.0)
    assert initiator.state is State.INIT


def test_sending_does_not_keep_a_session_alive() -> None:
    """Only authentic data from the other end counts: after a minute without it the next packet is a hello."""
    initiator, _ = established_pair()
    for second in range(1, 60):
        assert initiator.seal(b"x", second)[:4] != bytes(4)
    assert initiator.seal(b"x", 60)[:4] == bytes(4)
    assert initiator.state is State.SENT_HELLO


def test_data_keeps_a_session_alive() -> None:
    """Each authentic data packet starts the minute anew."""
    initiator, responder = established_pair()
    deliver(responder, initiator, now=50)
    assert not initiator.reset_if_timeout(109)
    assert initiator.reset_if_timeout(110)


def test_an_answered_hello_starts_over_after_ten_seconds() -> None:
    """A handshake not complete within ten seconds starts over; a hello that is out is never timed out."""
    initiator, responder = session(LOW, HIGH), session(HIGH, LOW)
    deliver(initiator, responder)
    assert not initiator.reset_if_timeout(1000)
    assert not responder.reset_if_timeout(9.9)
    assert responder.reset_if_timeout(10)
    assert responder.state is State.INIT


def late_key() -> tuple[Session, Session]:
    """Two sessions, the hello of the first answered after twenty seconds."""
    initiator, responder = session(LOW, HIGH), session(HIGH, LOW, now=20)
    initiator.seal(b"lost", 0)
    deliver(initiator, responder, now=20)
    deliver(responder, initiator, now=20)
    assert initiator.state is State.RECEIVED_KEY
    return initiator, responder


def test_a_key_that_comes_late_is_used_at_once() -> None:
    """Stock nodes throw it away and begin a second round (spec 01 §9); their answer fits either."""
    initiator, responder = late_key()
    deliver(initiator, responder, now=21)
    assert responder.is_established


def test_a_late_key_that_was_left_lying_takes_a_second_round() -> None:
    """The next packet is a new hello (spec 01 §9), which the responder copes with."""
    initiator, responder = late_key()
    hello = initiator.seal(b"again", 23)
    assert hello[:4] == bytes(4)
    assert responder.open(hello, 23, apply_timeout=True) == b"again"
    deliver(responder, initiator, now=23)
    deliver(initiator, responder, now=23)
    assert responder.is_established


def test_a_handshake_that_is_repeated_and_goes_nowhere_still_starts_over() -> None:
    """Only what brings it forward counts: a hello that comes again and again does not hold the session."""
    initiator, responder = session(LOW, HIGH), session(HIGH, LOW)
    deliver(initiator, responder, now=1)
    responder.seal(b"key", 1)
    for now in range(2, 20):
        assert responder.open(initiator.seal(b"again", now), now, apply_timeout=False) == b"again"
        assert responder.state is State.SENT_KEY
    assert responder.seal(b"anew", 20)[:4] == bytes(4)


def test_the_timeout_rule_is_the_callers_choice_when_opening() -> None:
    """An end-to-end session may take data after a minute of silence that a link session has forgotten."""
    initiator, responder = established_pair()
    packet = initiator.seal(b"late", 59)
    assert responder.open(packet, 61, apply_timeout=False) == b"late"
    assert responder.open(initiator.seal(b"later", 59), 200, apply_timeout=True) is CryptoError.NO_SESSION


def test_credentials_are_replaced() -> None:
    """Another password resets, none resets, the same again changes nothing, not even the login."""
    users = AuthorizedUsers()
    users.add(Credentials(b"pw", b"alice"))
    initiator = session(LOW, HIGH, credentials=Credentials(b"pw"))
    responder = session(HIGH, LOW, users=users, require_auth=True)
    deliver(initiator, responder)
    assert responder.user == b"alice"
    initiator.set_credentials(Credentials(b"pw", b"alice"))
    assert initiator.next_counter == State.SENT_HELLO
    assert initiator.seal(b"", 0)[4] == 1, "still by password alone"
    initiator.set_credentials(Credentials(b"other", b"alice"))
    assert initiator.next_counter == State.INIT
    assert initiator.seal(b"", 0)[4] == 2
    initiator.set_credentials(None)
    assert initiator.next_counter == State.INIT
    assert initiator.seal(b"", 0)[4] == 0
    initiator.set_credentials(None)
    assert initiator.next_counter == State.SENT_HELLO


def test_credentials_bound_to_an_address() -> None:
    """Credentials of one address do not open the door for another one."""
    for bound, expected in ((HIGH.address, CryptoError.IP_RESTRICTED), (LOW.address, b"hello")):
        users = AuthorizedUsers()
        users.add(Credentials(b"pw"), Address(bound))
        initiator = session(LOW, HIGH, credentials=Credentials(b"pw"))
        responder = session(HIGH, LOW, users=users, require_auth=True)
        assert responder.open(initiator.seal(b"hello", 0), 0, apply_timeout=True) == expected


def test_the_counter_does_not_wrap() -> None:
    """A session that has used up its counters starts over with a hello."""
    initiator, _ = established_pair()
    initiator._next = COUNTER_LIMIT - 1
    assert initiator.seal(b"last", 0)[:4] == (COUNTER_LIMIT - 1).to_bytes(4, "big")
    assert initiator.seal(b"first", 0)[:4] == bytes(4)


def test_noise_packets_vanish() -> None:
    """A link packet that starts with ffffffff is a data packet that does not open."""
    _, responder = established_pair()
    assert responder.open(b"\xff" * 148, 0, apply_timeout=True) is CryptoError.DECRYPT
    assert responder.is_established


def test_empty_data_is_a_mistake_of_ours() -> None:
    """Handshake packets may be empty, data packets may not."""
    initiator, responder = session(LOW, HIGH), session(HIGH, LOW)
    deliver(initiator, responder, b"")
    deliver(responder, initiator, b"")
    with pytest.raises(ValueError, match="empty"):
        initiator.seal(b"", 0)
    deliver(initiator, responder, b"x")


def test_too_long_payloads() -> None:
    """What no datagram can hold is not sealed, and what no datagram could have held is not opened."""
    initiator, responder = established_pair()
    with pytest.raises(ValueError, match="datagram"):
        initiator.seal(bytes(70000), 0)
    assert responder.open(b"\0\0\0\x20" + bytes(70000), 0, apply_timeout=True) is CryptoError.DECRYPT


@pytest.mark.parametrize("point", LOW_ORDER_POINTS, ids=lambda point: point.hex()[:8] + point.hex()[-2:])
def test_low_order_keys(point: bytes) -> None:
    """Low-order keys are no nodes; a session with one hears nobody; as temporary keys they do not decrypt."""
    assert is_low_order(point)
    assert not is_node_key(point)
    deaf = Session(
        own=LOW,
        her_key=PublicKey(point),
        users=AuthorizedUsers(),
        require_auth=False,
        credentials=None,
        entropy=ENTROPY,
        now=0,
    )
    hello = deaf.seal(b"into the void", 0)
    forged = hello[:40] + point + hello[72:]
    assert deaf.open(forged, 0, apply_timeout=True) is CryptoError.HANDSHAKE_DECRYPT_FAILED
    responder = session(HIGH, LOW)
    head = CryptoHeader(0, bytes(12), ENTROPY(24), LOW.public)
    secret = box_secret(LOW.private.reveal(), HIGH.public)
    assert secret is not None
    hello = seal_behind(head.encode(), point + b"payload", head.handshake_nonce, prepare_key(secret))
    expected = CryptoError.HANDSHAKE_DECRYPT_FAILED if any(point) else CryptoError.WISEGUY
    assert responder.open(hello, 0, apply_timeout=True) is expected
    assert responder.state is State.INIT


def test_a_refused_hello_changes_nothing() -> None:
    """A stranger's packets leave an established session as it was."""
    initiator, responder = established_pair()
    stranger = generate_key_pair(ENTROPY)
    before = responder.next_counter
    hello = session(stranger, HIGH).seal(b"x", 0)
    assert responder.open(hello, 0, apply_timeout=True) is CryptoError.WRONG_PERM_PUBKEY
    forged = hello[:40] + LOW.public + hello[72:]
    assert responder.open(forged, 0, apply_timeout=True) is CryptoError.HANDSHAKE_DECRYPT_FAILED
    assert (responder.state, responder.next_counter) == (State.ESTABLISHED, before)
    deliver(initiator, responder)


def test_short_handshakes() -> None:
    """A handshake cut before the end of its header is a runt, and a key of another size makes no session."""
    hello = session(LOW, HIGH).seal(b"", 0)
    assert session(HIGH, LOW).open(hello[:119], 0, apply_timeout=True) is CryptoError.RUNT
    with pytest.raises(ValueError, match="32"):
        Session(
            own=LOW,
            her_key=PublicKey(b"short"),
            users=AuthorizedUsers(),
            require_auth=False,
            credentials=None,
            entropy=ENTROPY,
            now=0,
        )


def test_handshake_key_of_a_packet() -> None:
    """Handshake packets show whose they claim to be; data packets and runts do not."""
    initiator, _ = established_pair()
    hello = session(LOW, HIGH).seal(b"", 0)
    assert peek_handshake_key(memoryview(hello)) == LOW.public
    assert peek_handshake_key(hello[:-1]) is None
    assert peek_handshake_key(initiator.seal(bytes(200), 0)) is None


def test_lost_packets_are_counted() -> None:
    """Gaps, duplicates and late packets show up in the counts of the replay window."""
    initiator, responder = established_pair()
    packets = [initiator.seal(b"x", 0) for _ in range(200)]
    assert responder.open(packets[0], 0, apply_timeout=True) == b"x"
    assert responder.open(packets[0], 0, apply_timeout=True) is CryptoError.REPLAY
    assert responder.open(packets[199], 0, apply_timeout=True) == b"x"
    assert responder.open(packets[1], 0, apply_timeout=True) is CryptoError.REPLAY
    counts = responder.replay
    assert (counts.duplicates, counts.out_of_range) == (1, 1)
    assert counts.lost > 100
