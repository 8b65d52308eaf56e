"""A token bucket: a burst at once, then a steady rate."""

from __future__ import annotations

from typing import Final

__all__ = ["TokenBucket"]

_WHOLE: Final = 1 - 1e-6
"""A token, but for rounding: at `ready_at`, `take` must succeed."""


class TokenBucket:
    """Holds at most `burst` tokens and gains `rate` of them a second."""

    __slots__ = ("_burst", "_filled", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = burst
        self._filled = now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        if now > self._filled:
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
        if self._tokens < _WHOLE:
            return False
        self._tokens -= 1
        return True

    def ready_at(self, now: float) -> float:
        """When the next token will be there; `now` if it is."""
        missing = 1 - self._tokens
        return self._filled + missing / self._rate if missing > 0 else now
