"""The clock that the core is given: seconds since boot, including the time that the machine slept.

With CLOCK_MONOTONIC a laptop would wake with sessions that look a second old and are hours old; with this
one they are seen to be stale at the first look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

__all__ = ["boot_time", "wall_milliseconds"]


boot_time: Final[Callable[[], float]] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds since boot; never goes back, never stands still while the machine sleeps."""


def wall_milliseconds() -> int:
    """Milliseconds since 1970, for what people and the admin API read."""
    return time.time_ns() // 1_000_000
