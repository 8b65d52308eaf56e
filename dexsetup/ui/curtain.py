"""The first frame, drawn by hand while the toolkit is still loading: the window never stays empty.

What it shows is what the first page shows; the toolkit draws over it. Imports nothing but the standard
library's smallest parts.
"""

from __future__ import annotations

import os
import sys

from dexsetup import __version__

__all__ = ["draw_first_frame"]

_ALTERNATE, _CLEAR, _HOME = "\x1b[?1049h", "\x1b[2J", "\x1b[H"
_STEPS = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review", "Apply", "Home")


def draw_first_frame() -> None:
    """Draw it."""
    height = os.get_terminal_size(sys.stdout.fileno()).lines
    lines = [f" dexsetup {__version__}   1/{len(_STEPS)} Welcome"]
    lines += [f" [{'>' if step == 'Welcome' else ' '}] {step}" for step in _STEPS]
    lines.append("")
    lines.append(" Looking at this machine ... Nothing has been written.")
    sys.stdout.write(_ALTERNATE + _CLEAR + _HOME + "\r\n".join(lines[: height - 1]))
    sys.stdout.flush()
