"""What is fuzzed: every parser of foreign bytes, and the whole node. One function for each, bytes in.

A target returns for any bytes at all. It swallows the one error that its parser documents; whatever else
comes out of it is a finding. fuzz/run.py feeds them with coverage-guided bytes, fuzz/test_targets.py with a
few random ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from dexrouter.admin.edge import Edge
from dexrouter.admin.server import AdminServer
from dexrouter.config import ConfigErrors, cleanconf, load_config, parse_peers
from dexrouter.config.errors import ConfigError
from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.core.peering import BeaconMode, PeerState
from dexrouter.crypto import base32
from dexrouter.crypto.cryptoauth import CryptoError
from dexrouter.crypto.keys import KeyParseError, parse_address, parse_node, parse_public_key
from dexrouter.wire import bencode, ethernet, iptunnel
from dexrouter.wire.beacon import Beacon, UdpBeacon
from dexrouter.wire.control import AuthenticationCause, parse_control
from dexrouter.wire.crypto_header import CryptoHeader
from dexrouter.wire.dht import DhtMessage, decode_versions
from dexrouter.wire.encoding_scheme import EncodingScheme
from dexrouter.wire.errors import WireError
from dexrouter.wire.ipv6 import strip
from dexrouter.wire.labels import parse_label
from dexrouter.wire.session_frame import parse_content_type
from dexrouter.wire.switch_header import SwitchHeader
from remote import PING_FRAME_HEADER, RemotePeer, make_node

__all__ = ["TARGETS", "Target"]

Target = Callable[[bytes], None]

NOW: Final = 1000.0
_TIME: Final = 7
"""Kind of step."""


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
    with contextlib.suppress(WireError):
        assert parse_control(parse_control(data).encode()) == parse_control(data)


def _iptunnel(data: bytes) -> None:
    """A packet of the tunnel, and one that is right but for its bencoded text."""
    for packet in (data, iptunnel._wrap(data)):
        with contextlib.suppress(WireError):
            iptunnel.parse_control(packet)


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


def _paste(data: bytes) -> None:
    parse_peers(data.decode("utf-8", "surrogateescape"))


def _admin(data: bytes) -> None:
    """One request to a node that has a peer, without a password."""
    node, _ = _established()
    server = AdminServer(node=node, edge=Edge(), password="NONE", entropy=bytes, pid=1)
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
    "beacon": _wire(Beacon.parse),
    "bencode": _bencode,
    "cause": _wire(AuthenticationCause.parse),
    "config": _config,
    "content-type": _wire(parse_content_type),
    "control": _control,
    "crypto": _crypto,
    "crypto-header": _wire(CryptoHeader.parse),
    "dht": _dht,
    "ethernet": _wire(ethernet.unwrap),
    "iptunnel": _iptunnel,
    "ipv6": _wire(strip),
    "node": _node,
    "paste": _paste,
    "scheme": _wire(EncodingScheme.parse),
    "switch-header": _wire(SwitchHeader.parse),
    "texts": _texts,
    "udp-beacon": _wire(UdpBeacon.parse),
    "versions": lambda data: (decode_versions(data), None)[1],
}
