"""Looks from outside which TCP ports of a second node of one's own the mesh can reach.

A look from the machine itself never passes its firewall (spec 11 §1), so only another node can tell. Every
port is asked once, by an ordinary connect: an accepted one is open, all else (refused, silent) is not. UDP is
left out, because silence says nothing there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from itertools import chain

__all__ = ["USUAL_PORTS", "open_tcp_ports", "parse_ports"]

_HIGHEST = 65535
_AT_ONCE = 128
"""Connects under way at a time: each may take all of its seconds where a firewall drops."""
_PART = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_FREQUENT = (
    1080, 1433, 1521, 1883, 2049, 2375, 2376, 2379, 3000, 3128, 3260, 3306, 3389, 3689, 4369, 5000,
    5037, 5060, 5061, 5222, 5269, 5353, 5355, 5432, 5555, 5672, 5900, 5901, 5984, 6000, 6379, 6443,
    6667, 6697, 7000, 8000, 8008, 8080, 8081, 8086, 8123, 8384, 8443, 8888, 9000, 9050, 9090, 9091,
    9100, 9200, 9418, 10000, 11211, 11234, 15672, 22000, 25565, 27017, 32400, 51413,
)  # fmt: skip
USUAL_PORTS = (*range(1, 1025), *_FREQUENT)
"""All ports below 1,025, and those above on which programs usually listen."""


def parse_ports(text: str) -> tuple[int, ...]:
    """Return the ports that `22,25,8000-8100` names, sorted. Raises ValueError that says what is wrong."""
    ranges = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= _HIGHEST:
            raise ValueError(f'"{part.strip()}" is no port and no range of ports, such as 22 or 8000-8100')
        ranges.append(range(first, last + 1))
    return tuple(sorted(set(chain.from_iterable(ranges))))


async def open_tcp_ports(
    address: str, ports: Iterable[int], *, seconds: float, progress: Callable[[int], None]
) -> tuple[int, ...]:
    """Return the ports that accept a connection within `seconds`; `progress` hears how many are done."""
    waiting = iter(ports)
    found: list[int] = []
    done = 0

    async def ask_one_after_another() -> None:
        nonlocal done
        for port in waiting:
            if await _accepts(address, port, seconds):
                found.append(port)
            done += 1
            progress(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(ask_one_after_another())
    return tuple(sorted(found))


async def _accepts(address: str, port: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
