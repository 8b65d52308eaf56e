"""A peer that would hear us from another address is called anew at once."""

from __future__ import annotations

import random

from dexrouter.core.outputs import Output, Transmit
from dexrouter.crypto.keys import generate_key_pair
from dexrouter.crypto.users import Credentials
from remote import make_node

NOW = 1000.0
ADDRESS = ("192.0.2.9", 9)


def hellos(outputs: list[Output]) -> list[bytes]:
    return [
        bytes(datagram)
        for output in outputs
        if type(output) is Transmit and output.address == ADDRESS
        for datagram in output.datagrams
    ]


def test_renewing_says_hello_at_once() -> None:
    """A hello (nonce 0) with fresh keys, though the next retry was not due; then retries are quick again."""
    node = make_node()
    key = generate_key_pair(random.Random(7).randbytes).public
    peer = node.peering.connect(0, ADDRESS, key, Credentials(b"password"), NOW)
    node.flush(NOW)
    first = hellos(list(node.drain()))
    for step in range(1, 40):
        node.poll(NOW + step / 10)
        node.drain()
    node.peering.renew(peer, NOW + 4)
    node.flush(NOW + 4)
    again = hellos(list(node.drain()))
    assert [packet[:4] for packet in (*first, *again)] == [bytes(4), bytes(4)]
    assert first[0][72:] != again[0][72:]
    assert peer.next_ping == NOW + 4.25
