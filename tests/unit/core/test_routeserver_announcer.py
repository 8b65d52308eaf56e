"""When a node announces its links to a route server, and what each message holds."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest

from dexrouter.core.pathfinder.answers import get_peers
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.queries import Target
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.announcer import ASK_AGAIN_AFTER, Announcer
from dexrouter.core.routeserver.linkstate import SLOT_SECONDS
from dexrouter.core.routeserver.state import AnnouncedState
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of, generate_key_pair
from dexrouter.crypto.signing import is_signed_by, node_key_of
from dexrouter.wire.announce import Announcement, LinkState, PeerLink, ProtocolVersion, Scheme
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import parse_label

DHT = json.loads((Path(__file__).parents[2] / "vectors" / "dht.json").read_text())
SERVER = b"\xfc" + bytes(15)
OWN = generate_key_pair(Random(1).randbytes)
SKEW = -1_795_000_000_000.0


def _peer(slot: int, version: int = 21) -> Peer:
    return cast(
        "Peer",
        SimpleNamespace(
            slot=slot,
            label=V358.peer_label(slot),
            version=version,
            address=b"\xfc" + slot.to_bytes(15, "big"),
            bytes_in=0,
            packets_in=0,
            session=SimpleNamespace(replay=SimpleNamespace(lost=0)),
        ),
    )


class _Bench:
    """An announcer, its peers, and a server that keeps the state and agrees."""

    def __init__(self, count: int) -> None:
        self.announcer = Announcer(own=OWN, entropy=Random(2).randbytes)
        self.peers = [_peer(slot) for slot in range(2, count + 2)]
        self.server = AnnouncedState()
        self.announcer.adopt(SERVER, SKEW, 0.0)
        self.look(0.0)

    def look(self, now: float) -> None:
        for neighbour in self.announcer.watch(self.peers, now):
            self.announcer.heard_rpath(neighbour.peer.label, 0x15, 0.01, now)

    def tell(self, now: float, skew: float = SKEW) -> Announcement:
        content = self.announcer.announce(now)
        announcement = Announcement.parse(content)
        self.server.accept(content, announcement)
        self.announcer.answered(content, self.server.hash, skew, now)
        return announcement

    def wait(self, now: float) -> float:
        """Seconds from `now`, the time of the last reply, until the next message is due."""
        tenths = next(tenths for tenths in range(1000) if self.announcer.is_due(now + tenths / 10 + 0.01))
        return tenths / 10


def test_the_first_message_has_everything() -> None:
    """Reset flag, version, scheme and every peer with its label of us, signed, at the server's time."""
    bench = _Bench(2)
    assert bench.wait(0.0) == 1.0
    announcement = bench.tell(1.5)
    assert announcement.is_reset
    assert announcement.timestamp == 1_795_000_001_500
    assert announcement.route_server == SERVER
    assert announcement.entities == (
        ProtocolVersion(21),
        Scheme(V358),
        *(PeerLink(V358.form_number(peer.label), peer.label, peer.address, 0x15) for peer in bench.peers),
    )
    assert is_signed_by(announcement.signing_key, announcement.encode()[64:], announcement.signature)
    assert node_key_of(announcement.signing_key) == OWN.public


def _asked(announcer: Announcer, peers: list[Peer], now: float) -> list[Peer]:
    return [neighbour.peer for neighbour in announcer.watch(peers, now)]


def test_peers_are_asked_until_they_answer() -> None:
    """Every 2 s, later once in a slot. Who has not answered is not announced."""
    announcer = Announcer(own=OWN, entropy=Random(2).randbytes)
    announcer.adopt(SERVER, SKEW, 0.0)
    one, other = _peer(2), _peer(3)
    assert _asked(announcer, [one, other], 0.0) == [one, other]
    assert _asked(announcer, [one, other], ASK_AGAIN_AFTER - 0.1) == []
    assert _asked(announcer, [one, other], ASK_AGAIN_AFTER) == [one, other]
    assert not announcer.is_due(5.0)
    for path, rpath in (
        (one.label, 0),
        (one.label, 1),
        (one.label, 2**32),
        (other.label ^ 0x40, 0x15),
        (1, 0x15),
    ):
        announcer.heard_rpath(path, rpath, 0.01, 2.0)
    assert not announcer.is_due(5.0)
    announcer.heard_rpath(one.label, 0x15, 0.01, 2.0)
    assert announcer.is_due(5.0)
    assert _asked(announcer, [one, other], 2.0 + ASK_AGAIN_AFTER) == [other]
    assert _asked(announcer, [one, other], 2.0 + SLOT_SECONDS) == [one, other]
    links = [e for e in Announcement.parse(announcer.announce(13.0)).entities if isinstance(e, PeerLink)]
    assert [link.address for link in links] == [one.address]


def test_a_captured_list_of_peers_tells_our_label() -> None:
    """A node of version 20 found itself in the answer of its neighbour: so do we in its place."""
    captured = next(m for m in DHT["messages"] if m["id"] == "gp-v20-own-label-search-reply")
    key = bytes.fromhex(DHT["nodes"][captured["to"]]["public_key_hex"])
    own = KeyPair(OWN.private, PublicKey(key), address_of(key))
    announcer = Announcer(own=own, entropy=Random(2).randbytes)
    announcer.adopt(SERVER, SKEW, 0.0)
    peer = _peer(V358.director(parse_label(captured["label_receiver_to_sender"])), 20)
    (neighbour,) = announcer.watch([peer], 0.0)
    entries = DhtMessage.parse(bytes.fromhex(captured["content_hex"])).nodes
    announcer.heard_peers(peer.label, entries, 0.01, 0.1)
    assert neighbour.rpath == parse_label(captured["label_sender_to_receiver"])


@pytest.mark.parametrize("slot", [2, 7, 20, 39, 40])
def test_an_old_peer_is_asked_page_by_page(slot: int) -> None:
    """Version 20 with 39 peers: pages from label 1 on until we stand in one; later that page again."""
    graph = LinkGraph(generate_key_pair(Random(4).randbytes).public, Address(SERVER), 20, V358, 0.0)
    keys = {number: PublicKey(bytes((number,)) * 32) for number in range(2, 41)}
    keys[slot] = OWN.public
    theirs = [Target(key, address_of(key), 21, V358.peer_label(number)) for number, key in keys.items()]
    announcer = Announcer(own=OWN, entropy=Random(2).randbytes)
    announcer.adopt(SERVER, SKEW, 0.0)
    peer = _peer(5, 20)

    def ask(now: float) -> bool:
        for neighbour in announcer.watch([peer], now):
            entries = get_peers(graph, theirs, neighbour.page.to_bytes(8), V358.peer_label(slot))
            announcer.heard_peers(peer.label, tuple(entries), 0.01, now)
        return bool(announcer.neighbours[peer.slot].rpath)

    pages = next(pages for pages in range(1, 8) if ask(pages / 2))
    assert announcer.neighbours[peer.slot].rpath == V358.peer_label(slot)
    assert pages == 1 + (slot - 2) // 7
    assert ask(4.0 + SLOT_SECONDS)
    assert announcer.is_due(20.0)


def test_an_old_peer_that_does_not_list_us_is_asked_anew() -> None:
    """At the end of its list, and when a page does not lead on, the search begins at the front after 2 s."""
    announcer = Announcer(own=OWN, entropy=Random(2).randbytes)
    announcer.adopt(SERVER, SKEW, 0.0)
    peer = _peer(5, 20)
    (neighbour,) = announcer.watch([peer], 0.0)
    page = tuple(NodeEntry(bytes((n,)) * 32, V358.peer_label(n), 21) for n in range(9, 1, -1))
    announcer.heard_peers(peer.label, page, 0.01, 0.0)
    assert neighbour.page == V358.peer_label(9)
    assert _asked(announcer, [peer], 0.5) == [peer]
    announcer.heard_peers(peer.label, page, 0.01, 0.6)
    assert neighbour.page == 1
    assert _asked(announcer, [peer], 1.0) == []
    announcer.heard_peers(peer.label, page, 0.01, 1.1)
    announcer.heard_peers(peer.label, page[:3], 0.01, 1.2)
    announcer.heard_peers(peer.label ^ 0x40, page, 0.01, 1.3)
    assert neighbour.page == 1
    assert neighbour.rpath == 0


def test_what_changes_is_said_soon() -> None:
    """A lost peer after 6 s, a new one after 12, link states alone after a minute."""
    bench = _Bench(2)
    bench.tell(2.0)
    assert bench.wait(2.0) == 60.0
    bench.peers.append(_peer(9))
    bench.look(3.0)
    assert bench.wait(2.0) == 12.0
    added = bench.tell(14.0).entities[0]
    assert isinstance(added, PeerLink)
    assert added.address == bench.peers[2].address
    gone = bench.peers.pop(0)
    bench.look(15.0)
    assert bench.wait(14.0) == 6.0
    withdrawn = bench.tell(20.0).entities[0]
    assert isinstance(withdrawn, PeerLink)
    assert (withdrawn.address, withdrawn.label) == (gone.address, 0)
    assert bench.wait(20.0) == 60.0
    assert all(isinstance(entity, LinkState) for entity in bench.tell(80.0).entities)


def test_how_good_a_link_is_is_said_as_soon_as_it_is_known() -> None:
    """A server avoids links without statistics: the first sample follows after 12 s, the others as usual."""
    bench = _Bench(1)
    bench.tell(1.0)
    assert bench.wait(1.0) == 60.0
    bench.look(SLOT_SECONDS)
    assert bench.wait(1.0) == 12.0
    assert [type(entity) for entity in bench.tell(13.0).entities] == [LinkState]
    bench.look(13.0 + SLOT_SECONDS)
    assert bench.wait(13.0) == 60.0


@pytest.mark.parametrize("is_new", [False, True])
def test_who_begins_anew_hears_all_statistics_again(is_new: bool) -> None:
    """A server that has forgotten us, and another server, get the samples that were announced before."""
    bench = _Bench(1)
    for now in (0.0, 10.0, 20.0):
        bench.look(now)
        bench.tell(now + 1.0)
    if is_new:
        bench.announcer.adopt(SERVER[::-1], SKEW, 22.0)
    else:
        bench.announcer.answered(bench.announcer.announce(22.0), None, None, 22.0)
    announcement = bench.tell(23.0)
    assert announcement.is_reset
    (state,) = (entity for entity in announcement.entities if isinstance(entity, LinkState))
    assert [sample.lag for sample in state.samples] == [10, 10]


def test_a_message_has_700_bytes_and_one_entity() -> None:
    """What has no room follows after half the time, until everything is said."""
    bench = _Bench(60)
    sizes, now, waits = [], 1.0, []
    for _ in range(6):
        sizes.append(len(bench.tell(now).encode()) - 120)
        waits.append(bench.wait(now))
        now += waits[-1] + 0.1
    assert max(sizes) <= 700 + 64
    assert waits[0] == 12.0
    announced = [identity for identity in bench.server.said if identity[0] == "peer"]
    assert len(announced) == 60


def test_full_messages_follow_each_other_faster() -> None:
    """The interval is halved by each message without room for all link states."""
    bench = _Bench(60)
    for second in range(1, 5):
        bench.tell(float(second))
    assert len(bench.server.said) == 62
    waits = []
    for now in (100.0, 200.0, 300.0):
        bench.look(now)
        bench.tell(now)
        waits.append(bench.wait(now))
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] < waits[0] < 60.0


def test_everything_is_said_again_within_20_minutes() -> None:
    """No entity of the state is ever older than 19 minutes and a bit, and not all are repeated at once."""
    bench = _Bench(20)
    bench.tell(1.0)
    repeated = []
    for minute in range(1, 60):
        now = 60.0 * minute
        bench.look(now)
        announcement = bench.tell(now)
        repeated.append(sum(isinstance(entity, PeerLink) for entity in announcement.entities))
        ages = [announcement.timestamp - said.timestamp for said in bench.server.said.values()]
        assert max(ages) <= 20 * 60_000
        assert len(bench.server.said) == 22
    assert max(repeated) < 20


@pytest.mark.parametrize(("change", "was_set"), [(3000.0, False), (3_600_000.0, True)])
def test_timestamps_do_not_decrease(change: float, was_set: bool) -> None:
    """A clock that seems to have gone back by seconds holds the time; one that was set is followed."""
    bench = _Bench(1)
    before = bench.tell(1.0, SKEW + change).timestamp
    after = bench.tell(1.5).timestamp
    assert (after < before) == was_set
    assert was_set or after == before


def test_a_disagreement_begins_anew() -> None:
    """Another hash, or none: the next message is a reset with everything, a second later."""
    bench = _Bench(1)
    bench.tell(1.0)
    for state_hash in (bytes(64), None):
        bench.announcer.answered(bench.announcer.announce(61.0), state_hash, None, 61.0)
        assert bench.wait(61.0) == 1.0
        announcement = bench.tell(62.0)
        assert announcement.is_reset
        assert len(announcement.entities) == 3


def test_the_same_server_goes_on() -> None:
    """Adopted again with the same clock the state holds; another server, or another clock, begins anew."""
    bench = _Bench(1)
    bench.tell(1.0)
    bench.announcer.adopt(SERVER, SKEW + 4000, 10.0)
    assert not Announcement.parse(bench.announcer.announce(80.0)).is_reset
    bench.announcer.adopt(SERVER, SKEW + 10_000, 80.0)
    assert bench.tell(81.0, SKEW + 10_000).is_reset
    bench.announcer.adopt(SERVER[::-1], SKEW + 10_000, 90.0)
    assert Announcement.parse(bench.announcer.announce(91.0)).is_reset


def test_nothing_is_announced_to_nobody() -> None:
    """Before a server is adopted it is a fault of ours to announce."""
    with pytest.raises(ValueError, match="no route server"):
        Announcer(own=OWN, entropy=Random(2).randbytes).announce(0.0)
