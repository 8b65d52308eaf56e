"""How much memory a router needs that knows a thousand nodes.

    PYTHONPATH=router:tests/support python tests/bench/memory.py [--nodes 1000]

Loads what the daemon loads, fills the node store with that many nodes and four links for each, sets up a
session with every one of them by a real handshake, and prints the resident memory before and after. The store
keeps 128 nodes by default; here its bound is raised.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import random
import sys
from collections import Counter
from pathlib import Path

from dexrouter.core.node import Node
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.pathfinder import Pathfinder
from dexrouter.core.pathfinder.placing import place
from dexrouter.core.pathfinder.queries import Target
from dexrouter.core.pathfinder.routes import compute_routes
from dexrouter.crypto.keys import KeyPair, generate_key_pair
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import SELF_LABEL, label_bits, splice
from far_node import FarNode

_LINKS = 4
_MOST_LINKS = 12
_MOST_BITS = 40
_HANDSHAKES = 40
"""A second: not more than a node takes."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    count = parser.parse_args().nodes
    for module in ("dexrouter.cli.daemon", "dexrouter.io.daemon", "dexrouter.admin.server"):
        importlib.import_module(module)
    chance = random.Random(1)
    keys = [generate_key_pair(chance.randbytes) for _ in range(count + 1)]
    node = Node(own=keys[0], entropy=chance.randbytes, now=0.0)
    config = PathfinderConfig(max_nodes=count)
    node.pathfinder = Pathfinder(own=keys[0].public, entropy=chance.randbytes, now=0.0, config=config)
    gc.collect()
    before = _resident()
    _learn(node.pathfinder._graph, keys[1:], chance)
    for number, key in enumerate(keys[1:]):
        now = number / _HANDSHAKES
        FarNode(node.sessions, number, now=now, key=key).establish(now)
    gc.collect()
    counters = node.pathfinder.counters()
    sys.stdout.write(
        f"loaded: {before:.1f} MiB; with {counters['nodes']} nodes, {counters['links']} links and "
        f"{len(node.sessions.by_address)} sessions: {_resident():.1f} MiB\n"
    )
    return 0


def _learn(graph: LinkGraph, keys: list[KeyPair], chance: random.Random) -> None:
    """Let every node answer over a path, then over others, as in a mesh where each has four links."""
    next_slot: Counter[int] = Counter()
    paths: list[int] = [SELF_LABEL]

    def answer(key: KeyPair) -> int:
        parent = chance.choice(paths)
        while label_bits(parent) > _MOST_BITS or next_slot[parent] >= _MOST_LINKS:
            parent = chance.choice(paths)
        path = splice(V358.peer_label(next_slot[parent] + 2), parent)
        next_slot[parent] += 1
        place(graph, Target(key.public, key.address, 21, path), 21, V358, 0, 0.05, 0.0)
        return path

    for key in keys:
        paths += [answer(key)]
    for key in keys * (_LINKS - 1):
        answer(key)
    compute_routes(graph)


def _resident() -> float:
    """MiB of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**20


if __name__ == "__main__":
    sys.exit(main())
