"""A bare neighbour for tests of a node: one CryptoAuth session at the other end of a link, driven by hand."""

from __future__ import annotations

import functools
import random

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Output, Transmit
from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.keys import KeyPair, generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.control import Ping, Pong, parse_control

__all__ = ["CREDENTIALS", "PING_FRAME_HEADER", "RemotePeer", "key_pair_of", "make_node"]

CREDENTIALS = Credentials(b"a password", b"a-login")
PING_FRAME_HEADER = bytes.fromhex("80000000000000010044ffffffffffff")


@functools.cache
def key_pair_of(seed: int) -> KeyPair:
    """Make the key pair of a seed: 256 tries, so each is made once."""
    return generate_key_pair(random.Random(f"key {seed}").randbytes)


def make_node(seed: int = 1, *, now: float = 1000.0) -> Node:
    """Make a node with one UDP interface and one user, reproducible from the seed."""
    entropy = random.Random(seed).randbytes
    node = Node(own=key_pair_of(seed), entropy=entropy, now=now)
    node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/0.0.0.0:1")
    node.users.add(CREDENTIALS)
    return node


class RemotePeer:
    """The other end of one of a node's links."""

    def __init__(
        self,
        node: Node,
        seed: int,
        *,
        now: float = 1000.0,
        credentials: Credentials | None = CREDENTIALS,
        key: KeyPair | None = None,
    ) -> None:
        self.node = node
        self.entropy = random.Random(seed).randbytes
        self.key = key or key_pair_of(seed)
        self.address: LinkAddress = ("192.0.2.1", seed)
        self.session = Session(
            own=self.key,
            her_key=node.own.public,
            users=AuthorizedUsers(),
            require_auth=False,
            credentials=credentials,
            entropy=self.entropy,
            now=now,
        )

    def send(self, frame: bytes, now: float) -> list[bytes]:
        """Send a frame through the link; gives the frames that come back."""
        return self.send_packet(self.session.seal(frame, now), now)

    def send_packet(self, packet: bytes, now: float) -> list[bytes]:
        """Send a raw link packet; gives the frames that come back."""
        self.node.receive(0, self.address, [packet], now)
        return self.frames(self.node.drain(), now)

    def frames(self, outputs: list[Output], now: float) -> list[bytes]:
        """Open the datagrams among the outputs that are for this peer."""
        frames = []
        for output in outputs:
            if type(output) is Transmit and output.address == self.address:
                for datagram in output.datagrams:
                    frame = self.session.open(bytes(datagram), now, apply_timeout=True)
                    assert not isinstance(frame, CryptoError), frame
                    frames.append(frame)
        return frames

    def ping_frame(self, data: bytes = b"ping-ping-pi", version: int = 21) -> bytes:
        """Make a liveness ping for the node's router."""
        return PING_FRAME_HEADER + Ping(version, data).encode()

    def establish(self, now: float, *, version: int = 21) -> None:
        """Go through the handshake until both ends are ESTABLISHED and know each other's version."""
        pending = self.send(self.ping_frame(), now)
        for _ in range(6):
            answers = [self.answer(frame, version) for frame in pending]
            pending = []
            for answer in answers:
                if answer is not None:
                    pending += self.send(answer, now)
            if self.session.is_established and not pending:
                return
            if not pending:
                pending = self.send(self.ping_frame(), now)

    def answer(self, frame: bytes, version: int = 21) -> bytes | None:
        """Make the pong to a ping frame; None for other frames."""
        if frame[12:16] != b"\xff\xff\xff\xff" or frame[18:20] != b"\0\3":
            return None
        ping = parse_control(frame[16:])
        assert isinstance(ping, Ping)
        return PING_FRAME_HEADER + Pong(version, ping.data).encode()
