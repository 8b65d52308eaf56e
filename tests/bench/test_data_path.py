"""What a packet costs in the core: nodes on wires of memory, from one TUN to the other.

Sockets, devices and the kernel are not in it; `./dex bench` prints the time per batch. Both ends and every
relay run on one processor here, as they do not in the world.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dexrouter.wire.ipv6 import rebuild
from virtual_wire import World

_PAYLOAD = bytes(1200)
_BATCH = 32
_UDP = 17


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")], ids=["neighbours", "one relay"])
def test_a_batch_of_packets_from_end_to_end(names: tuple[str, ...], benchmark: BenchmarkFixture) -> None:
    """32 packets of 1200 bytes through the whole core of every node on the way."""
    world = World()
    world.line(*names)
    first, last = names[0], names[-1]
    packet = rebuild(world.key(first).address, world.key(last).address, _UDP, _PAYLOAD)
    world.wait(lambda: all(world.is_linked(*pair) for pair in pairwise(names)), seconds=30)

    def arrives() -> bool:
        world.from_tun(first, packet)
        world.run(0.1)
        return bool(world.tun[last])

    world.wait(arrives, seconds=60)

    def carry() -> int:
        world.tun[last].clear()
        world.from_tun(first, *[packet] * _BATCH)
        world.run(0.05)
        return len(world.tun[last])

    assert benchmark(carry) == _BATCH
