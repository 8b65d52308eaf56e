"""A page made of questions: each declaration becomes a sentence, a field and a hint."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from dexsetup.ui.option import Option
from dexsetup.ui.pages.base import Page, hint, title
from dexsetup.ui.questions import Kind, Question
from dexsetup.ui.widgets.fields import Choice, TextField, Tick

__all__ = ["FormPage"]


def _left_out(question: Question) -> str:
    """Return how a question is left unanswered here; in a file of answers its key is left out."""
    absent = next((option.label for option in question.options if option.value is None), "")
    return f"{absent}:" if absent else "Empty:"


class FormPage(Page):
    """See the module docstring."""

    def field(self, question: Question, *, label: str = "") -> ComposeResult:
        """Lay out one question: its sentence, its field, its hint."""
        draft = self.wizard.draft
        name = f"{question.section}.{question.key}"
        sentence = label or question.title
        if question.kind is Kind.TICK:
            yield Tick(sentence, bool(draft.value(question.section, question.key)), name=name)
            if question.hint:
                yield hint(question.hint)
            return
        yield title(sentence)
        value = draft.value(question.section, question.key)
        if question.kind is Kind.CHOICE:
            options = question.options
            text = draft.text(question.section, question.key)
            is_other = bool(question.prefix) and text.startswith(question.prefix)
            if question.prefix:
                options = (*options, Option(question.prefix, f"{question.prefix.rstrip(':')} from a file"))
            yield Choice(options, question.prefix if is_other else value, name=name)
            if question.prefix:
                other = text.removeprefix(question.prefix) if is_other else ""
                field = TextField(
                    other, name=f"{name}.other", problem=draft.problem(question.section, question.key)
                )
                field.display = is_other
                yield field
        else:
            yield TextField(
                draft.text(question.section, question.key),
                name=name,
                problem=draft.problem(question.section, question.key),
                is_secret=question.kind is Kind.SECRET,
            )
        if question.hint:
            yield hint(question.hint.replace("Left out:", _left_out(question)))
        else:
            yield Static("", classes="title")

    def on_tick_changed(self, event: Tick.Changed) -> None:
        """Take a tick that is a question."""
        if event.tick.name and "." in event.tick.name:
            event.stop()
            section, _, key = event.tick.name.partition(".")
            self.wizard.draft.put(section, key, event.value)
            self.wizard.draft_changed()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Take a choice that is a question."""
        name = event.choice.name
        if not name or "." not in name:
            return
        event.stop()
        section, _, key = name.partition(".")
        others = [field for field in self.query(TextField) if field.name == f"{name}.other"]
        is_other = bool(others) and event.choice.options[-1].value == event.value
        for field in others:
            field.display = is_other
        if is_other:
            self._take_text(section, key, f"{event.value}{others[0].value}", others[0])
        else:
            self.wizard.draft.put(section, key, event.value)
            self.wizard.draft_changed()

    def on_text_field_changed(self, event: TextField.Changed) -> None:
        """Take a text that is a question."""
        name = event.field.name
        if not name or "." not in name:
            return
        event.stop()
        section, key, *rest = name.split(".")
        text = event.value
        if rest:
            choice = next(choice for choice in self.query(Choice) if choice.name == f"{section}.{key}")
            text = f"{choice.options[-1].value}{text}"
        self._take_text(section, key, text, event.field)

    def _take_text(self, section: str, key: str, text: str, field: TextField) -> None:
        self.wizard.draft.type_text(section, key, text)
        field.complain(self.wizard.draft.problem(section, key))
        self.wizard.draft_changed()
