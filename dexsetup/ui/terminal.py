"""The terminal when it goes away: one that was closed reads as an endless file of nothing."""

from __future__ import annotations

import sys
import termios
from contextlib import suppress
from typing import TextIO

__all__ = ["PatientOutput", "is_terminal_lost"]


class PatientOutput:
    """A file to draw to that never complains.

    The toolkit draws in a thread of its own, which an error would end; then what is to be drawn piles up, and
    the program waits for ever for room, with a run of the engine to be ended behind it.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, if that is still possible."""
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is still possible."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Return the number of the file below."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file below is a terminal."""
        return self._file.isatty()


def is_terminal_lost() -> bool:
    """Whether the terminal was closed, or the connection to it broke, since the start."""
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ is not None else -1)
    except (termios.error, ValueError, OSError):
        return True
    return False
