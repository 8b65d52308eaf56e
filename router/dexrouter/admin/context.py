"""What the calls work on, and what the server remembers between datagrams.

Bounds: 64 callers whose address is known (the one silent for longest gives way), 64 log subscriptions, and as
many pings and router queries as the node itself has slots for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from dexrouter.admin.edge import Edge
from dexrouter.admin.log import LogStreams
from dexrouter.admin.message import Reply
from dexrouter.admin.table import Caller, Function, Source
from dexrouter.core.inquiries import InquiryAnswered, InquiryTimeout
from dexrouter.core.node import Node
from dexrouter.crypto.entropy import Entropy

__all__ = ["Context", "InquiryOutcome", "KnownCallers", "PendingInquiry", "PendingPing"]

KNOWN_FOR: Final = 30.0
"""Seconds without a message after which a caller is forgotten (spec 07 §5)."""

MAX_KNOWN: Final = 64


class KnownCallers:
    """Addresses that have authenticated: only they are sent what they did not just ask for."""

    def __init__(self) -> None:
        self._last: dict[Source, float] = {}

    def __contains__(self, source: Source) -> bool:
        return source in self._last

    def authenticated(self, source: Source, now: float) -> Source | None:
        """Note one; gives the caller that had to make room, if any."""
        evicted = None
        if source not in self._last and len(self._last) >= MAX_KNOWN:
            evicted = min(self._last, key=self._last.__getitem__)
            del self._last[evicted]
        self._last[source] = now
        return evicted

    def heard(self, source: Source, now: float) -> None:
        """Note any message of an address, which keeps a known one known."""
        if source in self._last:
            self._last[source] = now

    def expire(self, now: float) -> list[Source]:
        """Forget who was silent for too long."""
        gone = [source for source, last in self._last.items() if now - last >= KNOWN_FOR]
        for source in gone:
            del self._last[source]
        return gone

    def next_deadline(self) -> float | None:
        """When `expire` wants to be called."""
        return min(self._last.values()) + KNOWN_FOR if self._last else None


@dataclass(frozen=True, slots=True)
class PendingPing:
    """A switch ping that is on its way, and who wants to know."""

    caller: Caller
    path: str
    """As the caller wrote it."""
    data: bytes


InquiryOutcome: TypeAlias = InquiryAnswered | InquiryTimeout


@dataclass(frozen=True, slots=True)
class PendingInquiry:
    """A router query that is on its way, and what to make of its answer."""

    caller: Caller
    finish: Callable[[InquiryOutcome, float], list[Reply]]
    """Gives the replies; the second argument is the time (monotonic seconds)."""


@dataclass(slots=True)
class Context:
    """Everything a call may touch."""

    node: Node
    edge: Edge
    pid: int
    entropy: Entropy
    functions: dict[str, Function]
    log: LogStreams
    known: KnownCallers = field(default_factory=KnownCallers)
    pings: dict[int, PendingPing] = field(default_factory=dict)
    """By the ticket of the ping."""
    inquiries: dict[int, PendingInquiry] = field(default_factory=dict)
    """By the ticket of the query."""
    searches: int = 0
    """Searches that run for callers."""
    last_ticket: int = 0
    is_set_up: bool = False
    """Whether somebody has said that the set-up is complete."""

    def new_ticket(self) -> int:
        """Give a number that no ping or query on its way has."""
        self.last_ticket += 1
        return self.last_ticket
