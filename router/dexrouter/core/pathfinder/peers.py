"""Direct peers as the pathfinder sees them: each is asked until it has answered once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dexrouter.core.pathfinder.queries import Target

__all__ = ["Peers"]

FIRST_RETRY: Final = 1.0
LONGEST_RETRY: Final = 16.0


class _Peer:
    __slots__ = ("next_ask", "pause", "target")

    def __init__(self, target: Target, now: float) -> None:
        self.target = target
        self.pause = FIRST_RETRY
        self.next_ask = now


class Peers:
    """The peers that are up, by path. As many as the switch has interfaces, which is the bound."""

    def __init__(self) -> None:
        self._by_path: dict[int, _Peer] = {}
        self._unanswered: set[int] = set()

    def __iter__(self) -> Iterator[Target]:
        return (peer.target for peer in self._by_path.values())

    def __len__(self) -> int:
        return len(self._by_path)

    def get(self, path: int) -> Target | None:
        """Give the peer at a path."""
        peer = self._by_path.get(path)
        return peer.target if peer else None

    def add(self, target: Target, now: float) -> None:
        """Enter a peer that is up, or another node than before at this path."""
        self._by_path[target.path] = _Peer(target, now)
        self._unanswered.add(target.path)

    def remove(self, path: int) -> None:
        """Forget a peer that is gone."""
        self._by_path.pop(path, None)
        self._unanswered.discard(path)

    def answered(self, target: Target) -> None:
        """Note that a node has answered: if it is the peer at this path, it need not be asked any more."""
        if self.get(target.path) == target:
            self._unanswered.discard(target.path)

    def due(self, now: float) -> list[Target]:
        """Give the peers to be asked now; each waits longer for its next time."""
        due = [peer for path in sorted(self._unanswered) if (peer := self._by_path[path]).next_ask <= now]
        for peer in due:
            peer.next_ask = now + peer.pause
            peer.pause = min(2 * peer.pause, LONGEST_RETRY)
        return [peer.target for peer in due]

    def next_deadline(self) -> float | None:
        """When the next one is due."""
        return min((self._by_path[path].next_ask for path in self._unanswered), default=None)
