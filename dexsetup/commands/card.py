"""`dexsetup card`: this node's card for friends, or a friend's card in words."""

from __future__ import annotations

import json
import sys

from dexsetup.card import Card, card_link, card_text, read_card
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.errors import MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.steps.node import CONFIG, address_of

__all__ = ["card", "own_card"]


def card(session: Session, link: str | None) -> ExitCode:
    """Print the card; the password of a friend's peer stays in the link."""
    shown = own_card(session) if link is None else read_card(sys.stdin.read() if link == "-" else link)
    if session.flags.is_json:
        value = {"address": shown.address, "name": shown.name, "mail": shown.mail, "sip": shown.sip}
        value["link"] = card_link(shown) if shown.peer is None else ""
        value["peer"] = shown.peer.address if shown.peer is not None else ""
        sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    if shown.peer is not None:
        session.console.text(card_text(Card(shown.address, shown.name, shown.login)))
        session.console.text(
            f"To call that node: dexsetup peers add LINK   (its peer is {shown.peer.address})"
        )
        return ExitCode.OK
    session.console.text(card_text(shown))
    return ExitCode.OK


def own_card(session: Session) -> Card:
    """Return the card of this node, with the first person who gets letters here."""
    content = session.host.read(CONFIG)
    if present_config(session) is None or not content:
        raise MachineError("There is no node here yet, so there is no card.", advice="dexsetup")
    last = session.last_applied()
    user = last.user[0] if last is not None and last.user else None
    if user is None:
        return Card(address_of(content), session.facts.hostname)
    account = session.facts.account(user.login)
    name = user.real_name if user.real_name is not None else account.real_name if account else ""
    return Card(address_of(content), name, user.login)
