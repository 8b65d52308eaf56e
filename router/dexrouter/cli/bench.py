"""`dexrouter --bench`: what this machine's processor can do, in memory, without sockets or devices.

Two figures, in the words of cjdroute's own: the crypto of a link (sealing and opening), and a relay that
takes packets from one neighbour and hands them to the next. Packets of the relay come in batches, as they do
from a socket under load. Both are of one processor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import ToTun, Transmit
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.ipv6 import rebuild

__all__ = ["bench"]

_CREDENTIALS: Final = Credentials(b"a password of the bench", b"bench")
_PACKET: Final = 1500
_RELAYED: Final = 1200
_BATCH: Final = 64
_UDP: Final = 17
_PATIENCE: Final = 60.0
"""Seconds of the nodes' own clock until packets come through."""


def bench(seconds: float) -> int:
    """Measure both for so long each, and print; gives the exit status."""
    taken, count = _repeat(_crypto(), seconds)
    bits = count * _PACKET * 8 / taken / 1000
    print(f"Benchmark salsa20/poly1305 in {taken * 1000:.0f}ms. {bits:.0f} kilobits per second", flush=True)
    taken, count = _repeat(_Relay().carry, seconds)
    print(f"Benchmark Switching in {taken * 1000:.0f}ms. {count / taken:.0f} packets per second", flush=True)
    return 0


def _repeat(work: Callable[[], tuple[float, int]], seconds: float) -> tuple[float, int]:
    """Do it for so long; `work` says how long what counts took, and how many packets it was."""
    taken, count = 0.0, 0
    while taken < seconds:
        more, packets = work()
        taken, count = taken + more, count + packets
    return taken, count


def _crypto() -> Callable[[], tuple[float, int]]:
    here, there = generate_key_pair(os.urandom), generate_key_pair(os.urandom)
    one, other = (
        Session(
            own=own,
            her_key=her.public,
            users=AuthorizedUsers(),
            require_auth=False,
            credentials=None,
            entropy=os.urandom,
            now=0.0,
        )
        for own, her in ((here, there), (there, here))
    )
    for sender, receiver in ((one, other), (other, one), (one, other)):
        receiver.open(sender.seal(b"hello", 0.0), 0.0, apply_timeout=True)
    payload = bytes(_PACKET)

    def work() -> tuple[float, int]:
        start = time.perf_counter()
        for _ in range(_BATCH):
            other.open(one.seal(payload, 0.0), 0.0, apply_timeout=True)
        return time.perf_counter() - start, _BATCH

    return work


class _Relay:
    """Three nodes in a line; the one in the middle is timed."""

    def __init__(self) -> None:
        self._now = 0.0
        self._nodes = [
            Node(own=generate_key_pair(os.urandom), entropy=os.urandom, now=0.0, supernodes=None)
            for _ in range(3)
        ]
        self._relay = self._nodes[1]
        for node in self._nodes:
            node.users.add(_CREDENTIALS)
            node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/memory")
        for number in (0, 2):
            key = self._relay.own.public
            self._nodes[number].peering.connect(0, _place(1), key, _CREDENTIALS, 0.0, name="outer")
            self._nodes[number].flush(0.0)
        source, target = (self._nodes[number].own.address for number in (0, 2))
        self._packet = rebuild(source, target, _UDP, bytes(_RELAYED))
        while self._settle() == 0:
            if self._now > _PATIENCE:
                raise RuntimeError("the nodes of the bench do not find each other")
            self._now += 0.1
            for node in self._nodes:
                node.poll(self._now)
            self._nodes[0].from_tun([self._packet], self._now)

    def carry(self) -> tuple[float, int]:
        """Let the first node send a batch, and the second one pass it on."""
        self._nodes[0].from_tun([self._packet] * _BATCH, self._now)
        (batch,) = [output for output in self._nodes[0].drain() if isinstance(output, Transmit)]
        start = time.perf_counter()
        self._relay.receive(0, _place(0), batch.datagrams, self._now)
        passed = self._relay.drain()
        return time.perf_counter() - start, sum(
            len(output.datagrams) for output in passed if isinstance(output, Transmit)
        )

    def _settle(self) -> int:
        """Carry datagrams until none is on its way; gives how many user packets the last node got."""
        arrived = 0
        while True:
            is_quiet = True
            for number, node in enumerate(self._nodes):
                for output in node.drain():
                    is_quiet = False
                    if isinstance(output, Transmit):
                        target = _number(output.address)
                        self._nodes[target].receive(0, _place(number), output.datagrams, self._now)
                    elif isinstance(output, ToTun) and number == 2:
                        arrived += len(output.packets)
            if is_quiet:
                return arrived


def _place(number: int) -> LinkAddress:
    return f"192.0.2.{number}", 1


def _number(address: LinkAddress) -> int:
    return int(str(address[0]).rpartition(".")[2])
