"""End-to-end sessions: handles, handshakes, what waits for what, what hostile packets cannot do (spec 04)."""

from __future__ import annotations

import pytest

from dexrouter.core.metric import DHT_NODE, DHT_PEER
from dexrouter.core.sessions import (
    AuthenticationFailed,
    Discovered,
    Probe,
    SearchWanted,
    Session,
    Sessions,
    UnknownHandle,
)
from dexrouter.crypto.cryptoauth import CryptoError, State
from dexrouter.crypto.keys import Address, generate_key_pair
from far_node import PATH, FarNode, make_sessions

NOW = 1000.0
UDP = 17
NOBODY = Address(bytes.fromhex("fc" + "00" * 14 + "09"))


def only(sessions: Sessions) -> Session:
    (session,) = sessions.by_address.values()
    return session


def established(now: float = NOW) -> tuple[Sessions, FarNode]:
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    far.establish(now)
    sessions.events.clear()
    return sessions, far


def poll(sessions: Sessions, start: float, end: float) -> list[tuple[float, object]]:
    """Let time pass; gives the events and when they came."""
    happened: list[tuple[float, object]] = []
    now = start
    while (deadline := sessions.next_deadline()) is not None and deadline <= end:
        now = max(now, deadline)
        sessions.poll(now)
        assert (sessions.next_deadline() or end + 1) > now
        happened += [(now, event) for event in sessions.events]
        sessions.events.clear()
    return happened


# -- handles and handshakes


def test_handles_are_given_in_order_and_never_twice() -> None:
    """The first is drawn from 4 to 99999, session number n has handle first + n."""
    sessions = make_sessions()
    firsts = {make_sessions(seed)._table.next_handle for seed in range(1, 30)}
    assert len(firsts) > 20
    assert all(4 <= first <= 99_999 for first in firsts)
    for seed in range(7, 11):
        FarNode(sessions, seed).establish(NOW)
    handles = [session.handle for session in sessions.by_address.values()]
    assert handles == list(range(handles[0], handles[0] + 4))
    assert set(sessions.by_handle) == set(handles)


def test_handles_go_round_past_those_in_use() -> None:
    """The last possible one is followed by the first that is free."""
    sessions = make_sessions()
    handles: list[int] = []
    for seed, following in ((7, 4), (8, 0xFFFF_FFFE), (9, None), (10, None)):
        if following is not None:
            sessions._table.next_handle = following
        FarNode(sessions, seed).establish(NOW)
        handles.append(next(reversed(sessions.by_address.values())).handle)
    assert handles == [4, 0xFFFF_FFFE, 5, 6]


def test_a_handshake_carries_content_both_ways_and_tells_the_handles() -> None:
    """Hello with a query, key with its answer, run packets from then on (spec 04 §4)."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    assert far.send(b"a query", NOW) == (256, b"a query")
    session = only(sessions)
    assert (session.send_handle, session.crypto.state) == (far.handle, State.RECEIVED_HELLO)
    assert far.answer(b"an answer", NOW) == (256, b"an answer")
    assert far.their_handle == session.handle
    assert session.crypto.state is State.SENT_KEY
    assert far.send(b"data", NOW, UDP) == (UDP, b"data")
    assert session.crypto.is_established


def test_we_call_and_data_may_go_right_after_the_key() -> None:
    """Hello, repeated hello with the same key, then run packets with their handle in front."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    hello = sessions.send_message(far.key.public, 21, PATH, b"one", NOW)
    assert hello is not None
    assert hello[:16] == PATH.to_bytes(8, "big") + b"\0\x40\0\0" + bytes(4)
    repeated = sessions.send_message(far.key.public, 21, PATH, b"two", NOW)
    assert repeated is not None
    assert repeated[12:16] == b"\0\0\0\1"
    assert far.open(repeated, NOW) == (256, b"two")
    assert far.send(b"answer", NOW) == (256, b"answer")
    assert only(sessions).can_carry_user_data
    frame = sessions.send(far.key.address, UDP, b"data", NOW)
    assert frame is not None
    assert int.from_bytes(frame[12:16], "big") == far.handle
    assert far.open(frame, NOW) == (UDP, b"data")


def test_user_data_is_held_until_keys_are_there_and_goes_out_once() -> None:
    """Held for a search, held for the handshake, released by the key packet, in order."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    for number in range(3):
        assert sessions.send(far.key.address, UDP, b"%d" % number, NOW) is None
    assert sessions.events == [SearchWanted(far.key.address)] * 3
    sessions.events.clear()
    sessions.path_found(far.key.public, 21, PATH, DHT_NODE, NOW)
    (probe,) = sessions.events
    assert isinstance(probe, Probe)
    assert (probe.session.address, probe.path) == (far.key.address, PATH)
    assert sessions.frames == []
    assert far.answer(b"query", NOW) == (256, b"query")
    assert far.send(b"reply", NOW) == (256, b"reply")
    assert [far.open(frame, NOW) for frame in sessions.frames] == [(UDP, b"0"), (UDP, b"1"), (UDP, b"2")]
    sessions.frames.clear()
    assert far.send(b"again", NOW) == (256, b"again")
    assert sessions.frames == []


def test_the_responder_sends_no_user_data_before_it_has_received_a_run_packet() -> None:
    """Its key packet has no forward secrecy against a replayed hello (spec 04 §4)."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    far.send(b"query", NOW)
    assert sessions.send(far.key.address, UDP, b"secret", NOW) is None
    assert far.answer(b"reply", NOW) == (256, b"reply")
    assert sessions.send(far.key.address, UDP, b"secret too", NOW) is None
    assert sessions.frames == []
    far.send(b"data", NOW)
    assert [far.open(frame, NOW) for frame in sessions.frames] == [(UDP, b"secret"), (UDP, b"secret too")]


def session_with_late_key(late: float) -> tuple[Sessions, FarNode]:
    """Sessions with one whose hello of long ago is answered just now; user data waits."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    hello = sessions.send_message(far.key.public, 21, PATH, b"query", NOW)
    assert hello is not None
    far.open(hello, NOW)
    sessions.send(far.key.address, UDP, b"secret", late)
    far.crypto._last_time = int(late)
    return sessions, far


def test_a_key_that_came_late_carries_user_data_at_once() -> None:
    late = NOW + 12.0
    sessions, far = session_with_late_key(late)
    assert far.send(b"late reply", late) == (256, b"late reply")
    assert [far.open(frame, late) for frame in sessions.frames] == [(UDP, b"secret")]


def test_a_late_key_that_was_left_lying_does_not_carry_user_data_in_a_hello() -> None:
    """The next packet starts over (spec 01 §9): held data stays held until there is a key again."""
    late = NOW + 12.0
    sessions, far = session_with_late_key(late)
    sessions.path_failed(PATH, late)
    assert far.crypto.state is State.RECEIVED_HELLO
    body = far.pack(b"late reply", late)
    sessions.by_address[far.key.address].crypto.open(body, late, apply_timeout=True)
    assert only(sessions).can_carry_user_data
    late += 3.0
    sessions.path_found(far.key.public, 21, PATH, DHT_NODE, late)
    assert sessions.frames == []
    assert only(sessions).crypto.state is State.INIT
    assert any(isinstance(event, Probe) for event in sessions.events)
    assert far.answer(b"query again", late) == (256, b"query again")
    assert far.send(b"reply", late) == (256, b"reply")
    assert [far.open(frame, late) for frame in sessions.frames] == [(UDP, b"secret")]


def test_both_may_begin_at_once() -> None:
    """Two hellos cross: the lower key stays initiator, and both come up (spec 01 §8.1)."""
    for seed in (7, 8, 9, 10):
        sessions = make_sessions()
        far = FarNode(sessions, seed)
        ours = sessions.send_message(far.key.public, 21, PATH, b"ours", NOW)
        theirs = far.pack(b"theirs", NOW)
        assert ours is not None
        far.open(ours, NOW)
        sessions.receive(PATH, theirs, NOW)
        for _ in range(3):
            far.answer(b"ours again", NOW)
            far.send(b"theirs again", NOW)
        assert only(sessions).crypto.is_established
        assert far.crypto.is_established


# -- what is refused


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "session.short"),
        (bytes(23), "session.short"),
        (bytes(123), "session.short"),
        (b"\0\0\xff\xff" + b"\0\0\0\4" + bytes(60), "session.unknown_handle"),
        (bytes(40) + bytes.fromhex("09") + bytes(100), "session.bad_key"),
        (bytes(40) + b"\xee" + b"\xff" * 30 + b"\x7f" + bytes(100), "session.bad_key"),
    ],
    ids=["empty", "run_too_short", "hello_too_short", "unknown_handle", "not_of_the_mesh", "low_order_key"],
)
def test_what_cannot_be_a_session_packet_is_counted_and_makes_no_session(body: bytes, reason: str) -> None:
    sessions = make_sessions()
    assert sessions.receive(PATH, body, NOW) is None
    assert sessions.drops[reason] == 1
    assert sessions.by_address == {}
    assert not [event for event in sessions.events if isinstance(event, AuthenticationFailed)]


def test_our_own_key_makes_no_session() -> None:
    sessions = make_sessions()
    own = sessions._own
    assert sessions.receive(PATH, bytes(40) + own.public + bytes(100), NOW) is None
    assert sessions.drops["session.bad_key"] == 1
    assert sessions.send_message(own.public, 21, PATH, b"to ourselves", NOW) is None
    assert sessions.by_address == {}


def test_an_unknown_handle_is_never_answered_by_more_than_a_question_of_its_size() -> None:
    """A packet for no session: short ones are dropped in silence, long ones may ask who sends them."""
    sessions = make_sessions()
    unknown = b"\0\0\xff\xff\0\0\0\4"
    sessions.receive(PATH, unknown + bytes(50), NOW)
    assert sessions.events == []
    for _ in range(100):
        sessions.receive(PATH, unknown + bytes(60), NOW)
    assert sessions.events == [UnknownHandle(PATH)] * 10


def test_a_setup_nonce_behind_a_handle_is_dropped() -> None:
    sessions, _ = established()
    handle = only(sessions).handle.to_bytes(4, "big")
    for nonce in range(4):
        assert sessions.receive(PATH, handle + nonce.to_bytes(4, "big") + bytes(200), NOW) is None
    assert sessions.drops["session.setup_behind_handle"] == 4
    assert sessions.events == []


def test_packets_that_do_not_decrypt_change_nothing() -> None:
    """Garbled, replayed, or under another session's handle."""
    sessions, far = established()
    session = only(sessions)
    packet = far.pack(b"genuine", NOW)
    sessions.receive(PATH, packet, NOW)
    before = (
        session.last_heard,
        session.bytes_in,
        session.crypto.state,
        list(session.paths),
        session.send_handle,
    )
    garbled = bytearray(far.pack(b"lost", NOW))
    garbled[-1] ^= 1
    for body in (packet, bytes(garbled), packet[:24]):
        assert sessions.receive(0x999, body, NOW + 1.0) is None
    assert before == (
        session.last_heard,
        session.bytes_in,
        session.crypto.state,
        list(session.paths),
        session.send_handle,
    )
    assert sessions.drops["session.replay"] == 1
    assert sessions.drops["session.decrypt"] == 2


def test_a_plaintext_without_a_data_header_is_dropped() -> None:
    """The C router aborts on it (spec 04 §3)."""
    sessions, far = established()
    body = far.their_handle.to_bytes(4, "big") + far.crypto.seal(b"abc", NOW)
    assert sessions.receive(PATH, body, NOW) is None
    hello = FarNode(sessions, 8).crypto.seal(b"1234567", NOW)
    assert sessions.receive(PATH, hello, NOW) is None
    assert sessions.drops["session.no_data_header"] == 2
    assert len(sessions.by_address) == 1


def test_packets_for_the_host_inside_a_handshake_are_dropped() -> None:
    """A hello can be replayed; the host must not get a packet twice."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    assert far.send(b"for the host", NOW, UDP) is None
    assert sessions.drops["session.early_data"] == 1
    assert far.send(b"query", NOW) == (256, b"query")


def test_authentication_errors_are_ten_a_second_and_no_larger_than_their_cause() -> None:
    """The error frame has 60 bytes; a shorter packet gets none."""
    sessions, _ = established()
    handle = only(sessions).handle.to_bytes(4, "big")
    sessions.receive(PATH, handle + b"\0\0\1\0" + bytes(39), NOW)
    assert sessions.events == []
    for _ in range(50):
        sessions.receive(PATH, handle + b"\0\0\1\0" + bytes(40), NOW)
    assert len(sessions.events) == 10
    event = sessions.events[0]
    assert isinstance(event, AuthenticationFailed)
    assert (event.path, event.error, event.state) == (PATH, CryptoError.DECRYPT, State.ESTABLISHED)
    sessions.receive(PATH, handle + b"\0\0\1\0" + bytes(40), NOW + 1.0)
    assert len(sessions.events) == 11


def test_a_hello_that_does_not_decrypt_makes_no_session() -> None:
    sessions = make_sessions()
    hello = bytearray(FarNode(sessions, 7).pack(b"query", NOW))
    hello[80] ^= 1
    assert sessions.receive(PATH, bytes(hello), NOW) is None
    assert sessions.by_address == {}
    (event,) = sessions.events
    assert isinstance(event, AuthenticationFailed)
    assert event.error is CryptoError.HANDSHAKE_DECRYPT_FAILED


# -- sessions and those that come after them


def test_a_replayed_hello_does_not_end_an_established_session() -> None:
    """Neither this session's hello nor one of an older session, whatever path it comes over."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    older = FarNode(sessions, 7, key=far.key).pack(b"older", NOW)
    own = far.pack(b"query", NOW)
    sessions.receive(PATH, own, NOW)
    far.answer(b"reply", NOW)
    far.send(b"data", NOW)
    far.answer(b"more", NOW)
    paths = [path.label for path in only(sessions).paths]
    for second in range(1, 6):
        now = NOW + second
        for packet in (older, own):
            sessions.receive(0x1555, packet, now)
        assert only(sessions).crypto.is_established
        assert only(sessions).send_handle == far.handle
        assert [path.label for path in only(sessions).paths] == paths
        frame = sessions.send(far.key.address, UDP, b"on and on", now)
        assert frame is not None
        assert far.open(frame, now) == (UDP, b"on and on")
        assert far.send(b"and back", now, UDP) == (UDP, b"and back")


def test_a_node_that_restarted_takes_over_with_its_first_data() -> None:
    """Its hello is answered with a key; its old session is the one in use until then."""
    sessions, far = established()
    again = FarNode(sessions, 8, key=far.key, now=NOW + 1.0)
    assert again.send(b"new query", NOW + 1.0) == (256, b"new query")
    assert only(sessions).send_handle == far.handle
    assert again.answer(b"new reply", NOW + 1.0) == (256, b"new reply")
    assert again.send(b"data", NOW + 1.1, UDP) == (UDP, b"data")
    session = only(sessions)
    assert (session.send_handle, session.renewal) == (again.handle, None)
    frame = sessions.send(far.key.address, UDP, b"user data", NOW + 1.2)
    assert frame is not None
    assert again.open(frame, NOW + 1.2) == (UDP, b"user data")


def test_a_node_that_restarted_and_says_nothing_more_is_asked_when_its_session_is_silent() -> None:
    """It has our key but nothing to send; after 1.5 s of silence queries go through the new session."""
    sessions, far = established()
    again = FarNode(sessions, 8, key=far.key, now=NOW + 1.0)
    again.send(b"new query", NOW + 1.0)
    again.answer(b"new reply", NOW + 1.0)
    assert sessions.send(far.key.address, UDP, b"into the void", NOW + 2.0) is not None
    assert not isinstance(again.answer(b"are you there", NOW + 4.0), CryptoError)
    assert again.send(b"yes", NOW + 4.0) == (256, b"yes")
    assert only(sessions).send_handle == again.handle


def test_a_node_that_goes_on_with_the_session_before_is_shown_the_new_one() -> None:
    """We began anew and have its key, it has no data of ours yet: a packet of its old session brings some."""
    sessions, far = established()
    old = far.pack(b"data", NOW, UDP)
    session = only(sessions)
    session.crypto.reset()
    far.crypto.reset()
    assert far.answer(b"query", NOW + 20.0) == (256, b"query")
    assert far.send(b"reply", NOW + 20.0) == (256, b"reply")
    assert session.crypto.state is State.RECEIVED_KEY
    sessions.events.clear()
    for number in range(5):
        assert sessions.receive(PATH, old, NOW + 20.0 + number / 5) is None
    assert [event for event in sessions.events if isinstance(event, Probe)] == [Probe(session, PATH)] * 2
    assert far.answer(b"query", NOW + 21.0) == (256, b"query")
    assert far.send(b"reply", NOW + 21.0) is None, "the old one has moved the window (spec 01 §8 B4)"
    assert far.send(b"reply", NOW + 21.0) == (256, b"reply")
    assert session.crypto.is_established
    sessions.events.clear()
    assert sessions.receive(PATH, old, NOW + 30.0) is None
    assert not [event for event in sessions.events if isinstance(event, Probe)]


def test_a_report_that_the_other_node_knows_no_session_must_quote_a_packet_of_ours() -> None:
    """And it is believed only after a second of silence: anybody on the way can write one."""
    sessions, far = established()
    frame = sessions.send(far.key.address, UDP, b"data", NOW)
    assert frame is not None
    quoted = frame[12:28]
    sessions.unknown_there(PATH, quoted, NOW + 0.5)
    sessions.unknown_there(PATH, quoted[:4] + b"\0\0\xff\0" + quoted[8:], NOW + 5.0)
    sessions.unknown_there(PATH, bytes(4) + quoted[4:], NOW + 5.0)
    sessions.unknown_there(0x999, quoted, NOW + 5.0)
    assert only(sessions).crypto.is_established
    sessions.unknown_there(PATH, quoted, NOW + 5.0)
    assert only(sessions).crypto.state is State.INIT
    assert any(isinstance(event, Probe) for event in sessions.events)


# -- time


def test_a_session_ends_after_two_minutes_without_path_or_packet() -> None:
    sessions, _ = established()
    poll(sessions, NOW, NOW + 119.0)
    assert len(sessions.by_address) == 1
    poll(sessions, NOW + 119.0, NOW + 122.0)
    assert sessions.by_address == {}
    assert sessions.by_handle == {}
    assert sessions.next_deadline() is None


def test_a_path_that_is_confirmed_keeps_the_session() -> None:
    sessions, far = established()
    for step in range(1, 5):
        poll(sessions, NOW + 100.0 * (step - 1), NOW + 100.0 * step)
        sessions.path_found(far.key.public, 21, PATH, DHT_PEER, NOW + 100.0 * step)
    assert len(sessions.by_address) == 1


def test_a_path_in_use_that_answers_nothing_is_doubted_then_the_session_begins_anew() -> None:
    """1.5 s: a query over every path, and a search; 5 s: a new handshake."""
    sessions, far = established()
    sessions.path_found(far.key.public, 21, 0x155, DHT_NODE, NOW)
    assert sessions.send(far.key.address, UDP, b"data", NOW) is not None
    happened = poll(sessions, NOW, NOW + 10.0)
    probes = [(time, event.path) for time, event in happened if isinstance(event, Probe)]
    first = probes[0][0]
    assert 1.5 <= first - NOW <= 2.1
    assert {path for time, path in probes if time == first} == {PATH, 0x155}
    assert any(isinstance(event, SearchWanted) for _, event in happened)
    assert only(sessions).crypto.state is State.INIT
    assert len(probes) < 40


def test_an_answer_over_another_path_makes_that_path_the_one_in_use() -> None:
    sessions, far = established()
    sessions.path_found(far.key.public, 21, 0x155, DHT_NODE, NOW)
    sessions.send(far.key.address, UDP, b"data", NOW)
    poll(sessions, NOW, NOW + 2.1)
    assert far.send(b"pong", NOW + 2.2, path=0x155) == (256, b"pong")
    best = only(sessions).paths.best
    assert best is not None
    assert best.label == 0x155


def test_a_path_over_which_nothing_comes_back_is_left_though_the_other_node_is_heard_elsewhere() -> None:
    """What comes over another path says nothing about the one in use: that one is asked, and left."""
    sessions, far = established()
    sessions.path_found(far.key.public, 21, 0x155, DHT_NODE, NOW)
    session = only(sessions)
    session.paths.discover(PATH, DHT_PEER, NOW)
    happened: list[tuple[float, object]] = []
    for half in range(8):
        now = NOW + half / 2
        assert sessions.send(far.key.address, UDP, b"data", now) is not None
        assert far.send(b"data", now, UDP, path=0x155) == (UDP, b"data")
        happened += poll(sessions, now, now + 0.4)
    assert PATH in {event.path for _, event in happened if isinstance(event, Probe)}
    assert session.paths.best is not None
    assert session.paths.best.label == 0x155
    assert session.crypto.is_established


def test_a_session_that_is_answered_is_left_alone() -> None:
    """One packet each way every second: no probes, no renewal, a search every 30 s."""
    sessions, far = established()
    happened: list[tuple[float, object]] = []
    for second in range(60):
        now = NOW + second
        assert sessions.send(far.key.address, UDP, b"data", now) is not None
        assert far.send(b"data", now, UDP) == (UDP, b"data")
        happened += poll(sessions, now, now + 1.0)
    assert not [event for _, event in happened if isinstance(event, Probe)]
    assert 1 <= len([event for _, event in happened if isinstance(event, SearchWanted)]) <= 4


def test_an_unfinished_session_with_user_data_is_set_up_again_and_again() -> None:
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    sessions.send(far.key.address, UDP, b"data", NOW)
    sessions.path_found(far.key.public, 21, PATH, DHT_NODE, NOW)
    sessions.send(far.key.address, UDP, b"data", NOW)
    probes = [event for _, event in poll(sessions, NOW, NOW + 5.0) if isinstance(event, Probe)]
    assert 4 <= len(probes) <= 12


def test_held_packets_expire_after_ten_seconds() -> None:
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    sessions.send(far.key.address, UDP, b"old", NOW)
    poll(sessions, NOW, NOW + 10.6)
    assert sessions.drops["session.held_too_long"] == 1
    assert sessions.next_deadline() is None


def test_at_most_four_packets_are_held_for_each_of_64_addresses() -> None:
    """The oldest packet of an address gives way; a 65th address waits for nobody."""
    sessions = make_sessions()
    far = FarNode(sessions, 7)
    for number in range(6):
        sessions.send(far.key.address, UDP, b"%d" % number, NOW)
    for number in range(100):
        sessions.send(Address(b"\xfc" + number.to_bytes(15, "big")), UDP, b"x", NOW)
    assert len(sessions._held) == 64
    assert sessions.drops["session.hold_full"] == 37
    assert sessions.drops["session.held_replaced"] == 2
    sessions.path_found(far.key.public, 21, PATH, DHT_NODE, NOW)
    far.answer(b"query", NOW)
    far.send(b"reply", NOW)
    assert [far.open(frame, NOW) for frame in sessions.frames] == [(UDP, b"%d" % n) for n in (2, 3, 4, 5)]


def test_sessions_of_strangers_give_way_to_the_next_and_those_in_use_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever floods us with hellos pushes out other unfinished handshakes only."""
    monkeypatch.setattr("dexrouter.core.session_table.MAX_SESSIONS", 8)
    sessions = make_sessions()
    in_use, quiet = FarNode(sessions, 7), FarNode(sessions, 8)
    in_use.establish(NOW)
    quiet.establish(NOW)
    sessions.send(in_use.key.address, UDP, b"data", NOW)
    for seed in range(20, 60):
        FarNode(sessions, seed).send(b"hello", NOW + seed)
    assert len(sessions.by_address) == len(sessions.by_handle) == 8
    assert {in_use.key.address, quiet.key.address} <= set(sessions.by_address)
    assert sessions.drops["session.evicted"] == 34


# -- what the pathfinder says


def test_a_path_for_nobody_makes_no_session() -> None:
    sessions = make_sessions()
    key = generate_key_pair(FarNode(sessions, 3).entropy)
    sessions.path_found(key.public, 21, PATH, DHT_NODE, NOW)
    assert sessions.by_address == {}
    sessions.path_lost(NOBODY, PATH, NOW)
    sessions.unknown_there(PATH, bytes(16), NOW)
    assert sessions.events == []


def test_a_packet_over_a_new_path_is_reported() -> None:
    sessions, far = established()
    far.send(b"data", NOW, path=0x1777)
    assert sessions.events == [Discovered(only(sessions), 0x1777)]


def test_losing_the_only_path_of_a_session_in_use_starts_a_search() -> None:
    """By a switch error, or because the first hop is gone; sessions elsewhere keep theirs."""
    sessions, far = established()
    other = FarNode(sessions, 8)
    other.send(b"hello", NOW, path=0x15)
    sessions.events.clear()
    sessions.send(far.key.address, UDP, b"data", NOW)
    sessions.path_failed(PATH, NOW + 2.0)
    assert sessions.events == [SearchWanted(far.key.address)]
    assert sessions.send(far.key.address, UDP, b"data", NOW + 2.0) is None
    far.send(b"data", NOW + 3.0)
    sessions.first_hop_lost(0x13, NOW + 4.0)
    assert sessions.by_address[far.key.address].paths.best is None
    assert sessions.by_address[other.key.address].paths.best is not None


def test_names_of_sessions_tell_who_and_how() -> None:
    sessions, far = established()
    assert repr(only(sessions)) == f"<Session {far.key.address.hex()} ESTABLISHED>"
