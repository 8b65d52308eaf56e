"""The clock that the core is given: seconds since boot, including the time that the machine slept.

With CLOCK_MONOTONIC a laptop would wake with sessions that look a second old and are hours old; with this
one they are seen to be stale at the first look.
"""

from __future__ import annotations

import time

__all__ = ["boot_time", "wall_milliseconds"]


def boot_time() -> float:
    """Seconds since boot; never goes back, never stands still while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall_milliseconds() -> int:
    """Milliseconds since 1970, for what people and the admin API read."""
    return time.time_ns() // 1_000_000
