"""The parts of a route server's client: the state that both sides keep, link statistics, the hunt."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.hunter import Hunter
from dexrouter.core.routeserver.linkstate import LinkStatistics
from dexrouter.core.routeserver.queries import RouteServer
from dexrouter.core.routeserver.state import LIFETIME, NO_HASH, AnnouncedState
from dexrouter.crypto.keys import PublicKey, generate_key_pair
from dexrouter.wire.announce import Announcement, PeerLink, ProtocolVersion, Sample
from dexrouter.wire.control import GetSnodeReply
from dexrouter.wire.labels import splice

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "announce.json").read_text())
SENDERS = sorted({entry["from"] for entry in VECTORS["announcements"]})


# -- state


@pytest.mark.parametrize("sender", SENDERS)
def test_captured_state_hashes(sender: str) -> None:
    """After each captured message the list and its hash are those of the real route server."""
    state, sent = AnnouncedState(), []
    for entry in VECTORS["announcements"]:
        if entry["from"] != sender:
            continue
        content = bytes.fromhex(entry["announcement_hex"])
        sent.append(content)
        state.accept(content, Announcement.parse(content))
        assert [sent.index(each) for each in state.contents] == entry["messages_in_state_after"]
        assert state.hash.hex() == entry["reply"]["stateHash_hex"]


def _accept(state: AnnouncedState, time: int, *entities: Any, is_reset: bool = False) -> None:
    announcement = Announcement(
        signing_key=bytes(32), route_server=bytes(16), timestamp=time, is_reset=is_reset, entities=entities
    )
    state.accept(announcement.encode(), announcement)


def test_said_is_the_last_word() -> None:
    """A later entity about the same thing takes the place of the earlier one, with its time."""
    state = AnnouncedState()
    link = PeerLink(0, 0x13, bytes(16), 0x15)
    _accept(state, 1, ProtocolVersion(20), link)
    _accept(state, 2, ProtocolVersion(21))
    assert state.said["version", 0].entity == ProtocolVersion(21)
    assert state.said["version", 0].timestamp == 2
    assert state.said["peer", 0x13].timestamp == 1
    assert len(state) == 2


def test_old_messages_leave_the_state() -> None:
    """A message more than 20 minutes older than the newest counts no more; one of exactly 20 minutes does."""
    state = AnnouncedState()
    _accept(state, 0, ProtocolVersion(21))
    _accept(state, LIFETIME)
    assert ("version", 0) in state.said
    _accept(state, LIFETIME + 1)
    assert ("version", 0) not in state.said
    assert len(state) == 1


def test_reset_empties_the_state() -> None:
    """A message with the reset flag is all that is left; clearing leaves nothing."""
    state = AnnouncedState()
    _accept(state, 0, ProtocolVersion(21))
    _accept(state, 1, is_reset=True)
    assert len(state) == 1
    assert not state.said
    state.clear()
    assert state.hash == NO_HASH


# -- link statistics


def _counters(*, size: int = 0, packets: int = 0, lost: int = 0) -> Peer:
    replay = SimpleNamespace(lost=lost)
    return cast(
        "Peer", SimpleNamespace(bytes_in=size, packets_in=packets, session=SimpleNamespace(replay=replay))
    )


def test_samples_are_differences() -> None:
    """A sample holds what came since the last one: mean lag, lost part of 2^18, kilobytes."""
    statistics = LinkStatistics(_counters(size=5000, packets=10, lost=3))
    statistics.answered(0.010)
    statistics.answered(0.020)
    statistics.close_slot(_counters(size=5000 + 4096, packets=10 + 1022, lost=3 + 2))
    statistics.close_slot(_counters(size=5000 + 4096, packets=10 + 1022, lost=0))
    entity = statistics.entity(0x13)
    assert entity is not None
    assert entity.samples == (Sample(15, 512, 4), Sample(0, 0, 0))
    assert (entity.number, entity.first_slot) == (0x13, 0)


def test_samples_are_announced_once_and_18_at_most() -> None:
    """Only what was not announced is given, the ring goes round, the newest 18 are kept."""
    statistics = LinkStatistics(_counters())
    assert statistics.entity(1) is None
    for count in range(1, 21):
        statistics.close_slot(_counters(size=count * (count + 1) // 2 * 1024))
    entity = statistics.entity(1)
    assert entity is not None
    assert [sample.kilobytes for sample in entity.samples] == list(range(3, 21))
    assert entity.first_slot == 2
    statistics.told()
    statistics.close_slot(_counters(size=(210 + 7) * 1024, lost=10**6))
    entity = statistics.entity(1)
    assert entity is not None
    assert entity.samples == (Sample(0, 0xFFFE, 7),)
    assert entity.first_slot == 2


# -- the hunt


def _key(number: int) -> PublicKey:
    return generate_key_pair(Random(number).randbytes).public


OWN, FIRST, SECOND, THIRD = (_key(number) for number in range(4))
PEERS = [cast("Peer", SimpleNamespace(label=label, version=21)) for label in (0x13, 0x15, 0x17)]


def _hunter(*authorized: PublicKey) -> Hunter:
    return Hunter(authorized, own=OWN, now=0.0)


def _reply(key: bytes, path: int = 0x15, version: int = 21) -> GetSnodeReply:
    return GetSnodeReply(21, version, 0xFFFF_FFFF, key, path)


def test_peers_are_asked_one_after_another() -> None:
    """Every peer once in a round; peers of a version that does not know the question never."""
    hunter = _hunter()
    old = cast("Peer", SimpleNamespace(label=0x11, version=19))
    asked = [hunter.next_peer([old, *PEERS]) for _ in range(4)]
    assert asked == [*PEERS, None]
    hunter.end_round(3)
    assert hunter.next_peer([old, *PEERS]) is PEERS[0]


def test_questions_follow_each_other_faster_at_first() -> None:
    """Every second for half a minute, then every 3 s; when a server is lost it begins at once and anew."""
    hunter = _hunter()
    times = []
    while hunter.next_hunt < 60:
        times.append(hunter.next_hunt)
        hunter.pause(hunter.next_hunt)
    assert times == [*map(float, range(31)), *(30.0 + 3 * count for count in range(1, 10))]
    hunter.begin(100.0)
    assert hunter.next_hunt == 100.0
    hunter.pause(100.0)
    assert hunter.next_hunt == 101.0


def test_without_configured_servers_any_is_taken() -> None:
    """At once, over the peer's path behind ours; a version that is not said is the oldest."""
    assert _hunter().heard(0x13, _reply(FIRST)) == RouteServer(FIRST, 21, splice(0x15, 0x13))
    taken = _hunter().heard(0x13, _reply(FIRST, 1, 0))
    assert taken == RouteServer(FIRST, OLDEST_COMPATIBLE_VERSION, 0x13)


@pytest.mark.parametrize(
    "reply",
    [_reply(bytes(32)), _reply(b"\x01" * 32), _reply(OWN), _reply(FIRST, 0), _reply(FIRST, 2**59)],
)
def test_useless_answers(reply: GetSnodeReply) -> None:
    """No server, a key of no node, ourselves, no path, a path that becomes too long."""
    assert _hunter(FIRST).heard(0x13, reply) is None


def test_other_servers_are_candidates() -> None:
    """Beside configured ones the first other server waits for the end of the round, and for two peers."""
    hunter = _hunter(THIRD)
    assert hunter.heard(0x13, _reply(FIRST)) is None
    assert hunter.heard(0x15, _reply(SECOND)) is None
    assert hunter.heard(0x15, _reply(THIRD)) is not None
    candidate = hunter.end_round(2)
    assert candidate is not None
    assert candidate.key == FIRST
    assert hunter.end_round(2) is None
    hunter.heard(0x13, _reply(FIRST))
    assert hunter.end_round(1) is None


def test_a_server_that_does_not_answer_is_shunned() -> None:
    """Until a whole round has named no other; a configured one is always worth a try."""
    hunter = _hunter(THIRD)
    hunter.failed(FIRST)
    hunter.failed(THIRD)
    hunter.heard(0x13, _reply(FIRST))
    hunter.heard(0x13, _reply(SECOND))
    candidate = hunter.end_round(2)
    assert candidate is not None
    assert candidate.key == SECOND
    hunter.heard(0x13, _reply(FIRST))
    assert hunter.end_round(2) is None
    hunter.heard(0x13, _reply(FIRST))
    assert hunter.end_round(2) is not None
    assert hunter.heard(0x13, _reply(THIRD)) is not None
