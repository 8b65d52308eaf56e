"""What this node answers to the queries of others (spec 05 §3).

Answers are functions of the graph and the list of peers; they store nothing. Every query gets an answer (but
see `pins_path`): that alone makes this node an endpoint in the eyes of others. `gp` makes it a transit, `fn`
lets searches go on. Labels are fitted for the asker: at least as wide as our label back to him.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import nsmallest
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.core.pathfinder.graph import LinkGraph, Node
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.queries import Target
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import EncodingScheme, label_for
from dexrouter.wire.labels import MAX_PATH_BITS, SELF_LABEL, label_bits

__all__ = ["ANSWER_NODES", "find_nodes", "get_peers", "next_hop", "pins_path"]

ANSWER_NODES: Final = 8
"""Nodes in one answer; fewer than that end the paging of `gp`."""


_FIRST_WITH_LONG_MARK: Final = 21
"""Two characters of a transaction id tell which of its pathfinders asks; before, one did (spec 05 §2.5)."""

_MARKED_SIZE_20: Final = 13


def pins_path(message: DhtMessage, path: int, asker: Node | None, scheme: EncodingScheme) -> bool:
    """Whether a reply would make the asker keep to this path, whatever we send over others later.

    A stock node pings to set up a session that its host uses, and takes the path of the reply for better than
    that of any later message (spec 04 §6.1): v21 for 65 s, v20 for good. A question of ours sets the session
    up as well, and leaves the path one that our next message can replace. So the reply may be left out, but
    not if the asker lives by it: that is so without a DHT pathfinder. A v20 that has one marks its ids, of a
    v21 it shows when it names other nodes. Direct peers know better paths anyway.
    """
    if message.query != b"pn" or scheme.is_one_hop(path) or asker is None:
        return False
    if message.version >= _FIRST_WITH_LONG_MARK:
        return asker.names_others and message.txid.startswith(b"01")
    return len(message.txid) == _MARKED_SIZE_20 and message.txid.startswith(b"1")


def get_peers(graph: LinkGraph, peers: Iterable[Target], subject: bytes, asker_path: int) -> list[NodeEntry]:
    """Answer `gp`: this node and its direct peers from a label on, the nearest label last (spec 05 §3.2)."""
    if len(subject) != 8:
        return []
    scheme = graph.root.scheme
    start = int.from_bytes(subject)
    if start > SELF_LABEL:
        width = scheme.director_bits(start)
        start = start & ((1 << width) - 1) | 1 << width
    root = graph.root
    candidates = [(SELF_LABEL, root.key, root.version)]
    candidates += [(peer.path, peer.key, peer.version) for peer in peers]
    nearest = nsmallest(ANSWER_NODES, (one for one in candidates if one[0] >= start), key=lambda one: one[0])
    return _entries(reversed(nearest), asker_path)


def find_nodes(graph: LinkGraph, subject: bytes, asker_path: int) -> list[NodeEntry]:
    """Answer `fn`: the known nodes closest to an address, the closest last (spec 05 §3.3)."""
    if len(subject) != 16:
        return []
    wanted = position_of(subject)
    known = (node for node in graph.nodes.values() if _may_be_named(node))
    nearest = nsmallest(ANSWER_NODES, known, key=lambda node: node.position ^ wanted)
    return _node_entries(reversed(nearest), asker_path)


def next_hop(graph: LinkGraph, subject: bytes, asker_path: int) -> list[NodeEntry]:
    """Answer `nh`: the target, or the first node on the way outwards that is closer to it (spec 05 §3.4).

    The target itself answers with itself: that is how a traceroute knows its end.
    """
    if len(subject) != 16:
        return []
    wanted = position_of(subject)
    root = graph.root
    if root.position == wanted:
        return _entries([(SELF_LABEL, root.key, root.version)], asker_path)
    behind: dict[Node, list[Node]] = {}
    for node in graph.nodes.values():
        if node.best and _may_be_named(node):
            if node.position == wanted:
                return _node_entries([node], asker_path)
            behind.setdefault(node.best.link.parent, []).append(node)
    own = (root.position ^ wanted) >> _PREFIX_SHIFT
    queue = deque([root])
    while queue:
        for node in behind.get(queue.popleft(), ()):
            if (node.position ^ wanted) >> _PREFIX_SHIFT < own:
                return _node_entries([node], asker_path)
            queue.append(node)
    return []


_PREFIX_SHIFT: Final = 96
"""Leaves the 32 bits of a position that `nh` compares."""


def _may_be_named(node: Node) -> bool:
    return bool(node.best) and node.version >= OLDEST_COMPATIBLE_VERSION and not node.do_not_disturb


def _node_entries(nodes: Iterable[Node], asker_path: int) -> list[NodeEntry]:
    return _entries(((node.best.path, node.key, node.version) for node in nodes if node.best), asker_path)


def _entries(found: Iterable[tuple[int, bytes, int]], asker_path: int) -> list[NodeEntry]:
    """Fit the labels for the asker; what no longer fits into any path is left out."""
    entries = []
    for path, key, version in found:
        label = path if path == SELF_LABEL else label_for(path, asker_path)
        if label_bits(label) <= MAX_PATH_BITS:
            entries.append(NodeEntry(key, label, version))
    return entries
