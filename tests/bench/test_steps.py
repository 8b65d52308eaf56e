"""What the steps of a packet's way cost, one by one: fifty packets of 1,232 bytes of content each.

The figures are for the whole fifty. `seal` and `open` are one layer of encryption; a packet has two of each.
`out` and `in` are all that the router does for packets at the ends, but the kernel's calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pytest_benchmark.fixture import BenchmarkFixture

from dexrouter.core.node import Node
from dexrouter.core.outputs import Buffer, Train, Transmit
from dexrouter.core.packets import Packets, Spans
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers
from dexrouter.io.cut import cut, cut_room
from dexrouter.io.merge import merge
from dexrouter.wire.ipv6 import rebuild
from dexrouter.wire.virtio import NEEDS_CHECKSUM, SuperPacket, VnetHeader
from virtual_wire import World

_COUNT = 50
_SEGMENT = 1232
_GAP = 20
_BUFFER = 128 * 1024
_NOW = 1000.0
_TCP = 6


def _sessions() -> tuple[Session, Session]:
    """Give both ends of an established session."""
    entropy = random.Random(1).randbytes
    keys = [generate_key_pair(entropy) for _ in range(2)]
    first, second = (
        Session(
            own=keys[number],
            her_key=keys[1 - number].public,
            users=AuthorizedUsers(),
            require_auth=False,
            credentials=None,
            entropy=entropy,
            now=_NOW,
        )
        for number in range(2)
    )
    for _ in range(2):
        second.open(first.seal(b"hello", _NOW), _NOW, apply_timeout=True)
        first.open(second.seal(b"hello", _NOW), _NOW, apply_timeout=True)
    assert first.is_established
    assert second.is_established
    return first, second


def _super_packet(source: bytes = b"\xfc" * 16, target: bytes = b"\xfc" * 16) -> tuple[bytes, bytes]:
    entropy = random.Random(2).randbytes
    header = bytes.fromhex("1234567800000001000000028010ffff00000000") + bytes(12)
    packet = rebuild(source, target, _TCP, header + entropy(_COUNT * _SEGMENT))
    return VnetHeader(NEEDS_CHECKSUM, SuperPacket.TCP6, 72, _SEGMENT, 40, 16).encode(), packet


def _pieces() -> Packets:
    vnet, packet = _super_packet()
    packets = Packets(bytearray(cut_room(len(packet), _SEGMENT, _GAP)))
    packets.spans = cut(vnet, packet, packets.buffer, 0, _GAP)
    assert len(packets.spans) == _COUNT
    return packets


def test_seal(benchmark: BenchmarkFixture) -> None:
    """One layer, in place."""
    first, _ = _sessions()
    packets = _pieces()
    assert benchmark(first.seal_run, packets, packets.spans, -_GAP, b"", b"", _NOW)


def test_open(benchmark: BenchmarkFixture) -> None:
    """One layer, in place; each packet once, for it is a replay afterwards."""
    first, second = _sessions()

    def prepare() -> tuple[tuple[Packets], dict[str, object]]:
        packets = _pieces()
        first.seal_run(packets, packets.spans, -_GAP, b"", b"", _NOW)
        return (packets,), {}

    def opened(packets: Packets) -> int:
        return second.open_run(packets, packets.spans, 0, -_GAP, _NOW)[0]

    # pytest-benchmark has no types for it.
    assert benchmark.pedantic(opened, setup=prepare, rounds=100) == _COUNT  # type: ignore[no-untyped-call]


def test_forward(benchmark: BenchmarkFixture) -> None:
    """Through the middle of a line: opened for one neighbour, moved on, sealed for the next."""
    world = World()
    world.line("a", "b", "c")
    packet = rebuild(world.key("a").address, world.key("c").address, _TCP, bytes(_SEGMENT + 32))

    def arrives() -> bool:
        world.from_tun("a", packet)
        world.run(0.1)
        return bool(world.tun["c"])

    world.wait(arrives, seconds=60)
    first, middle = world.nodes["a"], world.nodes["b"]

    source, packets = world.address("a"), Packets(bytearray(_BUFFER))

    def prepare() -> None:
        first.from_tun([packet] * _COUNT, world.now)
        (sent,) = first.drain()
        _receive(packets, getattr(sent, "datagrams", []))

    def through() -> int:
        middle.receive_packets(0, source, packets, world.now)
        (moved,) = middle.drain()
        return len(getattr(moved, "datagrams", []))

    assert benchmark.pedantic(through, setup=prepare, rounds=100) == _COUNT  # type: ignore[no-untyped-call]


def _linked() -> tuple[World, Node, Node]:
    """Give two neighbours that have a session with each other."""
    world = World()
    world.line("a", "b")

    def arrives() -> bool:
        for here, there in (("a", "b"), ("b", "a")):
            world.from_tun(here, rebuild(world.key(here).address, world.key(there).address, _TCP, bytes(99)))
        world.run(0.1)
        return bool(world.tun["a"] and world.tun["b"])

    world.wait(arrives, seconds=60)
    return world, world.nodes["a"], world.nodes["b"]


def _sender(world: World, node: Node) -> Callable[[], Train]:
    """Give what turns a super-packet of the host into a train of datagrams."""
    vnet, packet = _super_packet(world.key("a").address, world.key("b").address)
    packets = Packets(bytearray(cut_room(len(packet), _SEGMENT, _GAP)))

    def send() -> Train:
        packets.spans = cut(vnet, packet, packets.buffer, 0, _GAP)
        node.send_packets(packets, world.now)
        (output,) = node.drain()
        assert isinstance(output, Transmit)
        (train,) = output.parts
        assert isinstance(train, Train)
        return train

    return send


def _receive(packets: Packets, datagrams: Sequence[Buffer]) -> None:
    """Lay datagrams of one size into a buffer as the kernel does."""
    size = len(datagrams[0])
    packets.buffer[: size * len(datagrams)] = b"".join(datagrams)
    packets.spans = Spans.train(0, size, size, size, len(datagrams))


def test_out(benchmark: BenchmarkFixture) -> None:
    """From the super-packet to what the kernel is given: cut, and sealed twice."""
    world, first, _ = _linked()
    train = benchmark(_sender(world, first))
    assert len(list(train)) == _COUNT


def test_in(benchmark: BenchmarkFixture) -> None:
    """From a train of datagrams to what the device is given: opened twice, and joined."""
    world, first, second = _linked()
    send = _sender(world, first)
    source, packets = world.address("a"), Packets(bytearray(_BUFFER))

    def prepare() -> None:
        _receive(packets, list(send()))

    def take() -> int:
        second.receive_packets(0, source, packets, world.now)
        (output,) = second.drain()
        return len(merge(getattr(output, "packets", [])))

    # pytest-benchmark has no types for it.
    assert benchmark.pedantic(take, setup=prepare, rounds=100) == 1  # type: ignore[no-untyped-call]


def test_cut(benchmark: BenchmarkFixture) -> None:
    """A super-packet of the host, checksums included."""
    vnet, packet = _super_packet()
    room = bytearray(cut_room(len(packet), _SEGMENT, _GAP))
    assert len(benchmark(cut, vnet, packet, room, 0, _GAP)) == _COUNT


def test_join(benchmark: BenchmarkFixture) -> None:
    """The same pieces back into one."""
    packets = _pieces()
    views = [packets.view[start:end] for start, end in packets.spans]
    assert len(benchmark(merge, views)) == 1
