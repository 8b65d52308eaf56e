"""`dexsetup card`: this node's card for friends, or a friend's card in words."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from pydantic import ValidationError

from dexsetup.answers.load import explain
from dexsetup.answers.model import Allow, Answers
from dexsetup.answers.sense import allow_problems
from dexsetup.card import Card, card_link, card_text, read_card
from dexsetup.commands.apply import apply_answers, read_standard_input
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.errors import AnswersError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.invitation import invite, own_card
from dexsetup.steps.node import CONFIG, address_of

__all__ = ["card", "card_for"]


def card(session: Session, link: str | None) -> ExitCode:
    """Print the card; the password of a friend's peer stays in the link."""
    shown = _own_card(session) if link is None else read_card(read_standard_input() if link == "-" else link)
    if session.flags.is_json:
        value = {"address": shown.address, "name": shown.name, "mail": shown.mail, "sip": shown.sip}
        value["link"] = card_link(shown) if shown.peer is None else ""
        value["peer"] = shown.peer.address if shown.peer is not None else ""
        sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    if shown.peer is not None:
        session.console.text(card_text(replace(shown, peer=None)))
        session.console.text(
            f"To call that node: dexsetup peers add LINK   (its peer is {shown.peer.address})"
        )
        return ExitCode.OK
    session.console.text(card_text(shown))
    return ExitCode.OK


def card_for(session: Session, friend: str, place: str) -> ExitCode:
    """Let a friend call this node, and print the card that is theirs, its password in the link.

    A friend who may call already keeps the password: then this prints the same card again.
    """
    given = {"login": friend, **({"address": place} if place else {})}
    try:
        wanted = Allow.model_validate(given)
    except ValidationError as error:
        raise AnswersError(tuple(f"--for: {text}" for text in explain(error, "allow"))) from error
    if problems := tuple(f"--at: {sentence}" for _, sentence in allow_problems(wanted)):
        raise AnswersError(problems)
    code = apply_answers(session, Answers(schema=1, allow=(wanted,)))
    if session.flags.is_dry or code not in {ExitCode.OK, ExitCode.UNSATISFIED}:
        return code
    last, config = session.last_applied(), present_config(session)
    kept = next((one for one in last.allow if one.login == friend), wanted) if last is not None else wanted
    uplink = session.host.network.uplink_addresses()
    found = invite(_own_card(session), config, kept, uplink) if config is not None else None
    if found is None:
        raise MachineError("The card cannot be shown: the configuration has changed meanwhile.")
    # Not through the console, which would mask the password: this is the one place where it is wanted.
    if session.flags.is_json:
        value = {"card": card_link(found.card), "for": friend, "note": found.note}
        sys.stdout.write(json.dumps(value) + "\n")
        return code
    sys.stdout.write(f"\nFor {friend}, and nobody else:\n{card_text(found.card)}\n")
    session.console.note(found.note or "Who has it adds it with: dexsetup peers add LINK")
    return code


def _own_card(session: Session) -> Card:
    """Return the card of this node, with the first person who gets letters here."""
    content = session.host.read(CONFIG)
    if present_config(session) is None or not content:
        raise MachineError("There is no node here yet, so there is no card.", advice="dexsetup")
    return own_card(address_of(content), session.last_applied(), session.facts)
