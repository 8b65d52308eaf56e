"""Ethernet frames in bursts: batches, beacons, what is not for us, and what cannot be sent.

A pair of Unix sockets stands in for the device: frames are datagrams to both.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator

import pytest

from dexrouter.core.outputs import Train
from dexrouter.io.burst import MOST, Burst
from dexrouter.io.ethernet import EthernetDevice
from dexrouter.wire.ethernet import BROADCAST, both_headers

OURS, ONE, OTHER = (bytes([2, 0, 0, 0, 0, number]) for number in range(3))


class NoRest(Burst):
    def __init__(self) -> None:
        super().__init__()
        self.size, self.last = MOST, math.inf

    def next(self, now: float) -> int:
        found = super().next(now)
        self.last = math.inf
        return found


@pytest.fixture
def wire() -> Iterator[tuple[EthernetDevice, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    device = EthernetDevice("wire0")
    device._socket, device._mac, device._burst = near, OURS, NoRest()
    with far:
        yield device, far
        device.close()


def frame(source: bytes, payload: bytes, target: bytes = OURS) -> bytes:
    return both_headers(target, source, len(payload)) + payload


def taken(device: EthernetDevice) -> tuple[list[tuple[object, list[bytes]]], list[tuple[bytes, bytes]]]:
    batches, beacons = device.receive()
    return [
        (source, [bytes(packets.view[start:end]) for start, end in packets.spans])
        for source, packets in batches
    ], [(bytes(source), content) for source, content in beacons if isinstance(source, bytes)]


def test_frames_of_one_sender_are_one_batch_and_beacons_are_apart(
    wire: tuple[EthernetDevice, socket.socket],
) -> None:
    """In order, without padding; a broken header is counted and harms nothing else."""
    device, far = wire
    far.send(frame(ONE, b"first"))
    far.send(frame(ONE, b"second") + bytes(30))
    far.send(frame(ONE, b"broken")[:-1])
    far.send(frame(ONE, b"beacon", BROADCAST))
    far.send(frame(OTHER, b"third"))
    far.send(frame(ONE, b"fourth"))
    batches, beacons = taken(device)
    assert batches == [(ONE, [b"first", b"second"]), (OTHER, [b"third"]), (ONE, [b"fourth"])]
    assert beacons == [(ONE, b"beacon")]
    assert device.drops == {"eth.header": 1}
    assert taken(device) == ([], [])


def test_frames_for_others_are_counted(
    wire: tuple[EthernetDevice, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a group; the address of the device is asked for again, for it may have been changed."""
    device, far = wire
    far.send(frame(ONE, b"x", b"\x01" + bytes(5)))
    far.send(frame(ONE, b"y"))
    monkeypatch.setattr(EthernetDevice, "_is_ours", lambda _, target: bool(target == OURS))
    assert taken(device) == ([(ONE, [b"y"])], [])
    assert device.drops == {"eth.not_for_us": 1}


def test_what_is_sent_has_both_headers(wire: tuple[EthernetDevice, socket.socket]) -> None:
    """Single packets, trains, and a mixture of sizes."""
    device, far = wire
    device.send(ONE, [b"a" * 9, Train(memoryview(b"b" * 8 + b"c" * 8 + b"d"), 8), b"e" * 9])
    sent = [b"a" * 9, b"b" * 8, b"c" * 8, b"d", b"e" * 9]
    assert [far.recv(100) for _ in sent] == [frame(OURS, payload, ONE) for payload in sent]


def test_a_frame_that_cannot_be_sent_is_lost_and_the_others_go(
    wire: tuple[EthernetDevice, socket.socket],
) -> None:
    """One is too long for the device, the other for its own header."""
    device, far = wire
    assert device._socket is not None
    device._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
    device.send(ONE, [b"one", bytes(60000), b"two", bytes(65530), b"three"])
    assert [far.recv(100)[20:] for _ in range(3)] == [b"one", b"two", b"three"]
    assert device.drops == {"eth.EMSGSIZE": 2}


def test_nothing_is_sent_and_nothing_comes_while_there_is_no_device() -> None:
    device = EthernetDevice("wire0")
    device.send(ONE, [b"lost", Train(memoryview(b"lost too"), 4)])
    assert device.drops == {"eth.closed": 3}
    assert device.receive() == ([], [])
