"""What all commands share: the host, the listeners, the facts, and a plan made from answers.

This is the edge: the environment, the entropy and the clock of the process are taken here and handed down.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from dexsetup.answers.against import problems_on
from dexsetup.answers.load import load_answers
from dexsetup.answers.merge import merge_answers, with_known_contacts
from dexsetup.answers.model import Answers
from dexsetup.answers.save import save_answers
from dexsetup.answers.secrets import resolve_secrets, secrets_of
from dexsetup.detect import detect
from dexsetup.errors import AnswersError, HostError, MachineError
from dexsetup.facts import Facts
from dexsetup.host.base import Host
from dexsetup.plan.build import build_plan, read_files
from dexsetup.plan.events import Event, Listener
from dexsetup.plan.journal import new_run_name
from dexsetup.plan.model import Directory, ManagedFile, Plan, StepPlan
from dexsetup.plan.places import ANSWERS, ANSWERS_DIRECTORY
from dexsetup.render.environment import Renderer
from dexsetup.report.console import Console, style_for
from dexsetup.report.jsonl import JsonLines
from dexsetup.report.redact import Redactor
from dexsetup.steps import all_steps
from dexsetup.steps.base import Draws, Inputs, Step
from dexsetup.steps.node import CONFIG, wanted_node

__all__ = ["Flags", "Session", "answers_step", "open_host", "several"]


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about how to work."""

    root: str = ""
    is_json: bool = False
    is_dry: bool = False
    keep_going: bool = False
    resume: bool = False
    accepted_risks: tuple[str, ...] = ()
    take_over: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


def open_host(root: str) -> Host:
    """Return the machine, or the directory that stands for one."""
    if root:
        from dexsetup.host.rooted import RootedHost  # noqa: PLC0415 - one of the two is used

        place = Path(root).resolve()
        if not place.is_dir():
            raise AnswersError((f"--root {root}: there is no such directory",))
        return RootedHost(str(place))
    from dexsetup.host.real import RealHost  # noqa: PLC0415 - as above

    return RealHost()


def several(*listeners: Listener) -> Listener:
    """Return a listener that hands on to all."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


@dataclass
class Session:
    """One command's view of the machine."""

    flags: Flags
    host: Host
    redactor: Redactor = field(default_factory=Redactor)
    place_of: Callable[[Sequence[str | int]], str] = field(default=lambda _: "")
    """Where a path of the answers stands: file and line, for messages. Empty where no file was read."""
    _noted: set[str] = field(default_factory=set)
    """What was said of the answers that were applied last: it is said once."""

    @cached_property
    def console(self) -> Console:
        """The person's view. With --json all of it is narration: standard output is the events'."""
        narration = sys.stderr
        out = narration if self.flags.is_json else sys.stdout
        style = style_for(narration, os.environ)
        return Console(
            out, narration, self.redactor, style, clock=self.host.now, shows_diffs=self.flags.is_dry
        )

    @cached_property
    def listen(self) -> Listener:
        """Where events go: to the person, or as JSON lines to standard output."""
        if self.flags.is_json:
            return JsonLines(sys.stdout, self.redactor, self.host.wall_clock)
        return self.console

    @cached_property
    def run_name(self) -> str:
        """The name of this run, should it change something."""
        return new_run_name(self.host.wall_clock())

    @cached_property
    def facts(self) -> Facts:
        """The machine as it was found."""
        return detect(self.host)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps."""
        return all_steps()

    def need_root(self, command: str) -> None:
        """Raise MachineError where somebody without rights would be told that there is nothing."""
        if not self.host.is_live or self.facts.is_root:
            return
        if any(self.host.stat(path) is not None for path in (ANSWERS, CONFIG)):
            raise MachineError(
                "The key, the peers and what was applied are for root alone to read.",
                done="Nothing was changed.",
                advice=f"sudo dexsetup {command}",
            )

    def last_applied(self) -> Answers | None:
        """Return the answers that were applied last; None if there are none, or they cannot be read."""
        try:
            content = self.host.read(ANSWERS)
            return None if content is None else load_answers(content, ANSWERS).answers
        except (HostError, AnswersError) as error:
            note = f"{ANSWERS} is not taken into account: {error.what}"
            if note not in self._noted:
                self._noted.add(note)
                self.console.note(note)
            return None

    def planner(self, answers: Answers, *, is_saved: bool = True) -> Callable[[], Plan]:
        """Return the function that plans these answers on the machine as it is when it is called.

        That is so for what was applied last, too: another run may apply something until this one has the
        lock. Raises AnswersError for answers that this machine cannot fit. What chance decides is drawn once,
        so that planning again gives the same key.
        """
        if problems := problems_on(answers, self.facts):
            raise AnswersError(problems)
        draws = self.draws
        renderer = self._renderer()
        facts = self._with_program_tree(self._completed(answers, self.last_applied()))

        def make_plan() -> Plan:
            last = self.last_applied()
            completed = self._completed(answers, last)
            filled = read_files(self.host, completed, facts, self.steps)
            inputs = Inputs(answers=completed, facts=filled, draws=draws, renderer=renderer)
            plan = build_plan(inputs, self.steps)
            if not is_saved:
                return plan
            return replace(plan, steps=(*plan.steps, answers_step(merge_answers(last, answers), self.host)))

        return make_plan

    def _completed(self, answers: Answers, last: Answers | None) -> Answers:
        """Return the answers with the secrets that they refer to, and what they need of the last ones."""
        self.redactor.learn(secrets_of(answers))
        logins = {account.login for account in self.facts.accounts}
        known = with_known_contacts(last, answers, logins)
        completed = resolve_secrets(known, self.host, os.environ, self.place_of)
        self.redactor.learn(secrets_of(completed))
        return completed

    @cached_property
    def draws(self) -> Draws:
        """What chance decides: drawn once, so that answers that change on the way keep the key."""
        from dexrouter.config import genconf  # noqa: PLC0415 - only planning needs it

        return Draws(router_config=genconf(os.urandom).encode(), secret=os.urandom(32))

    def _renderer(self) -> Renderer:
        from dexsetup.render.jinja import JinjaRenderer  # noqa: PLC0415 - only planning needs jinja2

        return JinjaRenderer()

    def _with_program_tree(self, answers: Answers) -> Facts:
        """Gather the programs that services run from, where a router of ours or mail is wanted."""
        filled = read_files(self.host, answers, self.facts, self.steps)
        node = wanted_node(answers, filled)
        is_mail_wanted = answers.mail is not None and answers.mail.enable
        if (node is None or node.backend != "embedded") and not is_mail_wanted:
            return self.facts
        from dexsetup.program_tree import STAGING, prepare  # noqa: PLC0415 - only a router needs it

        staging = STAGING if os.geteuid() == 0 else Path(tempfile.gettempdir()) / f"dexsetup-{os.getuid()}"
        return replace(self.facts, program_tree=str(prepare(staging)))


def answers_step(answers: Answers, host: Host) -> StepPlan:
    """Return the last step of every plan: what was applied is remembered. A file that says the same stays."""
    content = save_answers(answers).encode()
    present = host.read(ANSWERS) if _is_readable(host) else None
    if present is not None:
        try:
            if load_answers(present, ANSWERS).answers == answers:
                content = present
        except AnswersError:
            pass  # what cannot be understood is replaced, and kept for undo
    return StepPlan(
        name="answers",
        title="Remember these answers",
        resources=(
            Directory(ANSWERS_DIRECTORY),
            ManagedFile(ANSWERS, content, 0o600, secret=True, on_conflict="ours"),
        ),
    )


def _is_readable(host: Host) -> bool:
    try:
        host.read(ANSWERS)
    except HostError:
        return False
    return True
