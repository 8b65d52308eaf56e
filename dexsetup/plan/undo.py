"""Takes changes back, last one first, from the journal alone.

What somebody changed since is left and said. A unit that ran before is started anew when all of its files are
back. Undoing twice does it once: a crash in the middle is mended by undoing again. What cannot be written
down, on a disk that is full, is taken back all the same, and said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from dexsetup.errors import AnswersError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host
from dexsetup.plan import handlers
from dexsetup.plan.events import Checked, Grade, Listener, RunDone
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.journal import ChangeRecord, Journal, RunRecord, list_runs, read_run
from dexsetup.plan.places import LOCK
from dexsetup.plan.state import load_state, save_state
from dexsetup.report.redact import Redactor

__all__ = ["NOTHING_TO_UNDO", "UndoReport", "chosen_run", "end_undone", "undo_changes", "undo_run"]

NOTHING_TO_UNDO = "Nothing to undo: no run of dexsetup is in place on this machine."


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What came of it."""

    count: int
    kept: tuple[str, ...]
    """What is not as it was before, and why."""
    notes: tuple[str, ...]
    is_failed: bool = False
    """Something could not be taken back now; undoing again may help."""


def _every(_: ChangeRecord) -> bool:
    return True


def undo_changes(
    record: RunRecord,
    journal: Journal,
    context: Context,
    select: Callable[[ChangeRecord], bool] = _every,
) -> UndoReport:
    """Take back the selected changes of a run, last one first."""
    kept: list[str] = []
    notes: list[str] = []
    unwritten: list[str] = []
    later: list[ChangeRecord] = []
    context.restart_later, context.reload_firewall = [], ""
    is_failed = False
    chosen = [change for change in record.changes if not change.is_undone and select(change)]
    for change in reversed(chosen):
        waiting = len(context.restart_later)
        outcome = handlers.undo(change, context)
        if outcome.kept:
            kept.append(outcome.kept)
        if outcome.note:
            notes.append(outcome.note)
        if outcome.is_failed:
            is_failed = True
        elif (
            len(context.restart_later) > waiting
            or change.subject in context.restart_later
            or change.subject == context.reload_firewall
        ):
            later.append(change)
        else:
            _write_down(partial(journal.undone, change.n, outcome.kept), unwritten)
    if any(change.kind == "unit" for change in chosen):
        failed = _restart(context)
        kept.extend(failed)
        is_failed = is_failed or bool(failed)
    if context.reload_firewall:
        failed = _reload_firewall(context)
        kept.extend(failed)
        is_failed = is_failed or bool(failed)
    for change in later:
        _write_down(partial(journal.undone, change.n, ""), unwritten)
    _write_down(partial(save_state, context.host, context.state), unwritten)
    kept += dict.fromkeys(unwritten)
    return UndoReport(len(chosen), tuple(kept), tuple(notes), is_failed or bool(unwritten))


def end_undone(journal: Journal, report: UndoReport) -> UndoReport:
    """Write the last line of a run that was undone. Return the report, with what that came to."""
    unwritten: list[str] = []
    _write_down(partial(journal.end, "partial" if report.is_failed else "undone"), unwritten)
    kept = tuple(dict.fromkeys((*report.kept, *unwritten)))
    return replace(report, kept=kept, is_failed=report.is_failed or bool(unwritten))


def _write_down(write: Callable[[], None], unwritten: list[str]) -> None:
    try:
        write()
    except MachineError as error:
        unwritten.append(f"{error.what} (undo again when that is mended: what is back by then stays so)")


def _restart(context: Context) -> list[str]:
    """Let the service manager and what ran before see the old files. Return what did not work."""
    services = context.host.services
    failed = []
    try:
        services.reload_definitions()
    except MachineError as error:
        failed.append(error.what)
    for unit in context.restart_later:
        try:
            services.restart(unit)
        except MachineError as error:
            failed.append(f"{unit} does not run: {context.redactor.text(error.why or error.what)}")
    return failed


def _reload_firewall(context: Context) -> list[str]:
    """Let the firewall see the old files. Return what did not work."""
    try:
        context.host.firewall.reload(context.reload_firewall)
    except MachineError as error:
        return [f"{error.what} {context.redactor.text(error.why)}".strip()]
    return []


def undo_run(
    host: Host,
    run: str | None,
    listen: Listener,
    redactor: Redactor,
    *,
    holder: str = "",
    removes_packages: bool = False,
    keeps: tuple[str, ...] = (),
) -> ExitCode:
    """Undo one run (None: the last one still in place). Return the exit code; the listener hears the rest.

    Of the files in `keeps`, which nobody can make anew, a copy stays beside the journal if undo removes them.
    Nothing is undone if the copy cannot be written.
    """
    with host.hold_lock(LOCK, holder):
        record = chosen_run(host, run)
        if record is None:
            listen(RunDone(ExitCode.OK, NOTHING_TO_UNDO))
            return ExitCode.OK
        journal = Journal(host, record.run, count=max((change.n for change in record.changes), default=1))
        context = Context(host, load_state(host), redactor, removes_packages=removes_packages)
        copies = _keep(host, record, journal, keeps)
        report = end_undone(journal, undo_changes(record, journal, context))
        for path, copy in copies.items():
            if host.stat(path) is None:
                listen(Checked("undo", Grade.NOTE, f"a copy of {path} is kept as {copy}"))
            else:
                host.remove(copy)
    for note in report.notes:
        listen(Checked("undo", Grade.NOTE, note))
    if report.kept:
        text = f"Run {record.run} was undone, except for what is named above."
        listen(RunDone(ExitCode.REMAINS, text, remains=report.kept))
        return ExitCode.REMAINS
    listen(RunDone(ExitCode.OK, f"Run {record.run} was undone: what was there before is back."))
    return ExitCode.OK


def _keep(host: Host, record: RunRecord, journal: Journal, keeps: tuple[str, ...]) -> dict[str, str]:
    """Copy those of the files that undo is about to remove; return by path where the copy is."""
    new = {one.subject for one in record.changes if not one.is_undone and not one.before.get("exists", True)}
    copies = {}
    for path in keeps:
        content = host.read(path) if path in new else None
        if content is not None:
            copies[path] = f"{journal.directory}/kept-{path.rpartition('/')[2]}"
            host.write(copies[path], content, mode=0o600, owner="root", group="root")
    return copies


def chosen_run(host: Host, run: str | None) -> RunRecord | None:
    """Return the run that undo takes back: the named one, or the last one in place. None: there is none."""
    if run is None:
        undoable = [record for record in list_runs(host) if record.is_undoable]
        return undoable[-1] if undoable else None
    record = read_run(host, run)
    if record is None:
        raise AnswersError((f"there is no run {run} on this machine",), advice="dexsetup runs")
    return record if record.is_undoable else None
