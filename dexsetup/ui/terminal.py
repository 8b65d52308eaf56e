"""Whether the terminal is still there. One that was closed reads as an endless file of nothing."""

from __future__ import annotations

import sys
import termios

__all__ = ["is_terminal_lost"]


def is_terminal_lost() -> bool:
    """Whether the terminal was closed, or the connection to it broke, since the start."""
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ is not None else -1)
    except (termios.error, ValueError, OSError):
        return True
    return False
