"""The answers while they are edited: what the screens change, and all that is saved, planned and applied.

What was typed and does not fit is kept beside the answers with the reason, so that no screen loses it; as
long as there is any, there is no plan. Decisions on files that somebody edited by hand, and risks where there
is no firewall section to hold them, are what the command line calls --take-over, --leave and --accept-risk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from dexrouter.config import ConnectTo
from dexsetup.answers.load import explain
from dexsetup.answers.model import Allow, Answers, Contact, Firewall, Peer, User
from dexsetup.answers.sense import allow_problems, peer_problems
from dexsetup.contacts import read_contact
from dexsetup.errors import AnswersError
from dexsetup.plan.handlers.context import Decision
from dexsetup.ui.questions import SECTIONS, Kind, question_for

__all__ = ["Draft", "Unfit"]

Program = str
_PROGRAM_ORDER = ("mailrc", "mailutils", "pinerc", "linphonerc", "baresip")


@dataclass(frozen=True, slots=True)
class Unfit:
    """A text that was typed and cannot be the answer, and why."""

    text: str
    why: str


@dataclass
class Draft:
    """One set of answers under edit."""

    answers: Answers = field(default_factory=lambda: Answers(schema=1))
    unfit: dict[tuple[str, ...], Unfit] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    problems: tuple[str, ...] = ()
    """What was wrong with the file that these answers came from."""
    is_peers_chosen: bool = False
    """Whether a person chose peers: then nothing is ticked for them."""
    saved: Answers | None = None

    @property
    def is_unsaved(self) -> bool:
        """Whether there is something that no file and no machine has."""
        return self.answers != self.saved or bool(self.unfit)

    # -- one question

    def value(self, section: str, key: str) -> Any:
        """Return the answer that holds, the default if there is none. A section that is absent is not on."""
        table = getattr(self.answers, section)
        if table is None and key == "enable":
            return False
        return SECTIONS[section].model_fields[key].default if table is None else getattr(table, key)

    def text(self, section: str, key: str) -> str:
        """Return what a text field shows: what was typed last, fit or not."""
        if unfit := self.unfit.get((section, key)):
            return unfit.text
        value = self.value(section, key)
        return "" if value is None else str(value)

    def problem(self, section: str, key: str) -> str:
        """Return why what was typed last is not the answer; empty if it is."""
        unfit = self.unfit.get((section, key))
        return unfit.why if unfit else ""

    def type_text(self, section: str, key: str, text: str) -> None:
        """Take what was typed into a text field."""
        question = question_for(section, key)
        if not text.strip() and not question.is_required:
            self.put(section, key, None)
            return
        if question.kind is not Kind.NUMBER:
            self._try(section, key, text, text)
        elif text.strip().isascii() and text.strip().isdecimal():
            self._try(section, key, int(text), text)
        else:
            self.unfit[section, key] = Unfit(text, "must be a whole number")

    def put(self, section: str, key: str, value: Any) -> None:
        """Take an answer; None leaves the question out."""
        self._try(section, key, value, "" if value is None else str(value))

    def _try(self, section: str, key: str, value: Any, text: str) -> None:
        table = getattr(self.answers, section)
        given = {} if table is None else {name: getattr(table, name) for name in table.model_fields_set}
        given.pop(key, None)
        if value is not None:
            given[key] = value
        try:
            changed = SECTIONS[section].model_validate(given)
        except ValidationError as error:
            self.unfit[section, key] = Unfit(text, "; ".join(explain(error, section)))
            return
        self.unfit.pop((section, key), None)
        self._update(section, changed)

    def _update(self, section: str, value: Any) -> None:
        self.answers = self.answers.model_copy(update={section: value})

    # -- peers

    def add_peers(self, peers: Iterable[ConnectTo]) -> tuple[str, ...]:
        """Add peers, or replace those with the same key; return what is wrong with those that were not."""
        problems = []
        known = {peer.public_key: peer for peer in self.answers.peer}
        for entry in peers:
            peer = _answer(entry)
            wrong = [f"{entry.address}: {key} {text}" for key, text in peer_problems(peer)]
            if wrong:
                problems += wrong
            else:
                known[peer.public_key] = peer
        self._update("peer", tuple(known.values()))
        return tuple(problems)

    def drop_peer(self, public_key: str, *, is_present: bool) -> None:
        """Take a peer out. One that is on the machine is asked to be absent: only that removes it."""
        rest = tuple(peer for peer in self.answers.peer if peer.public_key != public_key)
        if is_present:
            rest = (*rest, Peer(public_key=public_key, state="absent"))
        self._update("peer", rest)

    def keep_peer(self, public_key: str) -> None:
        """Let a peer that was to be removed stay as it is."""
        rest = (
            peer for peer in self.answers.peer if peer.public_key != public_key or peer.state == "present"
        )
        self._update("peer", tuple(rest))

    def peer(self, public_key: str) -> Peer | None:
        """Return the answer about a peer."""
        return next((peer for peer in self.answers.peer if peer.public_key == public_key), None)

    # -- who may call

    def let_call(self, login: str, address: str) -> dict[str, str]:
        """Let somebody call this node; return by key what is wrong, and then nothing is taken."""
        given = {"login": login, **({"address": address} if address else {})}
        try:
            wanted = Allow.model_validate(given)
        except ValidationError as error:
            return {"login": "; ".join(explain(error, "allow"))}
        if problems := dict(allow_problems(wanted)):
            return problems
        known = self.caller(login)
        if known is not None and known.state == "present" and (not address or known.address == address):
            return {}
        rest = tuple(one for one in self.answers.allow if one.login != login)
        self._update("allow", (*rest, wanted))
        return {}

    def send_away(self, login: str, *, is_present: bool) -> None:
        """Let somebody call no longer, or, if that was the wish already, go on calling."""
        known = self.caller(login)
        rest = tuple(one for one in self.answers.allow if one.login != login)
        if is_present and (known is None or known.state == "present"):
            rest = (*rest, Allow.model_construct(login=login, state="absent"))
        self._update("allow", rest)

    def caller(self, login: str) -> Allow | None:
        """Return the answer about somebody who may call."""
        return next((one for one in self.answers.allow if one.login == login), None)

    # -- people

    def user(self, login: str) -> User | None:
        """Return the answers about a person."""
        return next((user for user in self.answers.user if user.login == login), None)

    def has_program(self, login: str, program: Program) -> bool:
        """Whether that program of that person is set up."""
        user = self.user(login)
        return user is not None and program in user.files

    def put_program(self, login: str, program: Program, is_on: bool) -> None:
        """Set up a program of a person, or leave it alone."""
        user = self.user(login)
        files = set(user.files if user is not None else ()) | {program}
        if not is_on:
            files.discard(program)
        ordered = tuple(name for name in _PROGRAM_ORDER if name in files)
        self._put_user(login, {"files": ordered})

    def put_user(self, login: str, is_on: bool) -> None:
        """Name a person, or leave one alone."""
        if is_on:
            self._put_user(login, {})
        else:
            self._update("user", tuple(user for user in self.answers.user if user.login != login))

    def put_real_name(self, login: str, text: str) -> None:
        """Take the name that letters and calls show; empty: the account's own."""
        self._put_user(login, {"real_name": text or None})

    def _put_user(self, login: str, changes: dict[str, Any]) -> None:
        present = self.user(login)
        given: dict[str, Any] = {"login": login}
        if present is not None:
            given = {name: getattr(present, name) for name in present.model_fields_set}
        merged = {name: value for name, value in {**given, **changes}.items() if value is not None}
        user = User.model_validate(merged)
        others = [user if known.login == login else known for known in self.answers.user]
        if present is None:
            others.append(user)
        self._update("user", tuple(others))

    # -- contacts

    def add_contact(self, text: str) -> str:
        """Take a contact from one line, or change the one of that name; return what is wrong with it."""
        try:
            contact = read_contact(text)
        except AnswersError as error:
            return "; ".join(error.problems)
        self._put_contact(contact)
        return ""

    def keep_contact(self, name: str, is_kept: bool, *, is_present: bool) -> None:
        """Let a contact stay, or go. One that is in the address books is asked to be absent."""
        known = next(contact for contact in self.answers.contact if contact.name == name)
        if not is_kept and not is_present:
            rest = tuple(contact for contact in self.answers.contact if contact.name != name)
            self._update("contact", rest)
            return
        given = {key: getattr(known, key) for key in known.model_fields_set}
        given["state"] = "present" if is_kept else "absent"
        self._put_contact(Contact.model_validate(given))

    def _put_contact(self, contact: Contact) -> None:
        known = self.answers.contact
        others = [contact if one.name.lower() == contact.name.lower() else one for one in known]
        self._update("contact", tuple(others if contact in others else (*others, contact)))

    # -- what a plan asks

    def is_accepted(self, risk: str) -> bool:
        """Whether a risk was accepted."""
        firewall = self.answers.firewall
        return risk in self.accepted or (firewall is not None and risk in firewall.accept_risk)

    def accept(self, risk: str, is_on: bool) -> None:
        """Accept a risk, or no longer."""
        firewall = self.answers.firewall
        if firewall is None:
            (self.accepted.add if is_on else self.accepted.discard)(risk)
            return
        kept = tuple(name for name in firewall.accept_risk if name != risk)
        risks = (*kept, risk) if is_on else kept
        given = {name: getattr(firewall, name) for name in firewall.model_fields_set}
        self._update("firewall", Firewall.model_validate({**given, "accept_risk": risks}))

    @property
    def all_accepted(self) -> frozenset[str]:
        """Every risk that was accepted."""
        firewall = self.answers.firewall
        return frozenset(self.accepted) | frozenset(firewall.accept_risk if firewall is not None else ())


def _answer(entry: ConnectTo) -> Peer:
    given = {
        "public_key": entry.public_key,
        "address": entry.address,
        "password": entry.password,
        "login": entry.login,
        "name": entry.peer_name,
    }
    return Peer.model_validate({key: value for key, value in given.items() if value})
