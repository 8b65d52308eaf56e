"""Laws of CryptoAuth sessions and of the replay window, with generated traffic."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dexrouter.crypto import base32
from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.keys import KeyPair, generate_key_pair, parse_public_key, public_key_text
from dexrouter.crypto.replay import ReplayWindow
from dexrouter.crypto.users import AuthorizedUsers, Credentials

ENTROPY = SeededEntropy(bytes(64))
ALICE, BOB = generate_key_pair(ENTROPY), generate_key_pair(ENTROPY)
PASSWORD = Credentials(b"password", b"login")


def pair(*, with_password: bool) -> tuple[Session, Session]:
    """Two fresh ends of a link: Alice is configured to connect to Bob."""
    users = AuthorizedUsers()
    users.add(PASSWORD)

    def make(own: KeyPair, her: KeyPair, *, connects: bool) -> Session:
        return Session(
            own=own,
            her_key=her.public,
            users=users,
            require_auth=with_password and not connects,
            credentials=PASSWORD if with_password and connects else None,
            entropy=ENTROPY,
            now=0.0,
        )

    return make(ALICE, BOB, connects=True), make(BOB, ALICE, connects=False)


@dataclass(slots=True)
class Weather:
    """What a network may do, step by step."""

    sender: int
    fate: str
    pick: int
    wait: float
    noise: bytes


FATES = ["deliver", "deliver", "deliver", "lose", "again", "old", "damage", "noise"]

STEPS = st.lists(
    st.builds(
        Weather,
        sender=st.integers(0, 1),
        fate=st.sampled_from(FATES),
        pick=st.integers(0, 10**6),
        wait=st.sampled_from([0.0, 0.0, 0.1, 1.0, 11.0, 61.0]),
        noise=st.binary(max_size=140),
    ),
    max_size=60,
)


@given(steps=STEPS, with_password=st.booleans(), apply_timeout=st.booleans())
def test_sessions_always_come_up_again(
    steps: list[Weather], with_password: bool, apply_timeout: bool
) -> None:
    """Whatever is lost, doubled, reordered, damaged or invented: nothing raises, and then the link works.

    What is delivered was sent by the other end; and a dozen exchanges over a good line always end
    established.
    """
    ends = pair(with_password=with_password)
    sent: tuple[set[bytes], set[bytes]] = (set(), set())
    history: tuple[list[bytes], list[bytes]] = ([], [])
    now = 0.0

    def arrive(receiver: int, packet: bytes) -> None:
        result = ends[receiver].open(packet, now, apply_timeout=apply_timeout)
        assert isinstance(result, CryptoError) or result in sent[1 - receiver]

    for number, step in enumerate(steps):
        now += step.wait
        payload = b"%d from %d" % (number, step.sender)
        sent[step.sender].add(payload)
        packet = ends[step.sender].seal(payload, now)
        history[step.sender].append(packet)
        receiver = 1 - step.sender
        match step.fate:
            case "deliver":
                arrive(receiver, packet)
            case "again":
                arrive(receiver, packet)
                arrive(receiver, packet)
            case "old":
                arrive(receiver, history[step.sender][step.pick % len(history[step.sender])])
            case "damage":
                damaged = bytearray(packet)
                damaged[step.pick % len(damaged)] ^= 1 << step.pick % 8
                arrive_damaged(ends[receiver], bytes(damaged), now, sent[step.sender])
            case "noise":
                arrive_damaged(ends[receiver], step.noise, now, set())

    now += 120.0
    for number in range(12):
        for sender in (0, 1):
            payload = b"good line %d from %d" % (number, sender)
            sent[sender].add(payload)
            arrive(1 - sender, ends[sender].seal(payload, now))
        now += 1.0
    assert ends[0].is_established
    assert ends[1].is_established
    assert ends[1].open(ends[0].seal(b"done", now), now, apply_timeout=apply_timeout) == b"done"


def arrive_damaged(receiver: Session, packet: bytes, now: float, allowed: set[bytes]) -> None:
    """Damage to the clear part of a handshake may go unnoticed, but never brings in a payload of its own."""
    result = receiver.open(packet, now, apply_timeout=True)
    assert isinstance(result, CryptoError) or result in allowed


@given(packet=st.binary(max_size=200), established=st.booleans())
def test_any_bytes_are_an_error(packet: bytes, established: bool) -> None:
    """No invented packet raises, is accepted, or takes an established session down."""
    alice, bob = pair(with_password=True)
    if established:
        for _ in range(2):
            assert bob.open(alice.seal(b"x", 0), 0, apply_timeout=True) == b"x"
            assert alice.open(bob.seal(b"x", 0), 0, apply_timeout=True) == b"x"
    state = bob.state
    assert isinstance(bob.open(packet, 0, apply_timeout=True), CryptoError)
    assert bob.state is state


class NaiveWindow:
    """The replay window as a set: says yes to what is new and inside the window the real one shows."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def check(self, counter: int, base: int) -> bool:
        is_new = counter >= base and counter not in self.seen
        self.seen.add(counter)
        return is_new


@given(jumps=st.lists(st.integers(-80, 200), min_size=1, max_size=150))
def test_replay_window_against_a_set(jumps: list[int]) -> None:
    """The window refuses exactly what a set of all counters and its own lower edge refuse."""
    window, naive = ReplayWindow(), NaiveWindow()
    counter = accepted = refused = 0
    for jump in jumps:
        counter = max(0, counter + jump)
        base = window.base
        expected = naive.check(counter, base)
        assert window.check(counter) == expected
        assert base <= window.base
        assert 0 <= window.bits < 1 << 64
        if expected:
            accepted += 1
            assert window.base <= counter < window.base + 64
        else:
            refused += 1
    assert window.duplicates + window.out_of_range == refused
    assert window.base - window.lost <= accepted <= window.base - window.lost + window.bits.bit_count()


@given(data=st.binary(max_size=40))
def test_base32_round_trip(data: bytes) -> None:
    """Any bytes survive base32."""
    assert base32.decode(base32.encode(data)) == data


@given(text=st.text(alphabet="0123456789bcdfghjklmnpqrstuvwxyzaeioé", max_size=60))
def test_base32_is_strict(text: str) -> None:
    """A text either is the one base32 of its bytes, or is refused."""
    try:
        data = base32.decode(text)
    except base32.Base32Error:
        return
    assert base32.encode(data) == text


def test_generated_keys_read_back() -> None:
    """Each generated key pair has a text form that leads back to it."""
    for own in (ALICE, BOB):
        assert parse_public_key(public_key_text(own.public)) == own.public
