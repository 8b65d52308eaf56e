"""What every page has in common: it shows the wizard's state, and tells the draft what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from dexsetup.ui.printable import clean
from dexsetup.ui.widgets.fields import Push

if TYPE_CHECKING:
    from dexsetup.ui.app import Wizard

__all__ = ["Page", "clean_lines", "hint", "title", "words"]


def words(text: str, *, id: str | None = None, look: str = "words") -> Static:  # noqa: A002 - textual's word
    """Return a paragraph. Names in it never become markup."""
    return Static(clean_lines(text), id=id, classes=look, markup=False)


def clean_lines(text: str) -> str:
    """Return several lines, each cleaned."""
    return "\n".join(clean(line) for line in text.split("\n"))


def title(text: str) -> Static:
    """Return the sentence of a question."""
    return Static(f" {clean(text)}", classes="title", markup=False)


def hint(text: str) -> Static:
    """Return what a good answer looks like."""
    return Static(clean(text), classes="hint", markup=False)


class Page(VerticalScroll, can_focus=False):
    """One page of the wizard."""

    step: ClassVar[str] = ""
    """Its name in the list of steps."""
    planned: ClassVar[tuple[str, ...]] = ()
    """The steps of the plan that its answers change: their diffs stand beside it."""
    keys: ClassVar[str] = ""
    """The keys that only this page has, for the line at the bottom."""
    help: ClassVar[str] = ""
    """What this page changes, for F1."""
    first: ClassVar[str] = "#next"
    """Where the keyboard is when the page is opened."""
    is_alone: ClassVar[bool] = False
    """Whether it takes the room of the list of steps as well."""

    @property
    def wizard(self) -> Wizard:
        """The app."""
        return cast("Wizard", self.app)

    @property
    def footer(self) -> str:
        """The keys that it has now."""
        return self.keys

    @property
    def words(self) -> str:
        """What is said when the page is opened."""
        return ""

    def renew(self) -> None:
        """Show what has changed since the page was drawn."""

    def test_again(self) -> None:
        """Look or test again (F5)."""
        self.wizard.survey_again()

    def value_to_copy(self) -> str:
        """Return what ^Y copies."""
        return self.wizard.address

    def buttons(self, label: str = "Go on") -> Horizontal:
        """Return the last line of a page."""
        return Horizontal(Push(label, id="next"), classes="buttons last")

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Go on."""
        if event.push.id == "next":
            event.stop()
            self.wizard.action_next()
