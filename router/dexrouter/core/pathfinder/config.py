"""The numbers of the pathfinder: table sizes, rates and times, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PathfinderConfig"]


@dataclass(frozen=True, slots=True)
class PathfinderConfig:
    """Limits and times. Times are seconds, rates are queries a second."""

    max_nodes: int = 128
    """Nodes kept besides direct peers and nodes in use (spec 05 §5.5)."""

    max_links: int = 4096
    """Links kept (spec 05 §5.5)."""

    max_wanted: int = 256
    """Addresses that sessions want a path to; the one asked for longest ago makes room."""

    max_queries: int = 256
    """Queries whose answer is still of use, late ones included; the oldest is forgotten."""

    max_asks: int = 128
    """Nodes waiting to be asked; the one at the longest path is dropped."""

    max_searches: int = 30
    """Searches that run at the same time (spec 05 §6.3)."""

    crawl_burst: int = 48
    crawl_rate: float = 3.0
    """Token bucket of the crawl: a new node learns a small mesh at once, the steady state is slow."""

    search_burst: int = 64
    search_rate: float = 4.0
    """Token bucket of all searches together."""

    answer_burst: int = 400
    answer_rate: float = 200.0
    """Token bucket of answers: a flood of queries costs bounded work."""

    upkeep_interval: float = 0.75
    """One `gp` to the node heard of least recently (spec 05 §6.2: 500 to 1499 ms), jittered by a third."""

    lively_interval: float = 0.3
    """The same while the graph is changing."""

    lively_time: float = 10.0
    """So long after its last change the graph counts as changing."""

    refresh_age: float = 5.0
    """A node heard of within this time is not asked by the upkeep (1 s while the graph is changing)."""

    keyspace_interval: float = 4.0
    """One `fn` that looks for neighbours in the keyspace."""

    wanted_time: float = 120.0
    """A path is kept up so long after the last request for it (spec 04 §5.3)."""

    probe_time: float = 40.0
    """A path is tested so long after the last request: sessions in use repeat theirs every 30 s."""

    probe_interval: float = 2.5
    """Time between tests of a path in use; longer when many are (`probe_rate`)."""

    probe_rate: float = 2.0
    """Tests a second of all paths in use together."""

    offer_interval: float = 20.0
    """A path that is wanted is offered again so often; sessions forget a path after 120 s."""

    link_lifetime: float = 300.0
    """A link without a sign for so long, and with unanswered queries, is dropped."""

    avoid_time: float = 3.0
    """No query goes over a path that a switch has refused so recently."""
