"""`dexsetup answers new | check | show | migrate | schema`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dexsetup.answers.against import problems_on
from dexsetup.answers.load import load_answers
from dexsetup.answers.origin import show_answers
from dexsetup.answers.sample import sample_answers
from dexsetup.answers.save import save_answers
from dexsetup.answers.schema import schema_text
from dexsetup.answers.secrets import secrets_of
from dexsetup.commands.apply import read_answers
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode

__all__ = ["check", "migrate", "new", "schema", "show"]


def new() -> ExitCode:
    """Print a commented sample."""
    sys.stdout.write(sample_answers())
    return ExitCode.OK


def schema() -> ExitCode:
    """Print the JSON Schema."""
    sys.stdout.write(schema_text())
    return ExitCode.OK


def check(session: Session, name: str) -> ExitCode:
    """Say every problem of a file, or that there is none."""
    content, shown = read_answers(name)
    loaded = load_answers(content, shown)
    if problems := problems_on(loaded.answers, session.facts):
        raise AnswersError(tuple(f"{shown}: {problem}" for problem in problems))
    for note in loaded.notes:
        session.console.note(note)
    session.console.text(f"{shown}: fine. Look what it would do with: dexsetup --answers {name} --dry-run")
    return ExitCode.OK


def show(session: Session, name: str | None) -> ExitCode:
    """Print each value with its origin."""
    answers = None
    if name is not None:
        content, shown = read_answers(name)
        answers = load_answers(content, shown).answers
        session.redactor.learn(secrets_of(answers))
    last = session.last_applied()
    if last is not None:
        session.redactor.learn(secrets_of(last))
    flags = {"firewall.accept_risk": session.flags.accepted_risks} if session.flags.accepted_risks else {}
    detected = _detected(session)
    for value in show_answers(answers, last, flags=flags, detected=detected):
        session.console.text(f"{value.name:<26} {value.value:<40} {value.origin}")
    return ExitCode.OK


def migrate(session: Session, name: str) -> ExitCode:
    """Write a file in the present schema; one that is in it already stays as it is."""
    content, shown = read_answers(name)
    loaded = load_answers(content, shown)
    if not loaded.notes:
        session.console.text(f"{shown}: is in the present schema already. Nothing was changed.")
        return ExitCode.OK
    path = Path(name)
    fresh = path.with_name(f".{path.name}.dexsetup-new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(save_answers(loaded.answers).encode())
    fresh.replace(path)
    for note in loaded.notes:
        session.console.text(note)
    return ExitCode.OK


def _detected(session: Session) -> dict[str, object]:
    """Return what the machine itself says about questions that were not answered."""
    router = session.facts.running_router
    found: dict[str, object] = {} if router == "none" else {"node.backend": router}
    config = present_config(session)
    if config is None:
        return found
    ports = sorted({interface.bind.port for interface in config.udp_interfaces} - {0})
    if ports:
        found["node.udp_port"] = ports[0]
    return found
