"""Lines of text that scroll, and rows among which one is marked: the diff, the log, and every list.

The marked row has `>` in front of it, and the terminal's own cursor stands on it while it has the keyboard:
speech and braille follow it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Focus, Resize
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dexsetup.ui.printable import clean

__all__ = ["Line", "Lines", "Row", "Rows", "diff_lines"]

_STYLES = {
    "": Style(),
    "add": Style(color="green"),
    "remove": Style(color="red"),
    "place": Style(color="cyan"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "good": Style(color="green"),
    "quiet": Style(dim=True),
    "strong": Style(bold=True),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line and how it looks; the look only repeats what the characters say."""

    text: str
    look: str = ""
    wraps: bool = False
    """Whether it is a sentence, which goes on in the next line; others go on to the right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list. Without a key it is only read."""

    key: str
    text: str
    look: str = ""


def diff_lines(lines: Sequence[str]) -> list[Line]:
    """Return the lines of a unified diff with their looks."""
    looks = {"+": "add", "-": "remove", "@": "place"}
    return [Line(text, looks.get(text[:1], "")) for text in lines]


def _wrapped(text: str, room: int) -> list[str]:
    """Return a sentence in lines, the later ones as far in as the first; room 0: as it is."""
    if not room:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, room, subsequent_indent=f"{indent}  ") or [""]


class Lines(ScrollView, can_focus=True):
    """Text to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:  # noqa: A002 - textual's word
        super().__init__(id=id)
        self._given = list(lines)
        self._lines: list[Line] = []

    def on_resize(self, _: Resize) -> None:
        """Wrap anew."""
        self._lay_out()

    def show(self, lines: Sequence[Line], *, at_end: bool = False) -> None:
        """Replace the text."""
        self._given = list(lines)
        self._lay_out()
        if at_end:
            self.scroll_end(animate=False, immediate=True)

    def _lay_out(self) -> None:
        room = max(20, self.scrollable_content_region.width)
        self._lines = [
            Line(text, line.look)
            for line in self._given
            for text in _wrapped(clean(line.text.expandtabs(4)), room if line.wraps else 0)
        ]
        width = max((cell_len(line.text) for line in self._lines), default=0)
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    @property
    def text(self) -> str:
        """All of it, as it may be copied."""
        return "\n".join(line.text for line in self._given)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        left, top = self.scroll_offset
        number = y + top
        width = self.scrollable_content_region.width
        base = self.rich_style
        if number >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[number]
        strip = Strip([Segment(line.text, base + _STYLES[line.look])])
        return strip.crop_extend(left, left + width, base)


class Rows(ScrollView, can_focus=True):
    """A list with one marked row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("space", "tick", show=False),
        Binding("enter", "act", show=False),
    ]
    marked: reactive[int] = reactive(0)

    class Marked(Message):
        """Another row is marked."""

        def __init__(self, rows: Rows, row: Row) -> None:
            super().__init__()
            self.rows = rows
            self.row = row

    class Ticked(Marked):
        """Space was pressed on a row."""

    class Acted(Marked):
        """Enter was pressed on a row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's word
        super().__init__(id=id)
        self._rows: list[Row] = []

    def show(self, rows: Sequence[Row]) -> None:
        """Replace the rows. While it has the keyboard, the mark stays on its entry wherever that goes."""
        key = self._rows[self.marked].key if self._rows and (self.has_focus or not self.can_focus) else ""
        self._rows = [Row(row.key, clean(row.text), row.look) for row in rows]
        self.virtual_size = Size(0, len(self._rows))
        where = next((n for n, row in enumerate(self._rows) if row.key == key and key), None)
        if where is None:
            where = next((n for n, row in enumerate(self._rows) if row.key), 0)
        self.set_reactive(Rows.marked, where)
        self.refresh(layout=True)
        self._follow()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows as they are shown."""
        return tuple(self._rows)

    @property
    def row(self) -> Row | None:
        """The marked row."""
        return self._rows[self.marked] if self._rows and self._rows[self.marked].key else None

    def mark(self, key: str) -> None:
        """Mark the row of that key, if there is one."""
        for number, row in enumerate(self._rows):
            if row.key == key:
                self.marked = number

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Ask for as many lines as there are rows."""
        del container, viewport, width
        return max(1, len(self._rows))

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        base = self.rich_style
        if number >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[number]
        is_marked = number == self.marked and bool(row.key)
        is_shown = is_marked and (self.has_focus or not self.can_focus)
        style = base + _STYLES[row.look]
        if is_marked and self.has_focus:
            style += Style(reverse=True)
        strip = Strip([Segment(f"{'>' if is_shown else ' '}{row.text}", style)])
        return strip.crop_extend(0, width, style if is_marked and self.has_focus else base)

    def action_move(self, by: int) -> None:
        """Mark another row; beyond the ends the keyboard goes to what is next to the list."""
        places = [number for number, row in enumerate(self._rows) if row.key]
        if not places:
            self._leave(by)
            return
        at = places.index(self.marked) if self.marked in places else 0
        if (at + by < 0 or at + by >= len(places)) and abs(by) == 1:
            self._leave(by)
            return
        self.marked = places[max(0, min(len(places) - 1, at + by))]

    def _leave(self, by: int) -> None:
        if by < 0:
            self.screen.focus_previous()
        else:
            self.screen.focus_next()

    def watch_marked(self) -> None:
        """Show the marked row and tell."""
        self.refresh()
        self._follow()
        if self.row is not None:
            self.post_message(self.Marked(self, self.row))

    def action_tick(self) -> None:
        """Tell that Space was pressed."""
        if self.row is not None:
            self.post_message(self.Ticked(self, self.row))

    def action_act(self) -> None:
        """Tell that Enter was pressed."""
        if self.row is not None:
            self.post_message(self.Acted(self, self.row))

    def on_click(self, event: Click) -> None:
        """Mark what the mouse points at."""
        number = event.y + self.scroll_offset.y
        if number < len(self._rows) and self._rows[number].key:
            self.marked = number

    def on_focus(self, _: Focus) -> None:
        """Bring the cursor here."""
        self._follow()

    def on_resize(self, _: Resize) -> None:
        """Keep the marked row in sight."""
        self._follow()

    def _follow(self) -> None:
        """Scroll to the marked row."""
        self.scroll_to_region(Region(0, self.marked, 1, 1), animate=False, immediate=True, force=True)

    @property
    def cursor_place(self) -> Offset:
        """Where the terminal's cursor stands while this has the keyboard: on the marked row."""
        return self.content_region.offset + Offset(0, self.marked - self.scroll_offset.y)
