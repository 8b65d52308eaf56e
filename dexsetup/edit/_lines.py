"""Lines of a file as spans: adding some behind others and taking them out again, with any line ends.

The law: taking out the lines that were put in gives the original bytes back. Lines are therefore put in
*between the content of a line and its end*, and the end that was there becomes the end of the last new
line. So a file without a last newline stays one, and mixed line ends stay where they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dexsetup.edit.spans import Edit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Line", "LineFile", "encoded"]


_BLANK = " \t\n\r\x0b\x0c"
"""What `bytes.strip` takes off, as who reads the line does. Other blanks, as U+00A0, are part of a name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `start` to `content_end` without its end, `end` behind it."""

    start: int
    content_end: int
    end: int


class LineFile:
    """The lines of a file; `newline` is what its first line ends with."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.lines = _lines_of(data)
        first = data.find(b"\n")
        self.newline = b"\r\n" if data[max(first - 1, 0) : max(first, 0)] == b"\r" else b"\n"

    def content(self, index: int) -> bytes:
        """Return a line without its end."""
        return self.data[self.lines[index].start : self.lines[index].content_end]

    def is_blank(self, index: int) -> bool:
        """Whether a line holds nothing but white space."""
        return not self.content(index).strip()

    def insert_behind(self, index: int, texts: Sequence[bytes]) -> Edit:
        """Put lines behind the line `index`; in a file without lines, -1 makes the first ones."""
        joined = self.newline.join(texts)
        if not self.lines:
            return Edit(0, 0, joined + self.newline)
        position = self.lines[index].content_end
        # A line that ends with a bare carriage return would lend it to a line feed.
        first_end = b"\r\n" if self.content(index).endswith(b"\r") else self.newline
        return Edit(position, position, first_end + joined)

    def remove(self, indexes: Collection[int]) -> list[Edit]:
        """Take lines out."""
        edits: list[Edit] = []
        ordered = sorted(indexes)
        while ordered:
            first = last = ordered.pop(0)
            while ordered and ordered[0] == last + 1:
                last = ordered.pop(0)
            if first == 0:
                edits.append(Edit(0, self.lines[last].end, b""))
            else:
                edits.append(Edit(self.lines[first - 1].content_end, self.lines[last].content_end, b""))
        return edits


def encoded(text: str) -> bytes:
    """Return a value as bytes; ValueError for one that a line cannot hold as it is."""
    if text != text.strip(_BLANK) or any(sign in text for sign in "\r\n\0"):
        raise ValueError(f"{text!r} cannot stand on a line")
    return text.encode("utf-8", "surrogateescape")


def _lines_of(data: bytes) -> tuple[Line, ...]:
    lines: list[Line] = []
    start = 0
    while start < len(data):
        feed = data.find(b"\n", start)
        end = len(data) if feed < 0 else feed + 1
        content_end = end if feed < 0 else feed
        if feed > start and data[feed - 1 : feed] == b"\r":
            content_end -= 1
        lines.append(Line(start, content_end, end))
        start = end
    return tuple(lines)
