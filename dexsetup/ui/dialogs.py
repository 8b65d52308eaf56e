"""Sheets that cover the pages: help, diff, log, paste, card, questions. Esc closes each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from dexsetup.ui.option import Option
from dexsetup.ui.printable import clean
from dexsetup.ui.widgets.fields import Push, TextField
from dexsetup.ui.widgets.lines import Line, Lines

if TYPE_CHECKING:
    from dexsetup.ui.app import Wizard

__all__ = ["AskSheet", "PasteSheet", "PathSheet", "Sheet", "TakingSheet", "TextSheet"]


class Sheet(ModalScreen[None]):
    """Something over the whole window.

    A second Enter may be on its way when the first one has closed it: what closes it looks at `is_current`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", show=False, priority=True),
        Binding("f10,ctrl+q", "close", show=False, priority=True),
    ]
    keys: ClassVar[str] = "Esc Back"

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = title

    @property
    def wizard(self) -> Wizard:
        """The app."""
        return cast("Wizard", self.app)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(f" {clean(self._heading)}", id="sheet-title", markup=False)
        with Vertical(id="sheet-body", classes="form"):
            yield from self.body()
        yield Static(f" {self.keys}", id="sheet-keys", markup=False)

    def on_mount(self) -> None:
        """Let the terminal's cursor follow here as well."""
        self.wizard.frame.follow_focus(self)

    def body(self) -> ComposeResult:
        """Return what stands in it."""
        yield Static("", markup=False)

    def action_close(self) -> None:
        """Go back."""
        if self.is_current:
            self.dismiss()


class TextSheet(Sheet):
    """Text to read: help, diff, log, card."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2,ctrl+t,f3,ctrl+l,f1,q,enter", "close", show=False, priority=True),
        Binding("ctrl+y", "copy", show=False, priority=True),
    ]
    keys: ClassVar[str] = "Arrows Scroll  ^Y Copy  Esc Back"

    def __init__(self, title: str, lines: Sequence[Line], *, at_end: bool = False, to_copy: str = "") -> None:
        super().__init__(title)
        self._lines = list(lines)
        self._at_end = at_end
        self.to_copy = to_copy
        """What ^Y copies; empty: all of the text."""

    def body(self) -> ComposeResult:
        """Return the text."""
        yield Lines(self._lines, id="text")

    def on_mount(self) -> None:
        """Give it the keyboard."""
        text = self.query_one("#text", Lines)
        text.styles.height = "1fr"
        text.focus()
        if self._at_end:
            self.call_after_refresh(lambda: text.scroll_end(animate=False))

    def action_copy(self) -> None:
        """Copy what there is to copy: the link of a card, or all of the text."""
        self.wizard.copy(self.to_copy or self.query_one("#text", Lines).text)


class TakingSheet(Sheet):
    """A sheet that takes something when it is told to; until then, going back changes nothing."""

    go_on: ClassVar[str] = "Go on"
    """What stands on the button that takes it."""

    def buttons(self) -> ComposeResult:
        """Return the two buttons."""
        with Horizontal(classes="buttons"):
            yield Push(self.go_on, id="take")
            yield Push("Back", id="back")

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Take it, or go back."""
        event.stop()
        if event.push.id == "take":
            self.action_take()
        else:
            self.action_close()

    def action_take(self) -> None:
        """Take it, and close; stay if something is wrong."""
        raise NotImplementedError


class PasteSheet(TakingSheet):
    """Somebody's credentials, in any form that is going around."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+n,f5", "take", show=False, priority=True)]
    keys: ClassVar[str] = "^N Take them  Esc Back"
    go_on: ClassVar[str] = "Take them"

    def __init__(self, take: Callable[[str], str]) -> None:
        super().__init__("Peers: paste what was sent to you")
        self._take = take

    def body(self) -> ComposeResult:
        """Return the field."""
        yield Static(
            'One entry or many: "address:port": { "publicKey": ..., "password": ... }, a whole list, or a '
            "dex: link. Each is checked; bad ones say why, the good ones are taken.",
            markup=False,
        )
        yield TextArea("", id="area", show_line_numbers=False, soft_wrap=True)
        yield Static("", id="said", classes="bad", markup=False)
        yield from self.buttons()

    def on_mount(self) -> None:
        """Show what was typed when the sheet was closed before, for another paste to take its place."""
        area = self.query_one("#area", TextArea)
        area.text = self.wizard.sheets.pasted
        area.select_all()
        area.focus()

    def on_text_area_changed(self) -> None:
        """Keep what was typed: Esc loses nothing."""
        self.wizard.sheets.pasted = self.query_one("#area", TextArea).text

    def action_take(self) -> None:
        """Take the peers, when the field has seen every key that was pressed before."""
        self.query_one("#area", TextArea).call_later(self._take_text)

    def _take_text(self) -> None:
        """Stay if something is wrong."""
        if not self.is_current:
            return
        self.on_text_area_changed()
        problem = self._take(self.wizard.sheets.pasted)
        if problem:
            self.query_one("#said", Static).update("\n".join(f"[!] {line}" for line in problem.splitlines()))
            return
        self.wizard.sheets.pasted = ""
        self.dismiss()


class PathSheet(TakingSheet):
    """The name of a file."""

    keys: ClassVar[str] = "Enter Go on  Esc Back"

    def __init__(self, title: str, sentence: str, path: str, take: Callable[[str], str]) -> None:
        super().__init__(title)
        self._sentence = sentence
        self._path = path
        self._take = take

    def body(self) -> ComposeResult:
        """Return the field."""
        yield Static(self._sentence, markup=False)
        yield TextField(self._path, id="path")
        yield from self.buttons()

    def on_mount(self) -> None:
        """Give the field the keyboard."""
        self.query_one("Input").focus()

    def action_take(self) -> None:
        """Take the name."""
        if not self.is_current:
            return
        field = self.query_one("#path", TextField)
        problem = self._take(field.value)
        if problem:
            field.complain(problem)
        else:
            self.dismiss()


class AskSheet(Sheet):
    """A decision between a few things."""

    keys: ClassVar[str] = "Arrows Choose  Enter Go on  Esc Back"

    def __init__(
        self, title: str, sentence: str, options: Sequence[Option], take: Callable[[object], None]
    ) -> None:
        super().__init__(title)
        self._sentence = sentence
        self._options = tuple(options)
        self._take = take

    def body(self) -> ComposeResult:
        """Return the choices as buttons."""
        yield Static(f"{clean(self._sentence)}\n", markup=False)
        for number, option in enumerate(self._options):
            yield Push(option.label, id=f"option-{number}")

    def on_mount(self) -> None:
        """Give the first one the keyboard."""
        self.query(Push).first().focus()

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Take the choice."""
        event.stop()
        if not self.is_current:
            return
        number = int((event.push.id or "option-0").partition("-")[2])
        self.dismiss()
        self._take(self._options[number].value)
