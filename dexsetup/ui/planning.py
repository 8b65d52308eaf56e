"""The plan of the draft: made anew in a thread whenever the draft has changed and the keyboard rests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dexsetup.ui.messages import LookDone

if TYPE_CHECKING:
    from dexsetup.plan.events import PlannedStep
    from dexsetup.ui.app import Wizard
    from dexsetup.ui.desk import Desk, Looked
    from dexsetup.ui.draft import Draft

__all__ = ["PAUSE", "Planning"]

PAUSE = 0.25
"""Seconds after the last key before a draft is planned anew."""


class Planning:
    """The last look at the machine with the draft, and when there is another. One thread looks at a time."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard
        self.looked: Looked | None = None
        self._wanted = 0
        self._done = 0
        self._is_looking = False

    @property
    def is_current(self) -> bool:
        """Whether the plan that is shown is that of the draft."""
        return self._done == self._wanted and not self._is_looking

    @property
    def address(self) -> str:
        """The node's address as the plan has it; empty without one."""
        plan = self.looked.plan if self.looked is not None else None
        return (plan.address or "") if plan is not None else ""

    def step(self, name: str) -> PlannedStep | None:
        """Return a step of the last plan."""
        plan = self.looked.plan if self.looked is not None else None
        return next((step for step in plan.steps if step.name == name), None) if plan else None

    def soon(self, seconds: float = PAUSE) -> None:
        """Plan after a pause; a later wish replaces an earlier one."""
        self._wanted += 1
        number = self._wanted
        if seconds:
            self._wizard.set_timer(seconds, lambda: self._look(number))
        else:
            self._look(number)

    def _look(self, number: int) -> None:
        wizard = self._wizard
        if number != self._wanted or self._is_looking or not wizard.has_draft:
            return
        draft = wizard.draft
        if draft.unfit or wizard.running.is_applying:
            return
        self._is_looking = True
        snapshot = replace(draft, decisions=dict(draft.decisions), accepted=set(draft.accepted))
        desk = wizard.desk
        wizard.in_thread("look", lambda: self._post(number, desk, snapshot))

    def _post(self, number: int, desk: Desk, draft: Draft) -> None:
        self._wizard.post_message(LookDone(number, desk.look(draft)))

    def take(self, message: LookDone) -> None:
        """Take in a plan, and look again if the draft has changed meanwhile."""
        self._is_looking = False
        self._done = message.number
        self.looked = message.looked
        if message.number != self._wanted:
            self._look(self._wanted)

    def failed(self) -> None:
        """Know that a look came to nothing."""
        self._is_looking = False
