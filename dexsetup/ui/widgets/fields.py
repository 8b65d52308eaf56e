"""Form fields made from questions: a tick, a choice, a text. Each tells what was answered, no more."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Blur, Focus
from textual.geometry import Offset, Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from dexsetup.ui.option import Option
from dexsetup.ui.printable import clean

__all__ = ["Choice", "Push", "TextField", "Tick"]

_MARKED = Style(reverse=True)
_BOX = 5
"""Columns of `>[x] `."""


class _Field(Widget, can_focus=True):
    """Something of one or more lines that has the keyboard as a whole."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "app.focus_previous", show=False),
        Binding("down,j", "app.focus_next", show=False),
    ]

    @property
    def cursor_place(self) -> Offset:
        """Where the terminal's cursor stands while this has the keyboard."""
        return self.content_region.offset

    def on_focus(self, _: Focus) -> None:
        """Show the mark."""
        self.refresh()

    def on_blur(self, _: Blur) -> None:
        """Take the mark away."""
        self.refresh()

    def _sign(self) -> str:
        return ">" if self.has_focus else " "


class Tick(_Field):
    """`[x] a sentence`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "flip", show=False)]

    class Changed(Message):
        """It was ticked or unticked."""

        def __init__(self, tick: Tick, value: bool) -> None:
            super().__init__()
            self.tick = tick
            self.value = value

        @property
        def control(self) -> Tick:
            """The field."""
            return self.tick

    def __init__(self, label: str, value: bool, *, id: str | None = None, name: str | None = None) -> None:  # noqa: A002 - textual's word
        super().__init__(id=id, name=name)
        self.label = clean(label)
        self.value = value

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Ask for as many lines as the sentence takes."""
        del container, viewport
        return len(self._lines(width))

    def _lines(self, width: int) -> list[str]:
        return textwrap.wrap(self.label, max(20, width - _BOX)) or [""]

    def render(self) -> Text:
        """Draw it, the sentence beside the box."""
        words = f"\n{' ' * _BOX}".join(self._lines(self.size.width))
        text = Text(f"{self._sign()}[{'x' if self.value else ' '}] {words}")
        if self.has_focus:
            text.stylize(_MARKED, 0, 4)
        return text

    def action_flip(self) -> None:
        """Change it."""
        self.value = not self.value
        self.refresh()
        self.post_message(self.Changed(self, self.value))

    def on_click(self) -> None:
        """Change it by mouse."""
        self.action_flip()


class Choice(_Field):
    """`(x) one  ( ) another`: as many in a line as there is room for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", show=False),
        Binding("right,l,space,enter", "move(1)", show=False),
    ]

    class Changed(Message):
        """Another one was chosen."""

        def __init__(self, choice: Choice, value: Any) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

        @property
        def control(self) -> Choice:
            """The field."""
            return self.choice

    def __init__(
        self,
        options: Sequence[Option],
        value: Any,
        *,
        id: str | None = None,  # noqa: A002 - textual's word
        name: str | None = None,
    ) -> None:
        super().__init__(id=id, name=name)
        self.options = tuple(options)
        self.value = value

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Ask for as many lines as the options take."""
        del container, viewport
        return len(self._lines(width))

    def _words(self) -> list[str]:
        return [
            f"({'x' if option.value == self.value else ' '}) {clean(option.label)}" for option in self.options
        ]

    def _lines(self, width: int) -> list[list[str]]:
        lines: list[list[str]] = [[]]
        used = 1
        for word in self._words():
            if lines[-1] and used + cell_len(word) > width:
                lines.append([])
                used = 1
            lines[-1].append(word)
            used += cell_len(word) + 2
        return lines

    def render(self) -> Text:
        """Draw it."""
        text = Text()
        for number, words in enumerate(self._lines(self.size.width)):
            text.append(f"\n{' '}" if number else self._sign(), _MARKED if self.has_focus else "")
            for word in words:
                is_chosen = word.startswith("(x)")
                text.append(word, _MARKED if is_chosen and self.has_focus else "")
                text.append("  ")
        return text

    def action_move(self, by: int) -> None:
        """Choose the next one; from the last one the first."""
        values = [option.value for option in self.options]
        at = values.index(self.value) if self.value in values else -1 if by > 0 else 0
        self.value = values[(at + by) % len(values)]
        self.refresh()
        self.post_message(self.Changed(self, self.value))


class Push(_Field):
    """`[ Go on ]`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "push", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]

    class Pushed(Message):
        """It was pushed."""

        def __init__(self, push: Push) -> None:
            super().__init__()
            self.push = push

        @property
        def control(self) -> Push:
            """The button."""
            return self.push

    def __init__(self, label: str, *, id: str | None = None) -> None:  # noqa: A002 - textual's word
        super().__init__(id=id)
        self.label = label

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Ask for the room of the label."""
        del container, viewport
        return cell_len(self.label) + 5

    def render(self) -> Text:
        """Draw it."""
        return Text(f"{self._sign()}[ {self.label} ]", style=_MARKED if self.has_focus else Style())

    def action_push(self) -> None:
        """Tell."""
        self.post_message(self.Pushed(self))

    def on_click(self) -> None:
        """Push it by mouse."""
        self.action_push()


class _Line(Input):
    """A text line between brackets; Enter and the arrows go on to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    @property
    def _value(self) -> Text:
        """What is drawn: as long as the value, without what is not printable. The value itself stays."""
        drawn = super()._value
        plain = drawn.plain
        return (
            drawn if plain.isprintable() else Text("".join(ch if ch.isprintable() else "?" for ch in plain))
        )


class TextField(Vertical):
    """`[ text ]`, and below it what is wrong with the text."""

    class Changed(Message):
        """Something was typed."""

        def __init__(self, field: TextField, value: str) -> None:
            super().__init__()
            self.field = field
            self.value = value

        @property
        def control(self) -> TextField:
            """The field."""
            return self.field

    def __init__(
        self,
        text: str,
        *,
        id: str | None = None,  # noqa: A002 - textual's word
        name: str | None = None,
        problem: str = "",
        is_secret: bool = False,
    ) -> None:
        super().__init__(id=id, name=name)
        self._text = text
        self._problem = problem
        self._is_secret = is_secret

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal(classes="line"):
            yield Static(" [", classes="bracket", markup=False)
            yield _Line(self._text, compact=True, password=self._is_secret, select_on_focus=False)
            yield Static("]", classes="bracket", markup=False)
        yield Static("", classes="problem", markup=False)

    def on_mount(self) -> None:
        """Show the problem that is known."""
        self.complain(self._problem)

    @property
    def value(self) -> str:
        """What is typed now."""
        return self.query_one(_Line).value

    def clear(self) -> None:
        """Take out what is typed."""
        self._text = ""
        self.query_one(_Line).value = ""

    def complain(self, problem: str) -> None:
        """Say what is wrong; nothing if the text is empty."""
        label = self.query_one(".problem", Static)
        label.update(f"  [!] {clean(problem)}" if problem else "")
        label.display = bool(problem)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand on what was typed; being drawn is no typing."""
        event.stop()
        if event.value == self._text:
            return
        self._text = event.value
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        self.screen.focus_next()

    def on_descendant_focus(self) -> None:
        """Mark the line that has the keyboard."""
        self.query(".bracket").first(Static).update(">[")

    def on_descendant_blur(self) -> None:
        """Take the mark away."""
        self.query(".bracket").first(Static).update(" [")
