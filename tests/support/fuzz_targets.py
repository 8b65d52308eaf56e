"""What is fuzzed of the router: every parser of foreign bytes, and the whole node. One function for each.

A target returns for any bytes at all. It swallows the one error that its parser documents; whatever else
comes out of it is a finding. fuzz/run.py feeds them with coverage-guided bytes, fuzz/test_targets.py with a
few random ones. What is fuzzed of the wizard is in fuzz_wizard.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from dexrouter.admin.server import AdminServer
from dexrouter.config import (
    ConfigErrors,
    ConnectTo,
    Edit,
    add_authorized_password,
    apply_edits,
    cleanconf,
    load_config,
    parse_peers,
    remove_peer,
    set_value,
    upsert_peer,
)
from dexrouter.config.errors import ConfigError
from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.core.packets import HEAD_ROOM
from dexrouter.core.peer import BeaconMode, PeerState
from dexrouter.crypto import base32
from dexrouter.crypto.cryptoauth import CryptoError
from dexrouter.crypto.keys import (
    KeyParseError,
    parse_address,
    parse_node,
    parse_public_key,
    public_key_text,
)
from dexrouter.io.cut import cut, cut_room
from dexrouter.io.handed_tun import take_packets
from dexrouter.io.merge import merge
from dexrouter.wire import bencode, ethernet, iptunnel
from dexrouter.wire.announce import Announcement
from dexrouter.wire.beacon import Beacon, UdpBeacon
from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.control import AuthenticationCause, parse_control
from dexrouter.wire.crypto_header import CryptoHeader
from dexrouter.wire.dht import DhtMessage, decode_versions
from dexrouter.wire.encoding_scheme import EncodingScheme
from dexrouter.wire.errors import WireError
from dexrouter.wire.ipv6 import strip
from dexrouter.wire.labels import parse_label
from dexrouter.wire.route_header import Routed, from_program
from dexrouter.wire.session_frame import parse_content_type
from dexrouter.wire.switch_header import SwitchHeader
from dexrouter.wire.virtio import VNET_HEADER_SIZE
from remote import PING_FRAME_HEADER, RemotePeer, key_pair_of, make_node
from tests.unit.admin.rig import FakeEdge

__all__ = ["TARGETS", "Target"]

Target = Callable[[bytes], None]

NOW: Final = 1000.0
_TIME: Final = 7
"""Kind of step."""

_ROOM: Final = bytearray(cut_room(2048, 16, HEAD_ROOM))
_SHORTEST_PIECE: Final = 16


def _wire(parse: Callable[[bytes], object]) -> Target:
    """Make a target of a parser whose only error is WireError."""

    def target(data: bytes) -> None:
        with contextlib.suppress(WireError):
            parse(data)

    return target


def _bencode(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert bencode.decode(bencode.encode(bencode.decode(data))) == bencode.decode(data)


def _control(data: bytes) -> None:
    """A control frame, and the same with a right checksum."""
    right = internet_checksum(b"\0\0" + data[2:]).to_bytes(2, "big") + data[2:]
    for frame in (data, right):
        with contextlib.suppress(WireError):
            assert parse_control(parse_control(frame).encode()) == parse_control(frame)


def _iptunnel(data: bytes) -> None:
    """A packet of the tunnel, and one that is right but for its bencoded text."""
    for packet in (data, iptunnel._wrap(data)):
        with contextlib.suppress(WireError):
            iptunnel.parse_control(packet)


def _announcement(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert Announcement.parse(Announcement.parse(data).encode()) == Announcement.parse(data)


def _routed(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert Routed.parse(Routed.parse(data).encode()) == Routed.parse(data)
    with contextlib.suppress(WireError):
        from_program(data)


def _stream(data: bytes) -> None:
    """Cut in two anywhere, a stream gives the same packets."""
    at = data[0] % (len(data) + 1) if data else 0
    whole, rest = take_packets(data)
    first, kept = take_packets(data[:at])
    second, left = ([], None) if kept is None else take_packets(kept + data[at:])
    assert (first + second, left) == (whole, rest)


def _super_packet(data: bytes) -> None:
    """Cut what a kernel may hand out, and join the pieces again."""
    head, packet = data[:VNET_HEADER_SIZE], data[VNET_HEADER_SIZE:]
    if len(head) < VNET_HEADER_SIZE or int.from_bytes(head[4:6], "little") < _SHORTEST_PIECE:
        return
    with contextlib.suppress(WireError):
        spans = cut(head, packet, _ROOM, 0, HEAD_ROOM)
        merge([bytes(_ROOM[start:end]) for start, end in spans])


def _merge(data: bytes) -> None:
    """Join packets, or leave them: none is lost, none is made."""
    packets: list[bytes] = []
    while data:
        size = data[0] + 1
        packets.append(data[1 : 1 + size])
        data = data[1 + size :]
    joined = merge([packet for packet in packets if packet])
    assert len(joined) <= len(packets)


def _dht(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert DhtMessage.parse(DhtMessage.parse(data).encode()) == DhtMessage.parse(data)


def _texts(data: bytes) -> None:
    """Keys, addresses, labels and node names, as people and tools write them."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(WireError):
        parse_label(text)
    with contextlib.suppress(base32.Base32Error):
        base32.decode(text)
    for parse in (parse_address, parse_node, parse_public_key):
        with contextlib.suppress(KeyParseError):
            parse(text)


def _config(data: bytes) -> None:
    with contextlib.suppress(ConfigError, ConfigErrors):
        load_config(data)
    with contextlib.suppress(ConfigError, ConfigErrors):
        cleanconf(data)


def _edit(data: bytes) -> None:
    """Edit a configuration, whatever it is: it is refused, or the same edit again changes nothing."""
    key = public_key_text(key_pair_of(3).public)
    peer = ConnectTo("192.0.2.9:1234", key, "a password", None, None)
    changes: tuple[Callable[[bytes], tuple[Edit, ...]], ...] = (
        lambda given: upsert_peer(given, peer),
        lambda given: remove_peer(given, key),
        lambda given: set_value(given, "router.interface.tunDevice", "tun7"),
        lambda given: add_authorized_password(given, "a password", "a user"),
    )
    for change in changes:
        with contextlib.suppress(ConfigError, ConfigErrors):
            once = apply_edits(data, change(data))
            assert not change(once)


def _paste(data: bytes) -> None:
    parse_peers(data.decode("utf-8", "surrogateescape"))


def _admin(data: bytes) -> None:
    """One request to a node that has a peer, without a password."""
    node, _ = _established()
    edge = FakeEdge(node).as_edge()
    server = AdminServer(node=node, edge=edge, password="NONE", entropy=bytes, pid=1)
    source = ("127.0.0.1", 1)
    server.receive(source, data, NOW, 1)
    server.receive(source, b"d1:q4:ping4:txid" + str(len(data)).encode() + b":" + data + b"e", NOW, 1)
    server.poll(NOW + 5.0, 5001)
    server.close()


def _established() -> tuple[Node, RemotePeer]:
    node = make_node()
    node.peering.set_beacon_mode(0, BeaconMode.ACCEPTING, NOW)
    remote = RemotePeer(node, 7)
    remote.establish(NOW)
    return node, remote


def _node(data: bytes) -> None:
    """Play a script against a node: each step is a kind, a length, and that many bytes.

    Frames of an established but hostile peer, datagrams of anybody, beacons, packets of the host, time. In
    the end the node must still know its peer, and answer it.
    """
    node, remote = _established()
    now = NOW
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at], data[at + 1] * 4
        piece = data[at + 2 : at + 2 + size]
        at += 2 + size
        now = _step(node, remote, kind, piece, now)
        for output in node.drain():
            assert not isinstance(output, Transmit) or all(output.datagrams)
        assert kind % 8 != _TIME or node.next_deadline() > now - 0.001
    if now - NOW < 15.0:
        assert node.peering.by_slot[0].state is PeerState.ESTABLISHED
        answers = remote.send(remote.ping_frame(), now)
        assert any(frame.endswith(b"ping-ping-pi") for frame in answers)


def _step(node: Node, remote: RemotePeer, kind: int, piece: bytes, now: float) -> float:
    match kind % 8:
        case 0:
            node.receive(0, remote.address, [piece], now)
        case 1:
            node.receive(0, ("198.51.100.1", kind), [piece], now)
        case 2:
            node.receive_beacon(0, ("198.51.100.2", kind), piece, now)
        case 3:
            node.from_tun([piece, b"\x60" + bytes(5) + piece[:2] + node.own.address + b"\xfc" + piece], now)
        case 4:
            _seal(node, remote, piece, now)
        case 5:
            _seal(node, remote, PING_FRAME_HEADER + piece, now)
        case 6:
            _seal(node, remote, PING_FRAME_HEADER[:12] + piece, now)
        case _:
            now += len(piece) / 64
            node.poll(now)
    return now


def _seal(node: Node, remote: RemotePeer, frame: bytes, now: float) -> None:
    if not remote.session.is_established:
        return
    node.receive(0, remote.address, [remote.session.seal(frame or b"\0", now)], now)


def _crypto(data: bytes) -> None:
    """A packet to a session in each of its states."""
    node, remote = _established()
    established = node.peering.by_slot[0].session
    fresh = established.successor(NOW)
    asking = established.successor(NOW)
    asking.seal(b"", NOW)
    for session in (fresh, asking, established, remote.session):
        assert isinstance(session.open(data, NOW, apply_timeout=True), CryptoError)


TARGETS: Final[dict[str, Target]] = {
    "admin": _admin,
    "announcement": _announcement,
    "beacon": _wire(Beacon.parse),
    "bencode": _bencode,
    "cause": _wire(AuthenticationCause.parse),
    "config": _config,
    "content-type": _wire(parse_content_type),
    "control": _control,
    "crypto": _crypto,
    "crypto-header": _wire(CryptoHeader.parse),
    "dht": _dht,
    "edit": _edit,
    "ethernet": _wire(ethernet.unwrap),
    "iptunnel": _iptunnel,
    "ipv6": _wire(strip),
    "merge": _merge,
    "node": _node,
    "paste": _paste,
    "routed": _routed,
    "scheme": _wire(EncodingScheme.parse),
    "stream": _stream,
    "super-packet": _super_packet,
    "switch-header": _wire(SwitchHeader.parse),
    "texts": _texts,
    "udp-beacon": _wire(UdpBeacon.parse),
    "versions": lambda data: (decode_versions(data), None)[1],
}
