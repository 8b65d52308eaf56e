"""What every handler is given, and what it gives back on undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dexsetup.host.base import Host, ProgressSink
from dexsetup.plan.journal import Journal
from dexsetup.plan.state import StateEntry
from dexsetup.report.redact import Redactor

__all__ = ["ChangeClock", "Context", "Decision", "Undone"]

Decision = Literal["ours", "theirs"]


def _silent(_: str) -> None:
    """Nobody waits."""


@dataclass(slots=True)
class ChangeClock:
    """Which paths were changed in which order, and which units have been started since."""

    ticks: int = 0
    paths: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)

    def changed(self, path: str) -> None:
        """Note a change."""
        self.ticks += 1
        self.paths[path] = self.ticks

    def started(self, unit: str) -> None:
        """Note a (re)start: it has seen all changes so far."""
        self.ticks += 1
        self.units[unit] = self.ticks

    def since_start(self, unit: str, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the paths that changed after the unit was started."""
        start = self.units.get(unit, 0)
        return tuple(path for path in paths if self.paths.get(path, 0) > start)


@dataclass(slots=True)
class Context:
    """The machine, what we remember of it, and the run that is under way."""

    host: Host
    state: dict[str, StateEntry]
    redactor: Redactor = field(default_factory=Redactor)
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    """Per path: what a person decided for a file that somebody else edited."""
    journal: Journal | None = None
    """None while only checking."""
    step: str = ""
    progress: ProgressSink = _silent
    clock: ChangeClock = field(default_factory=ChangeClock)
    planned: dict[str, bytes | None] = field(default_factory=dict)
    """While only checking: content that earlier resources of the plan will have put in place."""
    restart_later: list[str] = field(default_factory=list)
    """While undoing: units that ran before and must see the old files again."""
    removes_packages: bool = False
    """While undoing: whether packages that were installed go, too."""
    reload_firewall: str = ""
    """While undoing: the zone for whose sake the firewall must read its files again, once they are back."""

    @property
    def open_journal(self) -> Journal:
        """Return the journal of the run that applies."""
        if self.journal is None:
            raise AssertionError("a change without a journal")
        return self.journal


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of taking one change back."""

    kept: str = ""
    """Why what is there was kept, or empty: it is as it was before."""
    note: str = ""
    """What a person may like to know."""
    is_failed: bool = False
    """It could not be taken back now, and may be tried again."""
