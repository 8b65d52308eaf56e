"""`dexsetup contacts list | add | remove`: one section of the answers, through the same engine as all."""

from __future__ import annotations

import json
import sys

from dexsetup.answers.model import Answers, Contact
from dexsetup.commands.apply import apply_answers
from dexsetup.commands.session import Session
from dexsetup.contacts import contact_of
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode

__all__ = ["add", "list_known", "remove"]


def list_known(session: Session) -> ExitCode:
    """Print the contacts that were applied last."""
    contacts = _known(session)
    if session.flags.is_json:
        for contact in contacts:
            value = {
                "name": contact.name,
                "address": contact.address,
                "login": contact.login or contact.name,
                "real_name": contact.real_name,
            }
            sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    if not contacts:
        session.console.text("There are no contacts yet: dexsetup contacts add NAME fc..")
    for contact in contacts:
        login = contact.login or contact.name
        session.console.text(
            f"{contact.name:<16} {login:<16} {contact.address:<40} {contact.real_name or ''}"
        )
    return ExitCode.OK


def add(session: Session, name: str, address: str, *, login: str, real_name: str) -> ExitCode:
    """Let the programs of all users know somebody; who is known already is changed."""
    contact = contact_of(name, address, login=login, real_name=real_name)
    last = session.last_applied()
    if last is None or not last.user:
        raise AnswersError(
            ("nobody's mail or phone programs are set up here, so there is nowhere to put a contact",),
            advice="dexsetup, or [[user]] in the answers",
        )
    return apply_answers(session, Answers(schema=1, contact=(contact,)))


def remove(session: Session, name: str) -> ExitCode:
    """Let the programs of all users forget somebody."""
    found = next((one for one in _known(session) if one.name.lower() == name.lower()), None)
    if found is None:
        raise AnswersError((f'no contact here has the name "{name}"',), advice="dexsetup contacts list")
    return apply_answers(session, Answers(schema=1, contact=(Contact(name=found.name, state="absent"),)))


def _known(session: Session) -> tuple[Contact, ...]:
    last = session.last_applied()
    return last.contact if last is not None else ()
