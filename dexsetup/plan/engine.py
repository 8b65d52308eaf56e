"""Applies a plan: lock, check everything, stop if something is undecided, then step by step.

Rules (wizard-ux 6):
- Nothing is changed before every resource was looked at; a conflict, an unaccepted risk or something that
  this machine cannot have ends the run there.
- Each change is journaled before it is made and looked at again afterwards: only "in sync" counts as done.
- A step that fails is undone at once; then everything is, unless `keep_going`: then steps that do not need it
  go on.
- A wish to stop is heard between two changes, never inside one.
- The engine tells what happens as events and never prints. An unforeseen exception undoes, then goes on up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dexsetup.errors import DexsetupError, HostError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host
from dexsetup.host.dry import dry
from dexsetup.plan import handlers
from dexsetup.plan.check import CheckedPlan, CheckedStep, check_plan, describe
from dexsetup.plan.events import (
    Asked,
    Changed,
    Checked,
    Grade,
    Listener,
    Progress,
    RunDone,
    StepDone,
    StepFailed,
    StepStarted,
)
from dexsetup.plan.handlers.context import Context, Decision
from dexsetup.plan.journal import Journal, journal_path, list_runs, read_run
from dexsetup.plan.model import PeerEstablished, Plan, Resource, StepPlan, Verification
from dexsetup.plan.places import LOCK
from dexsetup.plan.recover import recover
from dexsetup.plan.results import Change, Conflict, InSync, Stale, Unavailable
from dexsetup.plan.state import load_state, save_state
from dexsetup.plan.undo import UndoReport, end_undone, undo_changes
from dexsetup.plan.verify import timeout_of, wait_for
from dexsetup.report.redact import Redactor

__all__ = ["Engine", "Options", "Outcome"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run shall behave."""

    accepted_risks: frozenset[str] = frozenset()
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    """Per path: what to do with a file that was edited by hand."""
    is_root: bool = True
    keep_going: bool = False
    resume: bool = False
    """Go on with a run that was interrupted, in its own journal."""
    answers: bytes | None = None
    """The answers file of this run, kept beside its journal."""
    holder: str = ""
    """What somebody is told who finds the lock taken: process and time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    code: ExitCode
    run: str = ""
    remains: tuple[str, ...] = ()


class _StoppedError(DexsetupError):
    """The person wants to stop."""


class Engine:
    """One run. `make_plan` reads the machine and plans; it is called again if a shared file changes."""

    def __init__(
        self,
        host: Host,
        make_plan: Callable[[], Plan],
        listen: Listener,
        *,
        run: str,
        redactor: Redactor | None = None,
        options: Options | None = None,
    ) -> None:
        self.host = host
        self.make_plan = make_plan
        self.listen = listen
        self.run_name = run
        self.redactor = redactor or Redactor()
        self.options = options or Options()
        self.is_stop_wanted = False
        self._unsatisfied: list[str] = []
        self._timed_out: set[Verification] = set()

    def request_stop(self) -> None:
        """Ask the run to end at the next place where that is safe. For signal handlers and screens."""
        self.is_stop_wanted = True

    # -- the ways in

    def look(self) -> CheckedPlan:
        """Plan and check, changing nothing, and tell."""
        looking = dry(self.host)
        context = Context(looking, load_state(looking), self.redactor, self.options.decisions)
        checked = check_plan(self.make_plan(), looking, context)
        self.listen(checked.event(self.options.accepted_risks))
        return checked

    def dry_run(self) -> Outcome:
        """Say what a run would do."""
        checked = self.look()
        if blocked := self._blocked(checked, is_dry=True):
            return blocked
        if not checked.has_changes:
            return self._end(ExitCode.OK, "Nothing to do: everything is already in place.")
        text = "There are changes to make."
        if names := self._ask_risks(checked):
            stop = "risk {} is" if len(names) == 1 else "risks {} are"
            text += f" A run would stop here: the {stop.format(', '.join(names))} not accepted."
        return self._end(ExitCode.CHANGES, f"{text} Nothing was changed.")

    def run(self) -> Outcome:
        """Check, apply, verify."""
        if not self.options.is_root:
            raise MachineError(
                "Changing this machine needs root.",
                done="Nothing was changed.",
                advice="Start the same command with sudo, or look first with --dry-run.",
            )
        with self.host.hold_lock(LOCK, self.options.holder or f"run {self.run_name}"):
            journal = self._journal()
            checked = self.look()
            if blocked := self._blocked(checked, is_dry=False):
                return blocked
            return self._apply(checked, journal)

    # -- before the first change

    def _journal(self) -> Journal:
        """Open the journal of this run: a new one, or that of the interrupted run to go on with."""
        unfinished = [record for record in list_runs(self.host) if record.is_unfinished]
        if not unfinished:
            self.run_name = self._free_name()
            return Journal(self.host, self.run_name, answers=self.options.answers)
        record = unfinished[-1]
        if not self.options.resume:
            raise _interrupted(record.run, len(record.changes))
        self.run_name = record.run
        count = max((change.n for change in record.changes), default=0)
        journal = Journal(self.host, record.run, answers=self.options.answers, count=count)
        self.listen(Checked("resume", Grade.NOTE, f"Going on with run {record.run}, which was interrupted."))
        return journal

    def _free_name(self) -> str:
        """Return the name of this run, or one behind it: a clock that was set back gives names again.

        A directory without a journal is that of a run which ended before it began: its name is free.
        """
        name, number = self.run_name, 1
        while self.host.stat(journal_path(name)) is not None:
            number += 1
            name = f"{self.run_name}-{number}"
        return name

    def _blocked(self, checked: CheckedPlan, *, is_dry: bool) -> Outcome | None:
        """Return the outcome if this plan must not be applied as it stands."""
        cannot = [step for step in checked.steps if step.unavailable]
        if cannot and not (self.options.keep_going and not is_dry):
            for step in cannot:
                first = step.unavailable[0]
                done = "Nothing was changed."
                self.listen(StepFailed(step.step.name, first.why, why=first.detail, done=done))
            names = ", ".join(step.step.name for step in cannot)
            return self._end(ExitCode.MACHINE, f"This machine cannot have: {names}. Nothing was changed.")
        undecided = [(step, conflict) for step in checked.steps for conflict in step.conflicts]
        if undecided:
            for step, conflict in undecided:
                self.listen(Asked(step.step.name, conflict.why, conflict.choices))
            return self._end(ExitCode.CONFLICT, "Nobody has decided yet what to do. Nothing was changed.")
        if any(step.is_stale for step in checked.steps):
            return self._end(
                ExitCode.CONFLICT, "A file changed while it was read; start again. Nothing was changed."
            )
        if not is_dry and self._ask_risks(checked):
            return self._end(ExitCode.RISK, "A risk was not accepted. Nothing was changed.")
        return None

    def _ask_risks(self, checked: CheckedPlan) -> tuple[str, ...]:
        """Ask for each risk that nobody has accepted, and return their names."""
        open_risks = checked.open_risks(self.options.accepted_risks)
        for step, risk in open_risks:
            choices = (f"--accept-risk {risk.name}", f'accept_risk = ["{risk.name}"] under [firewall]')
            self.listen(Asked(step.step.name, f"{risk.name}: {risk.text}", choices))
        return tuple(dict.fromkeys(risk.name for _, risk in open_risks))

    # -- applying

    def _apply(self, checked: CheckedPlan, journal: Journal) -> Outcome:
        context = Context(
            self.host, load_state(self.host), self.redactor, self.options.decisions, journal=journal
        )
        if journal.is_begun and (record := read_run(self.host, journal.run)) is not None:
            recover(record, context)
        count = sum(bool(step.changes) for step in checked.steps)
        failed: dict[str, DexsetupError] = {}
        try:
            self._apply_steps(checked, context, count, failed)
            if not failed or self.options.keep_going:
                self._remember(checked, failed, context)
                if journal.is_begun:
                    journal.end("partial" if failed else "applied")
        except _StoppedError:
            report = self._undo_all(context)
            return self._end_undone(ExitCode.INTERRUPTED, "Stopped, as asked.", report)
        except MachineError as error:
            return self._without_records(error, context)
        except Exception:
            self._undo_all(context)
            raise
        if failed and not self.options.keep_going:
            return self._failed(failed, context)
        if failed:
            names = ", ".join(failed)
            remains = tuple(step.step.name for step in checked.steps if step.step.name not in failed)
            text = f"Not in place: {names}. The rest is."
            return self._end(ExitCode.REMAINS, text, run=journal.run, remains=remains)
        self._verify(checked, context)
        return self._finished(journal, checked.plan.address)

    def _apply_steps(
        self, checked: CheckedPlan, context: Context, count: int, failed: dict[str, DexsetupError]
    ) -> None:
        index = 0
        for item in checked.steps:
            step = item.step
            missing = [need for need in step.needs if need in failed]
            if item.unavailable or missing:
                why = f"it needs {', '.join(missing)}" if missing else item.unavailable[0].why
                failed[step.name] = MachineError(f"{step.name} was left out: {why}")
                self.listen(StepFailed(step.name, f"{step.name} was left out.", why=why))
                continue
            index += bool(item.changes)
            try:
                self._apply_step(item, context, (index, count))
                _save_state(context)
            except _StoppedError:
                raise
            except MachineError as error:
                failed[step.name] = error
                self._undo_step(step, error, context)
                if not self.options.keep_going:
                    return

    def _apply_step(self, item: CheckedStep, context: Context, place: tuple[int, int]) -> None:
        step = item.step
        context.step = step.name
        context.progress = lambda text: self.listen(Progress(step.name, self.redactor.text(text)))
        started = self.host.now()
        if item.changes:
            self.listen(StepStarted(step.name, step.title, *place))
        changes = 0
        for position, resource in enumerate(step.resources):
            if self.is_stop_wanted:
                raise _StoppedError("stopped")
            changes += self._apply_resource(resource, step, position, context)
        if changes:
            self._wait(step)
        if changes or item.changes:
            self.listen(StepDone(step.name, self.host.now() - started, changes))

    def _apply_resource(self, resource: Resource, step: StepPlan, position: int, context: Context) -> bool:
        """Bring one resource about. Return whether anything was changed."""
        result = handlers.check(resource, context)
        if isinstance(result, Stale):
            resource = self._replanned(step, position, result)
            result = handlers.check(resource, context)
        match result:
            case InSync():
                return False
            case Conflict(why, _, choices):
                raise HostError(why, advice=" or ".join(choices))
            case Unavailable(why, detail):
                raise HostError(why, why=detail)
            case Stale(path):
                raise HostError(f"{path} changes again and again while dexsetup wants to edit it.")
            case Change(summary):
                handlers.apply(resource, context)
        again = handlers.check(resource, context)
        if not isinstance(again, InSync):
            detail = getattr(again, "why", "") or "; ".join(getattr(again, "diff", ())[:4])
            raise HostError(f"{summary}: it was done, but a fresh look does not show it.", why=detail)
        self.listen(Changed(step.name, summary))
        return True

    def _replanned(self, step: StepPlan, position: int, stale: Stale) -> Resource:
        """Plan again, because a shared file changed since, and return the same resource of the new plan."""
        self.listen(Progress(step.name, f"{stale.path} changed meanwhile: planning again"))
        plan = self.make_plan()
        fresh = next((other for other in plan.steps if other.name == step.name), None)
        if fresh is None or position >= len(fresh.resources):
            raise HostError(f"{stale.path} changed while dexsetup worked, and the plan with it. Start again.")
        resource = fresh.resources[position]
        if describe(resource) != stale.path:
            raise HostError(f"{stale.path} changed while dexsetup worked, and the plan with it. Start again.")
        return resource

    def _wait(self, step: StepPlan) -> None:
        if not self.host.is_live:
            return
        for wanted in step.waits:
            grade, text = wait_for(wanted, self.host, self._progress(step), lambda: self.is_stop_wanted)
            if self.is_stop_wanted:
                raise _StoppedError("stopped")
            if grade is Grade.OK:
                continue
            if not isinstance(wanted, PeerEstablished):
                raise HostError(f"After {timeout_of(wanted):.0f} s it is still not so: {text}")
            self._timed_out.add(wanted)
            self.listen(Checked(step.name, grade, text))

    def _progress(self, step: StepPlan) -> Callable[[str], None]:
        return lambda text: self.listen(Progress(step.name, self.redactor.text(text)))

    def _remember(self, checked: CheckedPlan, failed: Mapping[str, DexsetupError], context: Context) -> None:
        """Note files that were found right; only as part of a run that changed something."""
        if not context.open_journal.is_begun:
            return
        for item in checked.steps:
            if item.step.name not in failed:
                for resource in item.step.resources:
                    handlers.remember_in_sync(resource, context)
        save_state(self.host, context.state)

    # -- when it goes wrong

    def _undo_step(self, step: StepPlan, error: MachineError, context: Context) -> None:
        """Take back what the failing step changed, and tell."""
        done = "Nothing was changed by it."
        journal = context.open_journal
        record = read_run(self.host, journal.run) if journal.is_begun else None
        if record is not None and any(change.step == step.name for change in record.changes):
            report = undo_changes(record, journal, context, lambda change: change.step == step.name)
            done = "What it changed was taken back."
            if report.kept:
                done = f"Taken back, except: {'; '.join(report.kept)}."
        text = self.redactor.text
        self.listen(StepFailed(step.name, text(error.what), text(error.why), done, text(error.advice)))

    def _undo_all(self, context: Context) -> UndoReport | None:
        journal = context.open_journal
        record = read_run(self.host, journal.run) if journal.is_begun else None
        if record is None:
            return None
        report = end_undone(journal, undo_changes(record, journal, context))
        for note in report.notes:
            self.listen(Checked("undo", Grade.NOTE, note))
        return report

    def _without_records(self, error: MachineError, context: Context) -> Outcome:
        """Take all back, because what was done cannot be written down: nobody could undo it later."""
        text = self.redactor.text
        self.listen(StepFailed("records", text(error.what), text(error.why), advice=text(error.advice)))
        return self._failed({"records": error}, context)

    def _failed(self, failed: Mapping[str, DexsetupError], context: Context) -> Outcome:
        report = self._undo_all(context)
        error = next(iter(failed.values()))
        code = ExitCode.MACHINE if error.exit_code is ExitCode.MACHINE else ExitCode.UNDONE
        return self._end_undone(code, f"{next(iter(failed))} failed.", report)

    def _end_undone(self, code: ExitCode, what: str, report: UndoReport | None) -> Outcome:
        if report is None:
            return self._end(code, f"{what} Nothing was changed.")
        if report.kept:
            text = f"{what} It was undone, except for what is named above."
            code = code if code is ExitCode.INTERRUPTED else ExitCode.REMAINS
            return self._end(code, text, run=self.run_name, remains=report.kept)
        return self._end(code, f"{what} Everything was undone.", run=self.run_name)

    # -- at the end

    def _verify(self, checked: CheckedPlan, context: Context) -> None:
        """Look end to end. What is not satisfied is said, and is no reason to take anything back."""
        if not self.host.is_live:
            return
        for item in checked.steps:
            for wanted in item.step.verifications:
                limit = 0.0 if wanted in self._timed_out or self.is_stop_wanted else None
                grade, text = wait_for(
                    wanted, self.host, self._progress(item.step), lambda: self.is_stop_wanted, timeout=limit
                )
                self.listen(Checked(item.step.name, grade, context.redactor.text(text)))
                if grade is not Grade.OK:
                    self._unsatisfied.append(text)

    def _finished(self, journal: Journal, address: str | None) -> Outcome:
        run = journal.run if journal.is_begun else ""
        if self._unsatisfied:
            text = (
                "In place, but not everything answers yet: see above."
                if run
                else "Nothing to do, but see above."
            )
            return self._end(ExitCode.UNSATISFIED, text, run=run, address=address)
        text = "Done: everything is in place." if run else "Nothing to do: everything is already in place."
        return self._end(ExitCode.OK, text, run=run, address=address)

    def _end(
        self,
        code: ExitCode,
        text: str,
        *,
        run: str = "",
        remains: tuple[str, ...] = (),
        address: str | None = None,
    ) -> Outcome:
        self.listen(RunDone(int(code), text, run, address, remains))
        return Outcome(code, run, remains)


def _save_state(context: Context) -> None:
    """Write what we remember, once the run has changed something."""
    if context.open_journal.is_begun:
        save_state(context.host, context.state)


def _interrupted(run: str, changes: int) -> DexsetupError:
    error = MachineError(
        f"An earlier run, {run}, was interrupted after {changes} changes.",
        done="Nothing was changed now.",
        advice="dexsetup undo (gives back what was there), or the same command with --resume (goes on)",
    )
    error.exit_code = ExitCode.REMAINS
    return error
