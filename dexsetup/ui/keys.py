"""What each key of the wizard does, in one place.

The toolkit looks for keys and their actions at the app, so this is a half of it: `Wizard` is one, and has the
rest. An action decides whether it may be now, and hands on; while a sheet is open, the keys are the sheet's.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from dexsetup.exitcodes import ExitCode
from dexsetup.ui.frame import STEPS

if TYPE_CHECKING:
    from dexsetup.ui.desk import Survey
    from dexsetup.ui.pages.base import Page
    from dexsetup.ui.running import Running
    from dexsetup.ui.sheets import Sheets

__all__ = ["Keys"]

_ALWAYS = frozenset({"focus_next", "focus_previous", "suspend"})
"""Actions of the app that sheets use as well."""
_UNDER_WAY = "A run is under way: Esc stops it after this change."


class Keys(App[ExitCode]):
    """The keys, and the actions behind them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", priority=True, show=False),
        Binding("question_mark", "help", show=False),
        Binding("f2,ctrl+t", "diff", priority=True, show=False),
        Binding("f3,ctrl+l", "log", priority=True, show=False),
        Binding("f5,ctrl+r", "again", priority=True, show=False),
        Binding("f10,ctrl+q", "leave", priority=True, show=False),
        Binding("ctrl+n", "next", priority=True, show=False),
        Binding("ctrl+b", "previous", priority=True, show=False),
        Binding("ctrl+s", "save", priority=True, show=False),
        Binding("ctrl+y", "copy", priority=True, show=False),
        Binding("ctrl+z", "suspend", priority=True, show=False),
        # First of all, so that keys which come in one burst after a Tab (a slow line) find the next field.
        Binding("tab", "focus_next", priority=True, show=False),
        Binding("shift+tab", "focus_previous", priority=True, show=False),
        Binding("ctrl+a", "apply", show=False),
        Binding("ctrl+c", "interrupt", show=False),
        Binding("escape", "escape", show=False),
        *(Binding(str(number), f"jump({number})", show=False) for number in range(1, 10)),
    ]

    running: Running
    sheets: Sheets
    survey: Survey | None
    step: str
    """Name of the page that is shown."""

    # -- what the actions use

    @property
    @abstractmethod
    def has_draft(self) -> bool:
        """Whether there are answers to edit."""

    @property
    @abstractmethod
    def page(self) -> Page:
        """The page that is shown."""

    @abstractmethod
    def go(self, step: str) -> None:
        """Open a page."""

    @abstractmethod
    def say(self, text: str = "") -> None:
        """Show a sentence in the line above the keys."""

    @abstractmethod
    def copy(self, text: str) -> None:
        """Copy by the terminal."""

    # -- the actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to a sheet while one is open."""
        del parameters
        return len(self.screen_stack) == 1 or action in _ALWAYS

    def action_next(self) -> None:
        """Go to the next page."""
        if self.step == "Review":
            self.running.want()
        elif self.step != STEPS[-1]:
            self.go(STEPS[STEPS.index(self.step) + 1])

    def action_previous(self) -> None:
        """Go to the page before."""
        if self.running.is_applying:
            self.say(_UNDER_WAY)
        elif self.step != STEPS[0]:
            step = STEPS[STEPS.index(self.step) - 1]
            self.go("Review" if step == "Apply" and self.running.view is None else step)

    def action_jump(self, number: int) -> None:
        """Go to a page by its number."""
        if not self.running.is_applying:
            self.go(STEPS[number - 1])

    def action_escape(self) -> None:
        """Go one level back; in Apply, stop."""
        if self.running.is_applying:
            self.running.stop()
        elif self.survey is not None and self.survey.is_set_up and self.step != "Home":
            self.go("Home")
        elif self.step not in {"Welcome", "Home"}:
            self.action_previous()

    def action_interrupt(self) -> None:
        """Stop a run, else say how to quit."""
        if self.running.is_applying:
            self.running.stop()
        else:
            self.say("To quit: ^Q or F10.")

    def action_suspend(self) -> None:
        """Go to the background; not in a run, which would stand still with the machine half made."""
        if self.running.is_applying:
            self.say(_UNDER_WAY)
        else:
            self.action_suspend_process()

    def action_again(self) -> None:
        """Look or test again."""
        if self.has_draft:
            self.page.test_again()

    def action_apply(self) -> None:
        """Apply, if everything is decided; else go to what is not."""
        self.running.want()

    def action_help(self) -> None:
        """Show keys and what this page changes."""
        self.sheets.help()

    def action_diff(self) -> None:
        """Show the diff over everything."""
        self.sheets.diff()

    def action_log(self) -> None:
        """Show the log of the run."""
        self.sheets.log()

    def action_copy(self) -> None:
        """Copy the value that this page is about."""
        self.copy(self.page.value_to_copy())

    def action_save(self) -> None:
        """Save the answers to a file."""
        self.sheets.save()

    def action_leave(self) -> None:
        """Quit; ask only if something would be lost."""
        if self.running.is_applying:
            self.say(_UNDER_WAY)
        else:
            self.sheets.leave()
