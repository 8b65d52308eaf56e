"""Lines of nodes whose ends have a session, and what their data path does, for tests of it."""

from __future__ import annotations

import random

from dexrouter.core.node import Node
from dexrouter.core.outputs import ToTun, Transmit
from dexrouter.wire.ipv6 import rebuild
from virtual_wire import World

__all__ = ["UDP", "counts", "datagrams", "host_packets", "linked", "mixed", "packet"]

UDP = 17


def linked(*names: str, seed: int = 1) -> World:
    """Give a line of nodes whose ends have an established session with keys on both sides."""
    world = World(seed=seed)
    world.line(*names)
    first, last = names[0], names[-1]
    for _ in range(40):
        world.from_tun(first, packet(world, first, last, b"hello"))
        world.from_tun(last, packet(world, last, first, b"hello"))
        world.run(0.25)
        if len(world.tun[first]) > 3 and len(world.tun[last]) > 3:
            break
    assert len(world.tun[first]) > 3
    for name in names:
        world.tun[name].clear()
    world.sent.clear()
    return world


def packet(world: World, source: str, target: str, content: bytes, next_header: int = UDP) -> bytes:
    return rebuild(world.key(source).address, world.key(target).address, next_header, content)


def datagrams(node: Node) -> list[bytes]:
    """Give everything that a node wants to send, as bytes, in order."""
    return [
        bytes(datagram)
        for output in node.drain()
        if isinstance(output, Transmit)
        for datagram in output.datagrams
    ]


def host_packets(node: Node) -> list[bytes]:
    """Give everything that a node wants to write to its host."""
    return [
        bytes(packet) for output in node.drain() if isinstance(output, ToTun) for packet in output.packets
    ]


def counts(node: Node) -> dict[str, object]:
    """Give all that is counted about data."""
    (peer, *_) = node.peering.peers()
    return {
        "drops": [node.drops, node.peering.drops, node.sessions.drops, node.switch.drops],
        "peers": [(p.bytes_in, p.bytes_out, p.packets_in, p.last_message) for p in node.peering.peers()],
        "sessions": [
            (s.bytes_in, s.bytes_out, s.last_heard, s.unanswered_since, s.crypto.next_counter)
            for s in node.sessions.by_address.values()
        ],
        "rates": [
            (
                p.bandwidth_in.kbps(p.bytes_in, p.last_message),
                p.bandwidth_out.kbps(p.bytes_out, p.last_message),
            )
            for p in node.peering.peers()
        ],
        "paths": [
            (path.label, path.validated, path.probed)
            for s in node.sessions.by_address.values()
            for path in s.paths
        ],
        "windows": [
            (w.base, w.bits, w.lost, w.duplicates, w.out_of_range)
            for w in (peer.session.replay, *(s.crypto.replay for s in node.sessions.by_address.values()))
        ],
    }


def mixed(world: World, seed: int, target: str = "b") -> list[bytes]:
    """Give datagrams that a sends: data, forged, replayed, short, late, moved, as a seed decides."""
    chance = random.Random(seed)
    node = world.nodes["a"]
    node.from_tun(
        [packet(world, "a", target, bytes([n]) * chance.randrange(90)) for n in range(80)], world.now
    )
    sent = datagrams(node)
    mix = []
    for datagram in sent:
        match chance.randrange(8):
            case 0:
                at = chance.randrange(len(datagram))
                mix.append(datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1 :])
            case 1:
                mix += [datagram, datagram]
            case 2:
                mix.append(datagram[: chance.randrange(len(datagram))])
            case 3:
                mix.insert(chance.randrange(len(mix) + 1), datagram)
            case _:
                mix.append(datagram)
    return mix
