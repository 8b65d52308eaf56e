"""What the journals know of the time before dexsetup, for a part that gives back what was there.

That is a part that is switched off. A change that gives back is marked so in its record. What an earlier run
gave back counts as the person's own from then on, so the memory begins anew behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dexsetup.errors import HostError
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.journal import ChangeRecord, list_runs

__all__ = ["GIVEN_BACK", "Earlier", "earlier"]

GIVEN_BACK = "is_given_back"
"""Key in a record's `after`."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The changes of one thing, oldest first."""

    given_back: ChangeRecord | None
    """The last one of an earlier run that gave back what was there."""
    changes: tuple[ChangeRecord, ...]
    """Those since, which still hold."""

    @property
    def first(self) -> ChangeRecord | None:
        """The change whose `before` is how things were without us."""
        return self.changes[0] if self.changes else None


def earlier(context: Context, is_meant: Callable[[ChangeRecord], bool]) -> Earlier:
    """Look for the changes that are meant. Who may not read the journals sees none."""
    given_back: ChangeRecord | None = None
    found: list[ChangeRecord] = []
    current = context.journal.run if context.journal is not None else ""
    try:
        runs = list_runs(context.host)
    except HostError:
        runs = ()
    for record in runs:
        for change in record.changes:
            if change.is_undone or not is_meant(change):
                continue
            if not change.after.get(GIVEN_BACK):
                found.append(change)
            elif record.run != current:
                given_back = change
                found.clear()
    return Earlier(given_back, tuple(found))
