"""Floods a router from a place of its own: sends at a fixed rate, prints how much it was.

    python flooder.py KIND HOST PORT KEY --rate 2000 --seconds 3

`strangers`   hellos from unknown addresses with credentials that nobody has
`hellos`      hellos from unknown addresses, each good: random keys and the router's password
`handshakes`  end-to-end hellos of as many nodes, through one connected peer
`handles`     packets of end-to-end sessions that do not exist, through one connected peer
`lookups`     `fn` queries for random addresses, by one connected peer
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import socket
import sys
import time
from collections.abc import Callable
from struct import Struct
from typing import Final

from dexrouter.core.links import LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.core.switch import ROUTER
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import KeyPair, PublicKey, generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.session_frame import ContentType, data_header

__all__ = ["CREDENTIALS", "KINDS"]

CREDENTIALS: Final = Credentials(b"between neighbours", b"next")
"""Those of router_mesh.py."""

_KEYS: Final = 50
_SOURCES: Final = 200
_HELLOS: Final = 300
_HEADER: Final = Struct(">QBBH")
_PATIENCE: Final = 20.0

Send = Callable[[], None]


def main() -> None:
    """Prepare, flood, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("key", type=bytes.fromhex)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    target, key = (options.host, options.port), PublicKey(options.key)
    sys.stdout.write("preparing\n")
    sys.stdout.flush()
    peer = None if options.kind in ("strangers", "hellos") else Neighbour(target, key)
    send = _hellos(options.kind, target, key) if peer is None else _through(options.kind, peer, key)
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    begun, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - begun) < options.seconds:
        for _ in range(int(elapsed * options.rate) - sent):
            send()
            sent += 1
        if peer is not None:
            peer.tend()
        time.sleep(0.001)
    sys.stdout.write(json.dumps({"sent": sent, "seconds": elapsed}) + "\n")


class Neighbour:
    """A node of ours that is connected to the router and behaves well, apart from what it is told to send."""

    def __init__(self, target: tuple[str, int], key: PublicKey) -> None:
        now = time.monotonic()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.node = Node(own=generate_key_pair(os.urandom), entropy=os.urandom, now=now)
        self.node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/0.0.0.0:0")
        self.peer = self.node.peering.connect(0, target, key, CREDENTIALS, now)
        self.node.flush(now)
        while not (self.peer.is_routable and self._session_is_up(key)):
            if time.monotonic() - now > _PATIENCE:
                raise TimeoutError("the router does not answer")
            self.tend()
            time.sleep(0.005)

    def _session_is_up(self, key: PublicKey) -> bool:
        return any(
            session.key == key and session.crypto.is_established
            for session in self.node.sessions.by_address.values()
        )

    def tend(self) -> None:
        """Take what has come, and do what is due."""
        now = time.monotonic()
        for _ in range(1000):
            try:
                datagram, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                break
            self.node.receive(0, source, [datagram], now)
        if now >= self.node.next_deadline():
            self.node.poll(now)
        self.carry_out()

    def carry_out(self) -> None:
        """Send what the node wants to send."""
        for output in self.node.drain():
            if isinstance(output, Transmit):
                for datagram in output.datagrams:
                    self.socket.sendto(datagram, output.address)

    def send(self, frame: bytes) -> None:
        """Send a frame of our own to where its label says."""
        moved = self.node.switch.forward(frame, ROUTER)
        if moved is not None:
            self.node.peering.send(self.peer, moved[1], time.monotonic())
            self.carry_out()


def _hellos(kind: str, target: tuple[str, int], key: PublicKey) -> Send:
    """Send from many sockets: each source address is a stranger of its own."""
    credentials = CREDENTIALS if kind == "hellos" else Credentials(b"nobody's", b"nobody")
    hellos = itertools.cycle(_make_hellos(key, credentials, bytes(8)))
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_SOURCES)]
    sources = itertools.cycle(sockets)
    return lambda: _ignore(next(sources).sendto(next(hellos), target))


def _through(kind: str, peer: Neighbour, key: PublicKey) -> Send:
    header = _HEADER.pack(peer.peer.label, 0, 0x40, 0)
    if kind == "handles":
        return lambda: peer.send(header + bytes((1,)) + os.urandom(95))
    if kind == "handshakes":
        plain = bytes((0, 0, 4, 0)) + data_header(ContentType.CJDHT) + _lookup()
        hellos = itertools.cycle(_make_hellos(key, None, plain))
        return lambda: peer.send(header + next(hellos))

    def look_up() -> None:
        frame = peer.node.sessions.send_message(key, 21, peer.peer.label, _lookup(), time.monotonic())
        if frame is not None:
            peer.send(frame)

    return look_up


def _lookup() -> bytes:
    return DhtMessage(
        txid=os.urandom(14),
        query=b"fn",
        version=21,
        scheme=V358,
        inverse_form=0,
        target=b"\xfc" + os.urandom(15),
    ).encode()


def _make_hellos(key: PublicKey, credentials: Credentials | None, plain: bytes) -> list[bytes]:
    keys = [generate_key_pair(random.Random(number).randbytes) for number in range(_KEYS)]
    return [_hello(keys[number % _KEYS], key, credentials, plain) for number in range(_HELLOS)]


def _hello(own: KeyPair, key: PublicKey, credentials: Credentials | None, plain: bytes) -> bytes:
    session = Session(
        own=own,
        her_key=key,
        users=AuthorizedUsers(),
        require_auth=False,
        credentials=credentials,
        entropy=os.urandom,
        now=0.0,
    )
    return session.seal(plain, 0.0)


def _ignore(_: int) -> None:
    pass


KINDS: Final = ("strangers", "hellos", "handshakes", "handles", "lookups")

if __name__ == "__main__":
    main()
