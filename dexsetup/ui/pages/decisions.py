"""What a person has to decide before Apply: files that somebody else edited, and risks to read and tick.

Review shows all of them; the page of the firewall shows the risks, beside what they are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from textual.containers import Vertical
from textual.widgets import Static

from dexsetup.plan.events import PlannedStep
from dexsetup.ui.option import Option
from dexsetup.ui.pages.base import clean_lines
from dexsetup.ui.widgets.fields import Choice, Tick

if TYPE_CHECKING:
    from dexsetup.ui.app import Wizard

__all__ = ["Decisions"]

_OPTIONS = (
    Option(None, "decide later"),
    Option("ours", "use ours, keep theirs beside it"),
    Option("theirs", "keep theirs"),
)


class Decisions(Vertical):
    """See the module docstring."""

    def __init__(self, *, id: str, has_conflicts: bool = True) -> None:  # noqa: A002 - textual's word
        super().__init__(id=id)
        self._has_conflicts = has_conflicts
        self._shown: tuple[object, ...] = ()

    @property
    def _wizard(self) -> Wizard:
        return cast("Wizard", self.app)

    def show(self, steps: Sequence[PlannedStep]) -> None:
        """Lay out risks and conflicts anew if they are others; ticks in them stay where they are."""
        wizard = self._wizard
        looked = wizard.planning.looked
        conflicts = looked.conflicts if looked is not None else {}
        paths = [conflict.path for found in conflicts.values() for conflict in found]
        paths = sorted({*paths, *wizard.draft.decisions}) if self._has_conflicts else []
        risks = list(dict.fromkeys(risk for step in steps for risk in step.risks))
        if (tuple(paths), tuple(risks)) == self._shown:
            return
        self._shown = (tuple(paths), tuple(risks))
        focused = self.screen.focused.name if self.screen.focused is not None else None
        self.remove_children()
        fields = list(self._fields(paths, risks))
        self.mount_all(fields)
        for field in fields:
            if focused and field.name == focused:
                field.focus()

    def _fields(self, paths: list[str], risks: list[tuple[str, str]]) -> Iterator[Static | Choice | Tick]:
        draft = self._wizard.draft
        for path in paths:
            yield Static(clean_lines(f"Somebody else wrote or edited {path}:"), classes="warn", markup=False)
            yield Choice(_OPTIONS, draft.decisions.get(path), name=f"conflict:{path}")
        for name, text in risks:
            yield Static(clean_lines(f"Risk {name}: {text}"), classes="warn", markup=False)
            yield Tick("understood", draft.is_accepted(name), name=f"risk:{name}")

    def on_tick_changed(self, event: Tick.Changed) -> None:
        """Accept a risk, or no longer."""
        event.stop()
        self._wizard.draft.accept((event.tick.name or "").partition(":")[2], event.value)
        self._wizard.draft_changed()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Decide on a file."""
        event.stop()
        path = (event.choice.name or "").partition(":")[2]
        decisions = self._wizard.draft.decisions
        if event.value is None:
            decisions.pop(path, None)
        else:
            decisions[path] = event.value
        self._wizard.draft_changed()
