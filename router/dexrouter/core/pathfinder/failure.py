"""Where a path is broken: by a switch error, or by silence (spec 03 §6.3, spec 05 §5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dexrouter.core.pathfinder.graph import Link, LinkGraph, Node, hop_label
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import label_bits, routes_through

__all__ = ["Failure", "blamed", "failed_hop"]

_LABEL_BITS = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """A hop that a switch has refused."""

    prefix: int
    """Path up to the far end of this hop: no path through it works."""

    rest: int
    """The path as it met the refusing switch."""

    node: Node | None
    """The node of that switch, if it is in the graph."""

    links: tuple[Link, ...]
    """Known links over this hop."""


def failed_hop(graph: LinkGraph, path: int, failing_label: int) -> Failure | None:
    """Find the hop that was refused; nothing if the error does not fit the path.

    The switches before the failing one have shifted the path down and written the way back into the high
    bits, exactly as many as they took away. The low bits that are left tell how many that were.
    """
    used = _bits_used(path, failing_label)
    if used is None:
        return None
    before = path & ((1 << used) - 1) | 1 << used
    rest = path >> used
    walk = graph.walk(before)
    node = walk.node if walk.rest == 1 else None
    scheme = node.scheme if node else V358
    width = scheme.director_bits(rest)
    if not width or label_bits(rest) < width:
        return None
    end = used + width
    prefix = path & ((1 << end) - 1) | 1 << end
    links = [link for link in graph.far.values() if routes_through(link.label, prefix)]
    if node and (link := node.links.get(hop_label(scheme, rest))):
        links.append(link)
    return Failure(prefix, rest, node, tuple(links))


def blamed(links: Sequence[Link], sent: float) -> list[Link]:
    """Give the links that may be why a query over all of them was not answered.

    Not those over which an answer has come since it was sent. Nor the link to a direct peer, if the path
    goes on behind it: its own pings watch that one, and doubt would cost every path that begins there.
    """
    behind_peer = links[1:] or links
    return [link for link in behind_peer if link.seen < sent]


def _bits_used(path: int, failing_label: int) -> int | None:
    for used in range(label_bits(path)):
        if failing_label & ((1 << _LABEL_BITS - used) - 1) == path >> used:
            return used
    return None
