"""The work behind the screens: looking, probing, planning, applying. Runs in threads and touches no widget.

Each function takes what it needs and returns plain values, or tells a listener; nothing of the machine is
remembered here that a fresh look would not show. The engine, the steps and the host are those of the command
line (dexsetup/commands), so that a screen can do nothing that a file of answers cannot.
"""

from __future__ import annotations

import io
import os
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dexrouter.admin.access import Access
from dexrouter.config import ConnectTo, load_config
from dexsetup import public_peers
from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Allow, Answers
from dexsetup.answers.save import save_answers
from dexsetup.card import Card
from dexsetup.commands.look import is_set_up, present_config
from dexsetup.commands.session import Flags, Session, open_host, several
from dexsetup.errors import AnswersError, DexsetupError, HostError
from dexsetup.exitcodes import ExitCode
from dexsetup.facts import Facts
from dexsetup.host.base import Host
from dexsetup.invitation import Invitation, invite, reachable_address
from dexsetup.neighbours import Neighbour, listen
from dexsetup.plan.check import CheckedStep
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Checked, Event, Listener, PlanMade
from dexsetup.plan.journal import list_runs, new_run_name
from dexsetup.plan.model import ManagedFile, UnitActive
from dexsetup.plan.places import RUNS
from dexsetup.plan.results import Change, Conflict
from dexsetup.plan.undo import undo_run
from dexsetup.plan.verify import wait_for
from dexsetup.probe import Result, probe_peers
from dexsetup.public_peers import PublicPeers
from dexsetup.report.console import Console, Style
from dexsetup.report.log import RunLog
from dexsetup.steps.configuration import udp_ports
from dexsetup.steps.node import CONFIG, address_of
from dexsetup.ui.draft import Draft
from dexsetup.ui.pulse import Pulse, Watcher

__all__ = ["Desk", "Ear", "Looked", "Prober", "RunFact", "Survey", "command_line", "save_draft"]

Prober = Callable[..., tuple[Result, ...]]
Ear = Callable[..., tuple[str, ...]]


class _QuietSession(Session):
    """A session whose notes go to a list: a screen is no place for lines from elsewhere."""

    @cached_property
    def console(self) -> Console:
        """A console that writes to memory."""
        return Console(self.notes, self.notes, self.redactor, Style(), clock=self.host.now)

    @cached_property
    def notes(self) -> io.StringIO:
        """What was noted."""
        return io.StringIO()


@dataclass(frozen=True, slots=True)
class RunFact:
    """One run of dexsetup on this machine."""

    name: str
    time: str
    changes: int
    result: str
    is_undoable: bool


def _interrupted(runs: Iterable[RunFact]) -> RunFact | None:
    return next((run for run in reversed(tuple(runs)) if run.result == "interrupted"), None)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found when the wizard was opened."""

    facts: Facts
    is_live: bool
    is_set_up: bool
    address: str
    """The address that the node has, or will have when it is made."""
    has_key: bool
    """Whether the machine has that address already."""
    configured: tuple[ConnectTo, ...]
    """The peers of the present configuration."""
    callers: tuple[str, ...]
    """The logins with which others may call this node."""
    reachable: str
    """The address of this machine from which its router reaches furthest; empty if none is known."""
    udp_ports: tuple[int, ...]
    last: Answers | None
    begun: Answers | None
    """Those of the run that was interrupted."""
    given: Answers | None
    """Those of the file that was named on the command line."""
    problems: tuple[str, ...]
    """What is wrong with that file."""
    runs: tuple[RunFact, ...]
    public: PublicPeers
    notes: tuple[str, ...]

    @property
    def interrupted(self) -> RunFact | None:
        """The run that neither ended nor was undone."""
        return _interrupted(self.runs)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at the machine with a draft came to."""

    plan: PlanMade | None = None
    conflicts: dict[str, tuple[Conflict, ...]] = field(default_factory=dict)
    """By step."""
    validated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By step: what the programs that will read its files said of them."""
    problems: tuple[str, ...] = ()


class Desk:
    """One wizard's work. `host`, `prober` and `ear` can be given for tests."""

    def __init__(
        self,
        flags: Flags,
        *,
        host: Host | None = None,
        prober: Prober = probe_peers,
        ear: Ear = listen,
        answers: str = "",
    ) -> None:
        self.flags = flags
        self.prober = prober
        self.ear = ear
        self._host = host
        self._answers = answers
        self._engine: Engine | None = None
        self._watcher: Watcher | None = None
        self._idle = threading.Event()
        self._idle.set()

    @cached_property
    def session(self) -> Session:
        """The command line's session."""
        return _QuietSession(self.flags, self._host or open_host(self.flags.root))

    @property
    def host(self) -> Host:
        """The machine."""
        return self.session.host

    # -- looking

    def survey(self) -> Survey:
        """Look at everything that the first screen shows. Raises DexsetupError."""
        session = self.session
        session.__dict__.pop("facts", None)  # a look is a fresh one: a run may have changed the machine
        config = present_config(session)
        content = session.host.read(CONFIG) if config is not None else None
        given, problems = self._given()
        runs = self.runs()
        return Survey(
            facts=session.facts,
            is_live=session.host.is_live,
            is_set_up=is_set_up(session),
            address=address_of(content or session.draws.router_config),
            has_key=config is not None,
            configured=tuple(p for udp in config.udp_interfaces for p in udp.connect_to) if config else (),
            callers=tuple(one.user for one in config.authorized_passwords if one.user) if config else (),
            reachable=reachable_address(config or load_config(session.draws.router_config), self._uplink),
            udp_ports=udp_ports(config) if config else (),
            last=session.last_applied(),
            begun=self._begun(runs),
            given=given,
            problems=problems,
            runs=runs,
            public=public_peers.load(),
            notes=tuple(self._notes()),
        )

    @property
    def _uplink(self) -> tuple[str, ...]:
        return self.session.host.network.uplink_addresses()

    def invitation(self, own: Card, friend: Allow) -> Invitation | None:
        """Return the card for a friend, as the configuration is now; None if it does not let them in."""
        config = present_config(self.session)
        return invite(own, config, friend, self._uplink) if config is not None else None

    def _given(self) -> tuple[Answers | None, tuple[str, ...]]:
        if not self._answers:
            return None, ()
        try:
            content = Path(self._answers).read_bytes()
        except OSError as error:
            return None, (f"{self._answers}: cannot be read: {error.strerror}",)
        try:
            return load_answers(content, self._answers).answers, ()
        except AnswersError as error:
            return None, error.problems

    def _begun(self, runs: Iterable[RunFact]) -> Answers | None:
        """Return what an interrupted run was to bring about, as far as it can be read."""
        run = _interrupted(runs)
        content = self.host.read(f"{RUNS}/{run.name}/answers.toml") if run is not None else None
        try:
            return load_answers(content, "interrupted").answers if content is not None else None
        except AnswersError:
            return None

    def _notes(self) -> Iterable[str]:
        notes = getattr(self.session, "notes", None)
        return notes.getvalue().splitlines() if isinstance(notes, io.StringIO) else ()

    def configured(self) -> tuple[ConnectTo, ...]:
        """Return the peers of the configuration as it is now."""
        config = present_config(self.session)
        return tuple(p for udp in config.udp_interfaces for p in udp.connect_to) if config else ()

    def runs(self) -> tuple[RunFact, ...]:
        """Return the runs, oldest first; none where only root may see them."""
        try:
            known = list_runs(self.host)
        except HostError:
            return ()
        return tuple(
            RunFact(run.run, run.time, len(run.changes), run.result or "interrupted", run.is_undoable)
            for run in known
        )

    def probe(
        self, peers: Iterable[ConnectTo], report: Callable[[Result], None], is_stopped: Callable[[], bool]
    ) -> None:
        """Ask peers whether they answer."""
        self.prober(peers, report=report, is_stopped=is_stopped)

    def listen(
        self, own_address: str, report: Callable[[Neighbour], None], is_stopped: Callable[[], bool]
    ) -> tuple[str, ...]:
        """Tell each neighbour on the local network, until it is stopped; return why some cannot be heard."""
        return self.ear(report, is_stopped, own_address=own_address)

    def look(self, draft: Draft) -> Looked:
        """Plan a draft and compare it with the machine. Changes nothing."""
        heard: list[Event] = []
        try:
            checked = self._new_engine(draft, heard.append).look()
        except AnswersError as error:
            return Looked(problems=error.problems)
        except DexsetupError as error:
            said = (error.why,) if error.why else ()
            return Looked(problems=(error.what, *said, *((error.advice,) if error.advice else ())))
        plan = next(event for event in heard if isinstance(event, PlanMade))
        conflicts = {step.step.name: step.conflicts for step in checked.steps if step.conflicts}
        validated = {step.step.name: self._validated(step) for step in checked.steps}
        return Looked(plan, conflicts, {name: texts for name, texts in validated.items() if texts})

    def _validated(self, step: CheckedStep) -> tuple[str, ...]:
        """Name the programs that accepted a new file. One that is not installed yet has not been asked."""
        pairs = zip(step.step.resources, step.results, strict=False)
        return tuple(
            f"checked with: {shlex.join(part for part in file.validate if part != '{}')}: accepted"
            for file, result in pairs
            if isinstance(file, ManagedFile)
            and isinstance(result, Change)
            and file.validate
            and self.host.is_live
            and self.host.stat(file.validate[0]) is not None
        )

    # -- changing

    def apply(self, draft: Draft, listen: Listener, *, resume: bool = False) -> ExitCode:
        """Apply a draft. The listener hears all; raises DexsetupError where nothing could be begun."""
        engine = self._new_engine(draft, listen, resume=resume, is_logged=True)
        self._engine = engine
        with self._at_work():
            try:
                return engine.run().code
            finally:
                self._engine = None

    @property
    def is_applying(self) -> bool:
        """Whether a run is under way."""
        return self._engine is not None

    def request_stop(self) -> None:
        """End the run that is under way where that is safe."""
        if self._engine is not None:
            self._engine.request_stop()

    def undo(self, run: str | None, listen: Listener) -> ExitCode:
        """Give back what was there before a run (None: the last one)."""
        holder = f"undo, pid {os.getpid()}"
        with self._at_work():
            return undo_run(self.host, run, listen, self.session.redactor, holder=holder, keeps=(CONFIG,))

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    def finish(self) -> None:
        """End what is under way where that is safe, and wait for it: never leave a change half made."""
        self.request_stop()
        self._idle.wait()

    def verify(self, listen: Listener) -> ExitCode:
        """Check end to end what was applied last, telling each observation."""
        last = self.session.last_applied()
        if last is None:
            return ExitCode.MACHINE
        plan = self.session.planner(last, is_saved=False)()
        is_satisfied = True
        for step in plan.steps:
            for wanted in step.verifications:
                limit = 0.0 if isinstance(wanted, UnitActive) else 5.0
                grade, text = wait_for(wanted, self.host, lambda _: None, lambda: False, timeout=limit)
                is_satisfied = is_satisfied and grade == "ok"
                listen(Checked(step.name, grade, self.session.redactor.text(text)))
        return ExitCode.OK if is_satisfied else ExitCode.UNSATISFIED

    # -- Home

    def pulse(self) -> Pulse:
        """Look at the router and the mail queue once."""
        if not self.host.is_live:
            return Pulse("", False, (), (), "This is a directory, not a running machine.")
        if self._watcher is None:
            self._watcher = Watcher(self.host, self._access())
        return self._watcher.look()

    def forget_router(self) -> None:
        """Ask for the router's place and password anew: a run may have changed them."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _access(self) -> Access:
        config = present_config(self.session)
        if config is None:
            return Access()
        bind = config.admin.bind
        return Access(bind.host, bind.port, config.admin.password or "NONE", CONFIG)

    def _new_engine(
        self, draft: Draft, listen: Listener, *, resume: bool = False, is_logged: bool = False
    ) -> Engine:
        session = self.session
        make_plan = session.planner(draft.answers)
        name = new_run_name(session.host.wall_clock())
        listener = several(listen, RunLog(session.host, name, session.redactor)) if is_logged else listen
        return Engine(
            session.host,
            make_plan,
            listener,
            run=name,
            redactor=session.redactor,
            options=Options(
                accepted_risks=draft.all_accepted,
                decisions=dict(draft.decisions),
                is_root=session.facts.is_root,
                keep_going=is_logged,
                resume=resume,
                answers=save_answers(draft.answers).encode(),
            ),
        )


def command_line(draft: Draft, path: str, *, root: str = "") -> str:
    """Return the command that does from a saved file what the screens did."""
    words = ["sudo", "dexsetup", *(("--root", root) if root else ()), "--answers", path]
    words += [word for risk in sorted(draft.accepted) for word in ("--accept-risk", risk)]
    flags: dict[Any, str] = {"ours": "--take-over", "theirs": "--leave"}
    words += [word for file, decision in sorted(draft.decisions.items()) for word in (flags[decision], file)]
    return shlex.join(words)


def save_draft(draft: Draft, path: str) -> str:
    """Write the answers to a file that nobody else can read, from its first byte. Raises AnswersError."""
    try:
        target = Path(path).expanduser()
        fresh = target.with_name(f".{target.name}.dexsetup-new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(save_answers(draft.answers).encode())
        fresh.replace(target)
    except OSError as error:
        raise AnswersError((f"{path}: cannot be written: {error.strerror}",)) from error
    except (RuntimeError, ValueError) as error:  # ~nobody, no name of a file
        raise AnswersError((f"{path}: cannot be written: {error}",)) from error
    draft.saved = draft.answers
    return str(target)
