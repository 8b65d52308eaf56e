"""Beacons: finding neighbours, and what an unsigned announcement must not do (spec 02 §4)."""

from __future__ import annotations

import pytest

from dexrouter.core.beacons import LOCAL_PEERS
from dexrouter.core.node import Node
from dexrouter.core.outputs import Beacon, Transmit
from dexrouter.core.peer import BeaconMode, Peer, PeerState
from dexrouter.crypto.keys import PublicKey, generate_key_pair
from dexrouter.crypto.users import Credentials
from dexrouter.wire.beacon import Beacon as Content
from remote import RemotePeer, make_node

NOW = 1000.0
PASSWORD = b"p" * 20


def listening_node(mode: BeaconMode = BeaconMode.ACCEPTING) -> Node:
    node = make_node()
    node.peering.set_beacon_mode(0, mode, NOW)
    return node


def content(key: bytes, *, version: int = 21, password: bytes = PASSWORD) -> bytes:
    return Content(version, password, key).encode()


def peers(node: Node) -> list[Peer]:
    return list(node.peering.peers())


def datagrams(node: Node) -> list[bytes]:
    return [bytes(data) for out in node.drain() if isinstance(out, Transmit) for data in out.datagrams]


def neighbour(seed: int = 7) -> RemotePeer:
    return RemotePeer(make_node(), seed)


def test_a_beacon_is_sent_at_once_and_then_every_32_seconds() -> None:
    """56 bytes: version (never above 21), the password of this process, the key."""
    node = make_node()
    node.peering.set_beacon_mode(0, BeaconMode.SENDING, NOW)
    times = []
    now = NOW
    while now <= NOW + 100.0:
        node.poll(now)
        for output in node.drain():
            if isinstance(output, Beacon):
                times.append(now)
                beacon = Content.parse(output.content)
                assert beacon == Content(21, node.peering.beacon_password, node.own.public)
        now = max(node.next_deadline(), now + 0.001)
    assert times == pytest.approx([NOW, NOW + 32.768, NOW + 65.536, NOW + 98.304], abs=0.01)


def test_whoever_hears_our_beacon_may_connect_with_its_password() -> None:
    """By the password alone, as v20 and v21 do, or with the login "Local Peers", as v22 does."""
    for login in (None, LOCAL_PEERS):
        node = make_node()
        remote = RemotePeer(node, 7, credentials=Credentials(node.peering.beacon_password, login))
        remote.establish(NOW)
        assert [peer.state for peer in peers(node)] == [PeerState.ESTABLISHED]
        assert peers(node)[0].session.user == LOCAL_PEERS


def test_a_neighbour_that_is_heard_is_called_with_its_password() -> None:
    """At once, with an entry that is forgotten again and whose version is known already."""
    node = listening_node()
    remote = neighbour()
    node.receive_beacon(0, remote.address, content(remote.key.public), NOW)
    (peer,) = peers(node)
    assert (peer.key, peer.version, peer.is_incoming) == (remote.key.public, 21, True)
    (hello,) = datagrams(node)
    assert hello[:4] == bytes(4)
    assert hello[4:12] == Credentials(PASSWORD).lookup


@pytest.mark.parametrize(
    ("beacon", "reason"),
    [
        (bytes(55), "beacon.short"),
        (content(b"\x09" + bytes(31)), "beacon.unusable"),
        (content(neighbour().key.public, version=19), "beacon.unusable"),
    ],
    ids=["short", "key_outside_the_mesh", "old_version"],
)
def test_a_beacon_of_no_use_is_dropped(beacon: bytes, reason: str) -> None:
    node = listening_node()
    node.receive_beacon(0, ("192.0.2.1", 7), beacon, NOW)
    assert peers(node) == []
    assert datagrams(node) == []
    assert node.peering.drops[reason] == 1


def test_our_own_beacon_is_ignored() -> None:
    node = listening_node(BeaconMode.SENDING)
    node.receive_beacon(0, ("192.0.2.1", 7), content(node.own.public), NOW)
    assert peers(node) == []
    assert not [reason for reason in node.peering.drops if reason.startswith("beacon")]


def test_an_interface_that_does_not_accept_beacons_drops_them() -> None:
    node = listening_node(BeaconMode.DISABLED)
    remote = neighbour()
    node.receive_beacon(0, remote.address, content(remote.key.public), NOW)
    assert peers(node) == []
    assert node.peering.drops["beacon.disabled"] == 1


def test_a_beacon_from_a_newer_node_is_welcome() -> None:
    """A version above one's own counts as compatible."""
    node = listening_node()
    remote = neighbour()
    node.receive_beacon(0, remote.address, content(remote.key.public, version=22), NOW)
    assert [peer.version for peer in peers(node)] == [22]


def established_neighbour() -> tuple[Node, RemotePeer, Peer]:
    node = listening_node()
    remote = RemotePeer(node, 7)
    remote.establish(NOW)
    return node, remote, peers(node)[0]


def test_a_beacon_does_not_end_an_established_session() -> None:
    """Nothing in it is signed: its password waits until the session has fallen silent."""
    node, remote, peer = established_neighbour()
    node.receive_beacon(0, remote.address, content(remote.key.public, password=b"x" * 20), NOW + 1.0)
    assert peer.state is PeerState.ESTABLISHED
    assert remote.send(remote.ping_frame(), NOW + 1.0)
    assert peer.session.is_established


def test_the_password_of_an_unfinished_neighbour_is_replaced_by_its_newest_beacon() -> None:
    """It has restarted: the next hello carries what it accepts now."""
    node = listening_node()
    remote = neighbour()
    node.receive_beacon(0, remote.address, content(remote.key.public), NOW)
    node.drain()
    node.receive_beacon(0, remote.address, content(remote.key.public, password=b"n" * 20), NOW + 1.0)
    node.poll(NOW + 1.1)
    (hello,) = datagrams(node)
    assert hello[4:12] == Credentials(b"n" * 20).lookup


def test_a_restarted_neighbour_is_called_with_its_new_password_within_seconds() -> None:
    """Heard by beacon, established, killed, heard again: a new session after 4 s of silence."""
    node = listening_node()
    remote = RemotePeer(node, 7, credentials=None)
    node.receive_beacon(0, remote.address, content(remote.key.public), NOW)
    remote.session._users.add(Credentials(PASSWORD))
    pending = remote.frames(node.drain(), NOW)
    while pending:
        answers = [remote.answer(frame) for frame in pending]
        pending = [f for a in answers if a is not None for f in remote.send(a, NOW)]
    (peer,) = peers(node)
    assert peer.state is PeerState.ESTABLISHED
    node.receive_beacon(0, remote.address, content(remote.key.public, password=b"n" * 20), NOW + 1.0)
    now = NOW + 1.0
    hellos: list[bytes] = []
    while not hellos and now < NOW + 20.0:
        now = max(node.next_deadline(), now)
        node.poll(now)
        hellos = [packet for packet in datagrams(node) if packet[:4] == bytes(4)]
    assert now < NOW + 7.0
    assert hellos[0][4:12] == Credentials(b"n" * 20).lookup


def test_a_configured_peer_keeps_its_password_whatever_beacons_say() -> None:
    node = listening_node()
    remote = neighbour()
    node.peering.connect(0, remote.address, remote.key.public, Credentials(b"configured"), NOW)
    node.flush(NOW)
    node.drain()
    node.receive_beacon(0, remote.address, content(remote.key.public), NOW + 0.1)
    node.poll(NOW + 0.3)
    (hello,) = datagrams(node)
    assert hello[4:12] == Credentials(b"configured").lookup


def test_another_node_at_a_silent_neighbours_address_is_called() -> None:
    """The address was given to somebody else; while the old one speaks, it stays."""
    node, old, peer = established_neighbour()
    new = neighbour(8)
    node.receive_beacon(0, old.address, content(new.key.public), NOW + 2.0)
    assert peers(node) == [peer]
    node.receive_beacon(0, old.address, content(new.key.public), NOW + 11.0)
    assert [peer.key for peer in peers(node)] == [new.key.public]


def test_a_flood_of_beacons_leaves_room_for_others() -> None:
    """Neighbours that never answer are strangers: 32 of them, the oldest gives way, all go after 15 s."""
    node, remote, _ = established_neighbour()
    key: PublicKey = generate_key_pair(remote.entropy).public
    keys = [generate_key_pair(remote.entropy).public for _ in range(60)]
    for number, stranger in enumerate(keys):
        node.receive_beacon(0, ("192.0.2.200", number + 1), content(stranger), NOW)
    for number in range(300):
        node.receive_beacon(0, ("192.0.2.201", number + 1), content(key), NOW)
    assert len(peers(node)) <= 1 + 32
    assert peers(node)[0].key == remote.key.public
    assert len([peer for peer in peers(node) if peer.key == key]) <= 4
    now = NOW
    while now < NOW + 17.0:
        now = max(node.next_deadline(), now)
        node.poll(now)
    assert len(peers(node)) == 1
