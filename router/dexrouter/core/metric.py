"""How good the source of a path is: lower is better (spec 04 §6.1).

A session compares *effective* metrics: the metric plus the milliseconds since the path was last confirmed, so
every path fades until somebody confirms it again. The values are internal to a node; no peer sees them.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "DEAD_LINK",
    "DHT_INCOMING",
    "DHT_NODE",
    "DHT_PEER",
    "NO_INFORMATION",
    "SETUP_ANSWER",
    "SM_INCOMING",
    "SM_SEND",
    "SUPERNODE_ANSWER",
    "SUPERNODE_PATH",
    "SUPERNODE_PEER",
    "dht_node_metric",
    "effective_metric",
]

SUPERNODE_ANSWER: Final = 0xFF10_0000
"""A route server computed this path for us."""

SUPERNODE_PEER: Final = 0xFF20_0000
"""A direct peer, told by the route-server client."""

SUPERNODE_PATH: Final = 0xFF30_0000
"""The path to the route server itself."""

DHT_PEER: Final = 0xFF40_0000
"""A direct peer."""

SETUP_ANSWER: Final = 0xFF50_0000
"""The node answered a ping which had to set up its session."""

DHT_INCOMING: Final = 0xFF51_0000
"""A router message came in over this path."""

DHT_NODE: Final = 0xFF60_0000
"""From the node store; the low 20 bits are the cost of the path, see `dht_node_metric`."""

SM_INCOMING: Final = 0xFF70_0000
"""A packet came in over this path."""

SM_SEND: Final = 0xFF71_0000
"""A packet going out named this path."""

NO_INFORMATION: Final = 0xFFFF_FFFE
DEAD_LINK: Final = 0xFFFF_FFFF

_COST_MASK: Final = 0xF_FFFF


def dht_node_metric(cost: int) -> int:
    """Metric of a path of this cost from the node store; costs above 20 bits are all the same."""
    return DHT_NODE | min(cost, _COST_MASK)


def effective_metric(metric: int, age: float) -> int:
    """Fade a metric by the seconds since the path was confirmed (spec 04 §6.2)."""
    if metric >= NO_INFORMATION:
        return NO_INFORMATION
    return min(metric + int(age * 1000), NO_INFORMATION)
