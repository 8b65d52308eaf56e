"""What the client of a route server wants from its node, besides messages and paths."""

from __future__ import annotations

from dataclasses import dataclass

from dexrouter.core.control import PingKind
from dexrouter.core.pathfinder.outputs import PathFound, SendMessage

__all__ = ["AskPeer", "RouteServerOutput"]


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Send this control query to a direct peer, with `PingPurpose.ROUTE_SERVER`."""

    path: int
    kind: PingKind
    """GET_SNODE or RPATH."""


RouteServerOutput = AskPeer | SendMessage | PathFound
