"""Where keys stand in a TOML text, for messages: tomllib tells values, not places.

A line scanner, not a parser: the text has passed tomllib when this is asked. Keys inside of inline tables and
of multi-line strings are not found; their messages then carry the line of what holds them, or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Positions"]

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_DELIMITERS = ('"""', "'''")

Path = tuple[str | int, ...]


class Positions:
    """Line numbers by path: ("mail", "enable"), ("peer", 0, "password")."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        table: Path = ()
        counts: dict[Path, int] = {}
        closing = ""
        for number, line in enumerate(text.split("\n"), start=1):
            if closing:
                if closing in line:
                    closing = ""
                continue
            if header := _TABLE.match(line):
                table = _words(header[2])
                if header[1] == "[[":
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    self._lines.setdefault(table, number)
                    table = (*table, index)
                self._lines.setdefault(table, number)
            elif key := _KEY.match(line):
                self._lines.setdefault((*table, *_words(key[1])), number)
                closing = _opened(line[key.end() :])

    def line(self, path: Sequence[str | int]) -> int | None:
        """Return the line of a path, or of the nearest thing that holds it."""
        for length in range(len(path), 0, -1):
            found = self._lines.get(tuple(path[:length]))
            if found is not None:
                return found
        return None


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _opened(rest: str) -> str:
    """Return the delimiter of a multi-line string that begins in this line and does not end in it."""
    for delimiter in _DELIMITERS:
        if rest.count(delimiter) == 1:
            return delimiter
    return ""
