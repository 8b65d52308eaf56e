"""`dexsetup --answers FILE`, and every other command that changes something: one engine, one way to end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Answers
from dexsetup.answers.save import save_answers
from dexsetup.commands.session import Session, several
from dexsetup.exitcodes import ExitCode
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Checked, Grade
from dexsetup.plan.handlers.context import Decision
from dexsetup.plan.journal import utc
from dexsetup.report.log import RunLog

__all__ = ["apply_answers", "apply_file", "read_answers"]

_CONFIG = "/etc/cjdroute.conf"


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
        from dexsetup.errors import AnswersError  # noqa: PLC0415 - only this way out needs it

        raise AnswersError((f"{name}: cannot be read: {error.strerror}",)) from error


def apply_file(session: Session, name: str) -> ExitCode:
    """Apply an answers file."""
    content, shown = read_answers(name)
    loaded = load_answers(content, shown)
    for note in loaded.notes:
        session.console.note(note)
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
        if not session.host.read(_CONFIG) and answers.node is not None:
            text = "There is no key here yet: the address of a dry run is an example, a run draws its own."
            session.listen(Checked("identity", Grade.NOTE, text))
        return engine.dry_run().code
    with _stopped_by_signals(engine, session):
        return engine.run().code


def _decisions(session: Session) -> dict[str, Decision]:
    """Return what the command line decides about files that somebody edited."""
    ours: dict[str, Decision] = dict.fromkeys(session.flags.take_over, "ours")
    theirs: dict[str, Decision] = dict.fromkeys(session.flags.leave, "theirs")
    return ours | theirs


@contextmanager
def _stopped_by_signals(engine: Engine, session: Session) -> Iterator[None]:
    """Let SIGINT, SIGTERM and a closed terminal end the run where that is safe."""

    def stop(*_: object) -> None:
        session.console.note("Stopping after the change that is under way ...")
        engine.request_stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
