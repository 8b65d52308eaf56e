"""What was found at one link of the chain, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dexsetup.plan.events import Grade
from dexsetup.plan.places import ANSWERS

__all__ = ["AGAIN", "Finding", "Remedy"]

AGAIN = f"sudo dexsetup --answers {ANSWERS}"
"""What puts right whatever is not as the answers say."""


class Remedy(StrEnum):
    """What `dexsetup doctor --fix` does about a finding."""

    NONE = ""
    APPLY = "apply"
    """Apply the answers that were applied last once more: whatever is not as they say is put right."""
    RESTART = "restart"
    """Restart the unit: everything is as it should be, and only what runs does not know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one link of the chain."""

    link: str
    grade: Grade
    text: str
    cause: str = ""
    fix: str = ""
    """A command or a sentence; empty when there is nothing to mend."""
    remedy: Remedy = Remedy.NONE
    unit: str = ""
    """What a restart is for."""

    @property
    def is_break(self) -> bool:
        """Whether the chain is broken here."""
        return self.grade is Grade.FAIL
