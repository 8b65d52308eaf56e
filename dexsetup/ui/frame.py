"""What stands around a page: header, list of steps, diff, status, keys; and the terminal's own cursor."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.geometry import Offset, Region, Size
from textual.screen import Screen
from textual.widgets import Input, Static

from dexsetup import __version__
from dexsetup.ui.glyphs import shortened
from dexsetup.ui.printable import clean
from dexsetup.ui.widgets.lines import Line, Lines, Row, Rows

if TYPE_CHECKING:
    from dexsetup.ui.app import Wizard

__all__ = ["SECTION_PAGES", "STEPS", "Frame"]

STEPS = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review", "Apply", "Home")
SECTION_PAGES = {"node": "Identity", "peer": "Peers", "user": "Mail", "contact": "Phone"}
"""Where the questions of a section are, unless the page has the section's name."""
_SECTION = re.compile(r"[a-z]+(?=[.\[])")
"""The section that a problem of a plan is about, as in `user[1].real_name: ...`."""
_WIDEST, _WIDE, _NARROW = 140, 100, 72
_SMALLEST = Size(60, 16)
_KEYS = "F1 Help  F2 Diff  ^B Back  ^N Next  ^Q Quit"
_TOO_SMALL = (
    "This window is too small for the wizard: it needs 60 columns and 16 lines. "
    "Make it larger, or use dexsetup --plain."
)


class Frame:
    """Draws everything but the page and the sheets, from the wizard's state."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard

    def compose(self) -> ComposeResult:
        """Lay it out, with the first page in it."""
        yield Static("", id="top", markup=False)
        with Horizontal(id="body"):
            steps = Rows(id="steps")
            steps.can_focus = False
            yield steps
            yield Static("", id="bar", markup=False)
            yield Container(self._wizard.page, id="holder")
            yield Lines(id="side")
        yield Static("", id="status", markup=False)
        yield Static("", id="keys", markup=False)
        yield Static(_TOO_SMALL, id="small", markup=False)

    def resize(self, size: Size) -> None:
        """Use the room there is."""
        screen = self._wizard.screen_stack[0]
        screen.set_class(size.width < _NARROW, "narrow")
        screen.set_class(size.width >= _WIDEST, "wide")
        screen.set_class(size.width < _SMALLEST.width or size.height < _SMALLEST.height, "tiny")
        self.draw(size.width)

    def draw(self, width: int = 0) -> None:
        """Draw everything around the page."""
        wizard = self._wizard
        if not wizard.is_running or not wizard.screen_stack[0].is_mounted:
            return
        width = width or wizard.size.width
        screen = wizard.screen_stack[0]
        page = wizard.page
        screen.set_class(page.is_alone, "alone")
        place = f"{STEPS.index(wizard.step) + 1}/{len(STEPS)} {wizard.step}"
        screen.query_one("#top", Static).update(_header(place, wizard.address, width))
        screen.query_one("#steps", Rows).show([self._step_row(step) for step in STEPS])
        screen.query_one("#steps", Rows).mark(wizard.step)
        screen.query_one("#bar", Static).update("\u2502\n" * max(1, wizard.size.height - 3))
        screen.query_one("#status", Static).update(_in_two_lines(clean(wizard.said), width - 2))
        keys = "  ".join(part for part in (page.footer, _KEYS) if part)
        screen.query_one("#keys", Static).update(f" {_fitting(keys, width - 2)}")
        self.renew_side(width)

    def _step_row(self, step: str) -> Row:
        wizard = self._wizard
        mark = " "
        if step == wizard.step:
            mark = ">"
        elif step in self._troubled():
            mark = "!"
        elif step in wizard.visited:
            mark = "x"
        return Row(step, f"[{mark}] {step}", "strong" if step == wizard.step else "")

    def _troubled(self) -> set[str]:
        """Return the pages with an answer that does not fit, by itself or into a plan."""
        wizard = self._wizard
        if not wizard.has_draft:
            return set()
        looked = wizard.planning.looked
        problems = looked.problems if looked is not None else ()
        sections = {path[0] for path in wizard.draft.unfit}
        sections |= {word[0] for text in problems if (word := _SECTION.match(text)) is not None}
        return {SECTION_PAGES.get(section, section.capitalize()) for section in sections}

    # -- the diff

    def renew_side(self, width: int = 0) -> None:
        """Show the diff beside the page, where there is room for it."""
        wizard = self._wizard
        side = wizard.screen_stack[0].query_one("#side", Lines)
        is_wide = (width or wizard.size.width) >= _WIDE
        is_shown = is_wide and not wizard.page.is_alone and wizard.step != "Apply"
        side.set_class(is_shown, "shown")
        if is_shown:
            side.show(self.diff_lines())

    def diff_lines(self, *, is_all: bool = False) -> list[Line]:
        """Return what this page's answers change, file by file; the other steps' behind it, if wanted."""
        wizard = self._wizard
        looked = wizard.planning.looked
        if looked is None:
            return [Line("Planning \u2026" if wizard.survey else "", "quiet")]
        if looked.plan is None:
            return [Line(f"[!] {problem}", "bad", wraps=True) for problem in looked.problems]
        from dexsetup.ui.pages.review import step_lines  # noqa: PLC0415 - comes with the plan, after first paint

        marked = getattr(wizard.page, "marked_step", "")
        names = (marked,) if marked else wizard.page.planned
        steps = looked.plan.steps
        chosen = [step for step in steps if step.name in names] if names else list(steps)
        if is_all:
            chosen += [step for step in steps if step not in chosen]
        lines: list[Line] = []
        for step in chosen:
            lines += [*step_lines(step), Line("")]
        return lines or [Line("Nothing changes here.", "quiet")]

    # -- the terminal's own cursor

    def follow_focus(self, screen: Screen[Any]) -> None:
        """Let the terminal's own cursor follow the keyboard on a screen, for speech and braille."""
        screen.screen_layout_refresh_signal.subscribe(self._wizard, lambda _: self._place_cursor())
        self._wizard.watch(screen, "focused", self._place_cursor_soon)

    def _place_cursor_soon(self) -> None:
        self._wizard.call_after_refresh(self._place_cursor)

    def _place_cursor(self) -> None:
        wizard = self._wizard
        place = getattr(wizard.focused, "cursor_place", None)
        if isinstance(wizard.focused, Input):
            place = wizard.focused.cursor_screen_offset
        if isinstance(place, Offset) and place != wizard.cursor_position:
            wizard.cursor_position = place
            wizard.screen.refresh(Region(0, 0, 1, 1))


def _header(place: str, address: str, width: int) -> str:
    """Return the first line: program, page and address, or without the program where there is no room."""
    left = f" dexsetup {__version__}   {place}"
    if len(left) + len(address) + 2 > width:
        left = f" {place}"
    room = width - len(left) - 1
    return f"{left}{address:>{room}}" if room > len(address) else left


def _in_two_lines(text: str, width: int) -> str:
    """Return a sentence in one line or two, each one space from the edge."""
    first, *rest = textwrap.wrap(text, max(20, width)) or [""]
    return f" {first}\n {shortened(' '.join(rest), width)}" if rest else f" {first}"


def _fitting(keys: str, width: int) -> str:
    """Return as many of the keys as fit, the general ones first if not all do."""
    if len(keys) <= width:
        return keys
    parts = keys.split("  ")
    while parts and len("  ".join(parts)) > width:
        parts.pop(0 if len(parts) <= 4 else len(parts) - 4)
    return "  ".join(parts)
