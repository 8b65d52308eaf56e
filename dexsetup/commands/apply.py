"""`dexsetup --answers FILE`, and every other command that changes something: one engine, one way to end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Answers
from dexsetup.answers.save import save_answers
from dexsetup.commands.session import Session, several
from dexsetup.commands.signals import heard_signals
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Checked, Grade
from dexsetup.plan.handlers.context import Decision
from dexsetup.plan.journal import utc
from dexsetup.report.log import RunLog
from dexsetup.steps.node import CONFIG

__all__ = ["apply_answers", "apply_file", "read_answers", "read_standard_input"]


def read_answers(name: str) -> tuple[bytes | None, str]:
    """Return the content of an answers file and its name for messages; - is standard input."""
    if name == "-":
        return sys.stdin.buffer.read(), "standard input"
    path = Path(name)
    try:
        return path.read_bytes(), name
    except FileNotFoundError:
        return None, name
    except OSError as error:
        raise AnswersError((f"{name}: cannot be read: {error.strerror}",)) from error


def read_standard_input() -> str:
    """Return what comes by standard input, as UTF-8 whatever the locale. Raises AnswersError."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise AnswersError(("standard input: not UTF-8 text",)) from error


def apply_file(session: Session, name: str) -> ExitCode:
    """Apply an answers file."""
    content, shown = read_answers(name)
    loaded = load_answers(content, shown)
    for note in loaded.notes:
        session.console.note(note)
    session.place_of = loaded.place_of
    return apply_answers(session, loaded.answers)


def apply_answers(session: Session, answers: Answers) -> ExitCode:
    """Plan, check, apply and verify answers; with --dry-run only the first two."""
    flags = session.flags
    make_plan = session.planner(answers)
    accepted = set(flags.accepted_risks)
    if answers.firewall is not None:
        accepted |= set(answers.firewall.accept_risk)
    log = RunLog(session.host, session.run_name, session.redactor)
    engine = Engine(
        session.host,
        make_plan,
        session.listen if flags.is_dry else several(session.listen, log),
        run=session.run_name,
        redactor=session.redactor,
        options=Options(
            accepted_risks=frozenset(accepted),
            decisions=_decisions(session),
            is_root=session.facts.is_root,
            keep_going=flags.keep_going,
            resume=flags.resume,
            answers=save_answers(answers).encode(),
            holder=f"process {os.getpid()}, since {utc(session.host.wall_clock())}",
        ),
    )
    if flags.is_dry:
        if not session.host.read(CONFIG) and answers.node is not None:
            text = "There is no key here yet: the address of a dry run is an example, a run draws its own."
            session.listen(Checked("identity", Grade.NOTE, text))
        return engine.dry_run().code

    def stop() -> None:
        session.console.note("Stopping after the change that is under way ...")
        engine.request_stop()

    with heard_signals(stop):
        return engine.run().code


def _decisions(session: Session) -> dict[str, Decision]:
    """Return what the command line decides about files that somebody edited."""
    ours: dict[str, Decision] = dict.fromkeys(session.flags.take_over, "ours")
    theirs: dict[str, Decision] = dict.fromkeys(session.flags.leave, "theirs")
    return ours | theirs
