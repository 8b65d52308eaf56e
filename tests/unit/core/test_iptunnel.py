"""The IP tunnel does what two real routers did, and passes nothing that a connection does not own."""

from __future__ import annotations

import json
import random
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.iptunnel import ASK_EVERY, MAX_CONNECTIONS, IpTunnel, TunnelError
from dexrouter.core.outputs import Assigned
from dexrouter.crypto.keys import PublicKey, address_of, generate_key_pair, parse_public_key
from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.errors import WireError
from dexrouter.wire.iptunnel import Block, Offer, Request, is_control, parse_control

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "iptunnel.json").read_text())
NOW = 1000.0
ANY = str(ip_address(0))
GATEWAY = generate_key_pair(random.Random(1).randbytes).public
CLIENT = generate_key_pair(random.Random(2).randbytes).public
IP4 = Block(bytes((10, 77, 0, 4)), 24, 32)
IP6 = Block(ip_address("2001:db8:77::4").packed, 64, 128)


def block_of(entry: dict[str, Any], family: int) -> Block:
    packed = ip_address(entry[f"ip{family}Address"]).packed
    return Block(packed, entry[f"ip{family}Prefix"], entry[f"ip{family}Alloc"])


def packet(source: str, destination: str) -> bytes:
    """An IP packet of which only the addresses make sense."""
    ends = ip_address(source).packed + ip_address(destination).packed
    return (b"\x45" + bytes(11) if len(ends) == 8 else b"\x60" + bytes(7)) + ends + b"content"


def connected() -> tuple[IpTunnel, IpTunnel]:
    """A client with its addresses, and its gateway."""
    client, gateway = IpTunnel(), IpTunnel()
    client.connect(GATEWAY, NOW)
    gateway.allow(CLIENT, IP4, IP6)
    client.poll(NOW)
    exchange(client, gateway)
    return client, gateway


def exchange(client: IpTunnel, gateway: IpTunnel) -> None:
    """Carry control messages between the two until nothing is left."""
    for _, message in client.messages:
        assert gateway.receive(CLIENT, message, NOW) is None
    for _, message in gateway.messages:
        assert client.receive(GATEWAY, message, NOW) is None
    client.messages, gateway.messages = [], []


@pytest.mark.parametrize("mesh", ["I", "J"])
def test_everything_that_real_routers_exchanged(mesh: str) -> None:
    """Client and gateway of ours hear what theirs heard: same answers, same packets passed, same devices."""
    nodes = {name: entry for name, entry in VECTORS["nodes"].items() if name[0] == mesh}
    roles = {entry["role"]: (name, parse_public_key(entry["public_key"])) for name, entry in nodes.items()}
    (client_name, client_key), (gateway_name, gateway_key) = roles["client"], roles["server"]
    given = nodes[gateway_name]["ipTunnel"]["allowedConnections"][0]
    client, gateway = IpTunnel(), IpTunnel()
    client.connect(gateway_key, NOW)
    gateway.allow(client_key, block_of(given, 4), block_of(given, 6))
    passed = 0
    for entry in VECTORS["messages"]:
        if entry["from"] not in nodes:
            continue
        content = bytes.fromhex(entry["content_hex"])
        to_client = entry["to"] == client_name
        receiver, sender_key = (client, gateway_key) if to_client else (gateway, client_key)
        out = receiver.receive(sender_key, content, NOW)
        if entry["kind"] == "control":
            assert is_control(content)
            assert out is None
            if not to_client:
                ((address, answer),) = gateway.messages
                assert address == address_of(client_key)
                assert parse_control(answer) == Offer(bytes(4), block_of(given, 4), block_of(given, 6))
                gateway.messages = []
            continue
        assert out == content, entry["id"]
        target = (gateway if to_client else client).packet_for(content)
        assert target == address_of(client_key if to_client else gateway_key), entry["id"]
        passed += 1
    assert passed >= 5
    assert client.assigned == Assigned(
        (IPv4Interface("10.77.0.4/32"), IPv6Interface("2001:db8:77::4/128")),
        (IPv4Network("10.77.0.0/24" if mesh == "I" else "0.0.0.0/0"), IPv6Network("2001:db8:77::/64")),
    )


def test_control_messages_of_real_routers_are_read() -> None:
    """Every one, padded lengths and all."""
    kinds = [
        type(parse_control(bytes.fromhex(entry["content_hex"]))).__name__
        for entry in VECTORS["messages"]
        if entry["kind"] == "control"
    ]
    assert kinds == ["Request", "Offer"] * (len(kinds) // 2)
    assert len(kinds) >= 4


def test_a_client_asks_every_ten_seconds_until_it_has_an_address() -> None:
    """At once, then every 10 s; an offer ends it."""
    client, gateway = IpTunnel(), IpTunnel()
    client.connect(GATEWAY, NOW)
    for due in (NOW, NOW + ASK_EVERY):
        assert client.next_deadline() == due
        client.poll(due - 0.1)
        assert client.messages == []
        client.poll(due)
        ((address, request),) = client.messages
        assert address == address_of(GATEWAY)
        assert isinstance(parse_control(request), Request)
        if due == NOW:
            client.messages = []
    gateway.allow(CLIENT, IP4, None)
    exchange(client, gateway)
    assert client.next_deadline() is None
    assert client.assigned.addresses == (IPv4Interface("10.77.0.4/32"),)


def test_a_gateway_answers_only_whom_it_knows() -> None:
    """A request of another key, or over a connection where we are the client, is not answered."""
    client, gateway = connected()
    request = Request(b"abcd").encode()
    assert gateway.receive(GATEWAY, request, NOW) is None
    assert client.receive(GATEWAY, request, NOW) is None
    assert gateway.messages == client.messages == []
    assert gateway.drops["tunnel.not_a_client"] == client.drops["tunnel.not_a_client"] == 1


def test_addresses_are_taken_only_from_a_chosen_gateway() -> None:
    """Another key, and another number than that of the connection: nothing changes."""
    client = IpTunnel()
    number = client.connect(GATEWAY, NOW)
    right = number.to_bytes(4, "little")
    client.receive(CLIENT, Offer(right, IP4, None).encode(), NOW)
    client.receive(GATEWAY, Offer((number + 1).to_bytes(4, "little"), IP4, None).encode(), NOW)
    assert client.assigned == Assigned()
    client.receive(GATEWAY, Offer(right, IP4, None).encode(), NOW)
    assert client.assigned.addresses == (IPv4Interface("10.77.0.4/32"),)


@pytest.mark.parametrize("address", [ANY, "127.0.0.1", "224.0.0.1", "::", "::1", "ff02::1", "fc00::1"])
def test_useless_addresses_are_not_taken(address: str) -> None:
    """Zero, loopback, multicast and the mesh's own."""
    client = IpTunnel()
    number = client.connect(GATEWAY, NOW)
    packed = ip_address(address).packed
    block = Block(packed, 0, len(packed) * 8)
    ip4, ip6 = (block, None) if len(packed) == 4 else (None, block)
    client.receive(GATEWAY, Offer(number.to_bytes(4, "little"), ip4, ip6).encode(), NOW)
    assert client.assigned == Assigned()
    assert client.next_deadline() is not None


@pytest.mark.parametrize(
    ("source", "destination", "passes"),
    [
        ("10.77.0.4", "198.51.100.1", True),
        ("10.77.0.5", "198.51.100.1", False),
        ("198.51.100.1", "10.77.0.4", False),
        (ANY, "198.51.100.1", False),
        ("2001:db8:77::4", "2001:db8::1", True),
        ("2001:db8:77::5", "2001:db8::1", False),
        ("fc00::1", "2001:db8::1", False),
        ("2001:db8:77::4", "fc00::1", False),
    ],
)
def test_who_may_send_what(source: str, destination: str, passes: bool) -> None:
    """Up the tunnel by its source at both ends; and the answer, with the ends exchanged, down."""
    client, gateway = connected()
    up, down = packet(source, destination), packet(destination, source)
    assert (client.packet_for(up) == address_of(GATEWAY)) is passes
    assert (gateway.receive(CLIENT, up, NOW) == up) is passes
    assert (gateway.packet_for(down) == address_of(CLIENT)) is passes
    assert (client.receive(GATEWAY, down, NOW) == down) is passes


def test_a_stranger_passes_nothing() -> None:
    """A node without a connection cannot use the address of one that has."""
    _, gateway = connected()
    assert gateway.receive(GATEWAY, packet("10.77.0.4", "198.51.100.1"), NOW) is None
    assert gateway.drops["tunnel.foreign_address"] == 1


@pytest.mark.parametrize("junk", [b"", b"\x45", bytes(60), b"\x70" + bytes(60), b"\x45" + bytes(19)])
def test_what_is_no_packet_passes_nothing(junk: bytes) -> None:
    """Short, empty, of another version."""
    client, gateway = connected()
    assert client.packet_for(junk) is None
    assert gateway.receive(CLIENT, junk, NOW) is None
    assert gateway.drops["tunnel.not_ip"] == 1


def test_blocks_larger_than_an_address_and_the_oldest_of_several() -> None:
    """A client's whole /24 is its own; of two overlapping blocks the older gets the packet."""
    gateway = IpTunnel()
    gateway.allow(CLIENT, Block(bytes((10, 1, 2, 0)), 0, 24), None)
    gateway.allow(GATEWAY, Block(bytes((10, 1, 2, 9)), 0, 32), None)
    assert gateway.packet_for(packet("192.0.2.1", "10.1.2.200")) == address_of(CLIENT)
    assert gateway.packet_for(packet("192.0.2.1", "10.1.2.9")) == address_of(CLIENT)
    assert gateway.packet_for(packet("192.0.2.1", "10.1.3.9")) is None
    assert gateway.receive(GATEWAY, packet("10.1.2.9", "192.0.2.1"), NOW) is not None


def test_a_removed_connection_takes_its_addresses_along() -> None:
    """Client side: the device is told; gateway side: nothing passes; and a number that is not there."""
    client, gateway = connected()
    for end in (client, gateway):
        (connection,) = end.connections()
        assert end.remove(connection.number)
        assert not end.remove(connection.number)
    assert client.assigned == Assigned()
    assert gateway.packet_for(packet("192.0.2.1", "10.77.0.4")) is None


def test_connections_that_make_no_sense_are_refused() -> None:
    """Nothing given, a block without length, the same node twice, too many."""
    end = IpTunnel()
    for ip4 in (None, Block(bytes((10, 1, 2, 3)), 0, 0), Block(bytes(4), 0, 32)):
        with pytest.raises(TunnelError):
            end.allow(CLIENT, ip4, None)
    end.allow(CLIENT, IP4, None)
    with pytest.raises(TunnelError, match="already"):
        end.allow(CLIENT, IP4, None)
    for number in range(MAX_CONNECTIONS - 1):
        end.connect(PublicKey(number.to_bytes(32, "big")), NOW)
    with pytest.raises(TunnelError, match=str(MAX_CONNECTIONS)):
        end.connect(GATEWAY, NOW)


@pytest.mark.parametrize(("at", "value"), [(6, 6), (4, 0xFF), (41, 1), (45, 0), (47, 0), (50, 0xFF), (60, 0)])
def test_a_damaged_control_message_is_refused(at: int, value: int) -> None:
    """Next header, length, port, text length, checksum, text."""
    message = bytearray(Request(b"abcd").encode())
    assert message[at] != value
    message[at] = value
    with pytest.raises(WireError):
        parse_control(bytes(message))


def control(text: bytes) -> bytes:
    """A control message with any text, its lengths and checksum right."""
    packet = bytearray(Request(b"abcd").encode()[:48] + text)
    packet[4:6] = (8 + len(text)).to_bytes(2, "big")
    packet[44:48] = len(text).to_bytes(2, "big") + bytes(2)
    packet[46:48] = internet_checksum(packet[40:], 8 + len(text) + 17).to_bytes(2, "big")
    return bytes(packet)


@pytest.mark.parametrize(
    "text",
    [
        b"le",
        b"i1e",
        b"d1:q21:IpTunnel_getAddressese",
        b"d1:q21:IpTunnel_getAddresses4:txid3:abce",
        b"d1:q4:ping4:txid4:abcde",
        b"d9:addressesle4:txid4:abcde",
        b"not bencoded",
    ],
)
def test_a_message_that_is_neither_request_nor_offer_changes_nothing(text: bytes) -> None:
    """Counted, unanswered, at both ends; and with a text that makes sense the same packet is understood."""
    assert parse_control(control(b"d1:q21:IpTunnel_getAddresses4:txid4:abcde")) == Request(b"abcd")
    client, gateway = connected()
    before = client.assigned
    assert client.receive(GATEWAY, control(text), NOW) is None
    assert gateway.receive(CLIENT, control(text), NOW) is None
    assert client.messages == gateway.messages == []
    assert client.assigned == before
    assert client.drops["tunnel.control"] == gateway.drops["tunnel.control"] == 1


def test_a_block_of_its_own_network_is_not_routed() -> None:
    """An offer whose prefix is the whole address asks for no route; the later offer replaces the earlier."""
    client = IpTunnel()
    right = client.connect(GATEWAY, NOW).to_bytes(4, "little")
    client.receive(GATEWAY, Offer(right, IP4, IP6).encode(), NOW)
    client.receive(GATEWAY, Offer(right, Block(IP4.address, 32, 32), None).encode(), NOW)
    assert client.assigned == Assigned((IPv4Interface("10.77.0.4/32"),), ())
