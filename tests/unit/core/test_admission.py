"""Floods of handshakes and forged beacons: the work that they make is bounded, and leaves peers in peace."""

from __future__ import annotations

import random

import pytest

from dexrouter.core import session_table
from dexrouter.core.admission import STRANGERS, Admission
from dexrouter.core.links import LinkAddress
from dexrouter.core.node import Node
from dexrouter.core.peer import BeaconMode
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import KeyPair, generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.beacon import Beacon
from far_node import PATH, FarNode, make_sessions
from remote import CREDENTIALS, RemotePeer, make_node

NOW = 1000.0
BURST = 200
RATE = 100


def _hello(node: Node, key: KeyPair, credentials: Credentials, number: int) -> bytes:
    session = Session(
        own=key,
        her_key=node.own.public,
        users=AuthorizedUsers(),
        require_auth=False,
        credentials=credentials,
        entropy=random.Random(number).randbytes,
        now=NOW,
    )
    return session.seal(bytes(8), NOW)


def _source(number: int) -> LinkAddress:
    return (f"192.0.2.{number % 250}", 1000 + number)


def test_each_source_has_its_own_share() -> None:
    """A burst, then a rate; who has used up his share takes nothing from the others."""
    admission = Admission()
    assert sum(admission.take(7, NOW) for _ in range(1000)) == BURST
    assert sum(admission.take(STRANGERS, NOW) for _ in range(1000)) == BURST
    assert sum(admission.take(7, NOW + 0.5) for _ in range(1000)) == RATE // 2


def test_hellos_of_strangers_are_taken_at_a_limited_rate() -> None:
    """Of a thousand good hellos from as many addresses most are dropped unread; a peer's own passes."""
    node = make_node()
    remote = RemotePeer(node, 9)
    remote.establish(NOW)
    keys = [generate_key_pair(random.Random(number).randbytes) for number in range(10)]
    for number in range(1000):
        hello = _hello(node, keys[number % 10], CREDENTIALS, number)
        node.receive(0, _source(number), [hello], NOW)
    assert node.peering.drops["link.too_many_handshakes"] == 1001 - BURST
    assert len(list(node.peering.peers())) <= 33
    node.drain()
    again = RemotePeer(node, 10, key=remote.key)
    again.address = remote.address
    assert again.send(again.ping_frame(), NOW), "a restarted peer is not a stranger"


def test_hellos_with_unknown_credentials_cost_nobody_his_share() -> None:
    """They are refused without an operation on the curve, however many they are."""
    node = make_node()
    key = generate_key_pair(random.Random(1).randbytes)
    for number in range(2 * BURST):
        node.receive(0, _source(number), [_hello(node, key, Credentials(b"x", b"y"), number)], NOW)
    assert node.peering.drops["link.hello_auth_required"] == 2 * BURST
    remote = RemotePeer(node, 9)
    remote.establish(NOW)
    assert remote.session.is_established


def test_hellos_through_one_peer_leave_the_others_their_share() -> None:
    """End to end: a flood that comes through one peer is cut, a newcomer through another one is heard."""
    sessions = make_sessions()
    flooder = FarNode(sessions, 2)
    hello = flooder.pack(b"hello", NOW)
    for _ in range(1000):
        sessions.receive(PATH, hello, NOW)
    assert sessions.drops["session.too_many_handshakes"] == 1000 - BURST
    assert FarNode(sessions, 3).send(b"hello", NOW, path=PATH) is None
    assert FarNode(sessions, 3).send(b"hello", NOW, path=0x135) is not None


def test_many_sessions_give_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranking thousands for each newcomer was the most expensive part of a flood."""
    monkeypatch.setattr(session_table, "MAX_SESSIONS", 128)
    sessions = make_sessions()
    for number in range(129):
        FarNode(sessions, number, key=generate_key_pair(random.Random(number).randbytes)).send(b"", NOW)
    assert len(sessions.by_address) == len(sessions.by_handle) == 127


def test_forged_beacons_make_us_call_few() -> None:
    """Beacons are not signed: at most sixteen calls are open, and later there is room again."""
    node = make_node()
    node.peering.set_beacon_mode(0, BeaconMode.ACCEPTING, NOW)
    keys = [generate_key_pair(random.Random(number).randbytes).public for number in range(40)]
    for number, key in enumerate(keys):
        content = Beacon(version=21, password=bytes(20), public_key=key).encode()
        node.receive_beacon(0, _source(number), content, NOW)
    assert len(list(node.peering.peers())) == 16
    assert node.peering.drops["beacon.too_many"] == 24
    node.poll(NOW + 16.0)
    node.receive_beacon(0, _source(50), Beacon(21, bytes(20), keys[-1]).encode(), NOW + 16.0)
    assert [peer.key for peer in node.peering.peers()] == [keys[-1]]
