"""Peers of the configuration are called once, kept while they stay in it, and forgotten with it."""

from __future__ import annotations

import socket

import pytest

from dexrouter.config import ConnectTo
from dexrouter.config.address import AddressError, SocketAddress, parse_socket_address
from dexrouter.core.links import LinkAddress
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.keys import public_key_text
from dexrouter.io.configured_peers import ConfiguredPeers, link_address_of
from remote import RemotePeer, make_node

NOW = 1000.0
KEY = public_key_text(RemotePeer(make_node(), 5).key.public)
ONE = ConnectTo("192.0.2.1:1", KEY, "secret")
TWO = ConnectTo("192.0.2.2:1", KEY, "secret")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:7", ("192.0.2.1", 7)),
        ("0.0.0.0:7", ("127.0.0.1", 7)),
        ("[2001:DB8:0::1]:7", ("2001:db8::1", 7, 0, 0)),
        ("[::]:7", ("::1", 7, 0, 0)),
        ("[fe80::1%lo]:7", ("fe80::1", 7, 0, socket.if_nametoindex("lo"))),
        ("[fe80::1%no-such-device]:7", None),
        ("02:00:00:00:00:0A", bytes.fromhex("02000000000a")),
    ],
)
def test_where_a_peer_is(text: str, expected: LinkAddress | None) -> None:
    """As the socket will name it when it answers; "any" is this machine."""
    assert link_address_of(ConnectTo(text, KEY, "secret")) == expected


@pytest.mark.parametrize("text", ["[fe80::1%]:7", "[2001:db8::1%lo]:7", "192.0.2.1%lo:7", "[fe80::1%a b]:7"])
def test_zones_are_for_link_local_addresses(text: str) -> None:
    """Anything else behind a % is a mistake that somebody should hear of."""
    with pytest.raises(AddressError):
        parse_socket_address(text, zones=True)


def test_an_address_with_a_zone_is_written_as_it_was_read() -> None:
    """For messages and for writing it back."""
    address = parse_socket_address("[fe80:0::1%eth0]:7", zones=True)
    assert address == SocketAddress("fe80::1", 7, "eth0")
    assert str(address) == "[fe80::1%eth0]:7"


def test_the_difference_is_called_and_forgotten() -> None:
    """Who stays in the configuration keeps entry, session and label."""
    node = make_node()
    peers = ConfiguredPeers(node)
    peers.set([(0, ONE)], NOW)
    kept = next(node.peering.peers())
    peers.set([(0, ONE), (0, TWO)], NOW)
    assert [peer.link_address for peer in node.peering.peers()] == [("192.0.2.1", 1), ("192.0.2.2", 1)]
    assert next(node.peering.peers()) is kept
    peers.set([(0, TWO)], NOW)
    assert [peer.link_address for peer in node.peering.peers()] == [("192.0.2.2", 1)]


def test_other_credentials_replace_the_entry() -> None:
    """The same place with another password: called again, not called twice."""
    node = make_node()
    peers = ConfiguredPeers(node)
    peers.set([(0, ONE)], NOW)
    before = next(node.peering.peers())
    peers.set([(0, ConnectTo(ONE.address, KEY, "another"))], NOW)
    (after,) = node.peering.peers()
    assert after is not before


def test_a_peer_that_cannot_be_added_does_not_keep_out_the_others() -> None:
    """Our own key is refused by name; the other peer is called."""
    node = make_node()
    ourselves = ConnectTo("192.0.2.3:1", public_key_text(node.own.public), "secret")
    with pytest.raises(PeeringError, match=r"192\.0\.2\.3:1"):
        ConfiguredPeers(node).set([(0, ourselves), (0, ONE)], NOW)
    assert [peer.link_address for peer in node.peering.peers()] == [("192.0.2.1", 1)]


def test_a_peer_behind_a_device_is_called_when_that_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there; there with a number; there with another number: one entry at most, the right one."""
    numbers: dict[str, int] = {}

    def number_of(device: str) -> int:
        if device not in numbers:
            raise OSError(19, "No such device")
        return numbers[device]

    monkeypatch.setattr(socket, "if_nametoindex", number_of)
    node = make_node()
    peers = ConfiguredPeers(node)
    peers.set([(0, ConnectTo("[fe80::1%eth9]:7", KEY, "secret"))], NOW)
    assert list(node.peering.peers()) == []
    for number in (4, 4, 6):
        numbers["eth9"] = number
        peers.follow(NOW)
        assert [peer.link_address for peer in node.peering.peers()] == [("fe80::1", 7, 0, number)]
    del numbers["eth9"]
    peers.follow(NOW)
    assert len(list(node.peering.peers())) == 1
