"""Tables of text for people: columns as wide as what stands in them, within the width of the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["print_table", "printable"]

_GAP: Final = "  "
_UNLIMITED: Final = 1 << 16


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Print rows under a heading; columns named in `right` (positions `0` to `9`) are aligned to the right.

    A last column that does not fit beside the others goes to a line of its own under them.
    """
    lines = [tuple(heading), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heading))]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED
    room = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    folds = widths[-1] > room
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(widths[at]) if str(at) in right else cell.ljust(widths[at])
            for at, cell in enumerate(line[:-1])
        ]
        if folds and len(line[-1]) > room and number:
            print(_GAP.join(cells).rstrip())
            print(_GAP * 2 + line[-1])
        else:
            print(_GAP.join((*cells, line[-1])).rstrip())


def printable(text: str) -> str:
    """Replace what a terminal would act upon: names come from other people's files."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
