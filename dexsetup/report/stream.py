"""Lines for somebody who may be gone: a closed terminal, the end of a pipe, a disk that is full.

Whoever reads what a run tells has no power over the run: it goes on to its end, or to where it can stop. What
is told from then on goes nowhere.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

__all__ = ["tell"]


def tell(stream: TextIO, text: str) -> None:
    """Write the text, at once. A stream that cannot take it is led nowhere."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
