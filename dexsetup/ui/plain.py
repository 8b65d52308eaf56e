"""The wizard as numbered lines: the same questions from the same declarations, nothing drawn over.

For screen readers, for terminals that only print, and where the toolkit is not installed. Empty answers keep
what stands in brackets. Nothing is written before the word "apply" is typed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from getpass import getpass
from pathlib import Path
from typing import TextIO

from dexrouter.config import parse_peers
from dexsetup.answers.secrets import secrets_of
from dexsetup.card import card_text
from dexsetup.commands.session import Flags
from dexsetup.commands.signals import heard_signals
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.invitation import own_card
from dexsetup.pasted import why_no_peers
from dexsetup.plan.events import StepMark
from dexsetup.probe import Result
from dexsetup.report.console import Console, Style
from dexsetup.ui.defaults import best_peers, first_draft, has_gnu_mail, mail_obstacle
from dexsetup.ui.desk import Desk, Looked, Survey, command_line, save_draft
from dexsetup.ui.draft import Draft
from dexsetup.ui.lan import HEARD, LanEar, lan_words, neighbour_name
from dexsetup.ui.printable import clean
from dexsetup.ui.questions import Kind, Question, question_for, questions_of

__all__ = ["PlainWizard", "run_plain"]

_PROGRAMS = (
    ("mailrc", "s-nail"),
    ("pinerc", "alpine"),
    ("linphonerc", "linphone"),
    ("baresip", "baresip"),
)
_SECTIONS = ("node", "peer", "firewall", "mail", "phone", "user", "review")
_TITLES = {
    "node": "Identity",
    "peer": "Peers",
    "firewall": "Firewall",
    "mail": "Mail",
    "phone": "Phone",
    "user": "People",
    "review": "Review",
}
_HIDDEN = frozenset({"firewall.accept_risk", "node.lan_peering", "user.login"})
"""Asked elsewhere: risks in Review, neighbours among the peers, people by their account."""
_PUBLIC_SHOWN = 8


def run_plain(flags: Flags, *, answers: str = "", ask: str = "") -> ExitCode:
    """Ask everything, or one section, and apply."""
    wizard = PlainWizard(Desk(flags, answers=answers), sys.stdout, _ask, secret=_ask_secret)
    section = "peer" if ask == "peers" else ask
    try:
        return wizard.run((section, "review") if section and section != "review" else _SECTIONS)
    except EOFError:
        sys.stdout.write("\nThe input ended. Nothing was changed.\n")
        return ExitCode.INTERRUPTED


def _ask(prompt: str) -> str:
    return input(prompt)


def _ask_secret(prompt: str) -> str:
    return getpass(prompt) if sys.stdin.isatty() else input(prompt)


class PlainWizard:
    """One walk through the questions. `ask` prints a prompt and returns a line; EOFError ends it."""

    def __init__(
        self, desk: Desk, out: TextIO, ask: Callable[[str], str], *, secret: Callable[[str], str]
    ) -> None:
        self.desk = desk
        self._out = out
        self._ask = ask
        self._secret = secret
        self._console = Console(
            out, out, desk.session.redactor, Style(), clock=desk.host.now, shows_diffs=False
        )
        self.draft = Draft()
        self._cards_due: list[str] = []
        """Friends whose cards are to be printed when they may call."""
        self._told: set[str] = set()
        """Addresses of the neighbours on the local network that were named."""

    def say(self, text: str = "") -> None:
        """Print a line, without control characters and without secrets."""
        self._console.text(text)

    def run(self, sections: tuple[str, ...] = _SECTIONS) -> ExitCode:
        """Ask the sections in order; the last one is Review."""
        survey = self.desk.survey()
        self.draft = first_draft(survey)
        self._welcome(survey)
        if not survey.is_live or "peer" not in sections:
            return self._walk(sections, survey, None)
        ear = LanEar(self.desk, survey.address)
        ear.start()
        try:
            return self._walk(sections, survey, ear)
        finally:
            ear.stop()

    def _walk(self, sections: tuple[str, ...], survey: Survey, ear: LanEar | None) -> ExitCode:
        for number, section in enumerate(sections, 1):
            self.say()
            self.say(f"{number}/{len(sections)} {_TITLES[section]}")
            match section:
                case "peer":
                    self._peers(survey, ear)
                    self._callers(survey)
                case "user":
                    self._people(survey)
                case "review":
                    return self._review(survey)
                case _:
                    if section == "mail" and (obstacle := mail_obstacle(survey.facts)):
                        self.say(f"Note: {obstacle}")
                    self._section(section)
        return ExitCode.OK

    def _welcome(self, survey: Survey) -> None:
        self.say("dexsetup, line by line. Nothing is written before you say apply.")
        self.say("An empty line keeps what stands in brackets. Ctrl-D ends.")
        self.say(f"This machine: {survey.facts.os_name}, {survey.facts.hostname}")
        self.say(f"Address: {survey.address}{'' if survey.has_key else ' (drawn now, kept when you apply)'}")
        for problem in survey.problems:
            self.say(f"Problem: {problem}")

    # -- questions

    def _section(self, section: str) -> None:
        for question in questions_of(section):
            if f"{section}.{question.key}" not in _HIDDEN:
                self._question(question)

    def _question(self, question: Question) -> None:
        """Ask until the answer fits."""
        while True:
            self.say(f"{question.title} {question.hint}".rstrip())
            if question.options:
                self.say(f"  {', '.join(option.label for option in question.options)}")
            prompt = f"{question.section}.{question.key} [{self._present(question)}]: "
            typed = (self._secret if question.kind is Kind.SECRET else self._ask)(prompt).strip()
            if not typed:
                return
            self._take(question, typed)
            problem = self.draft.problem(question.section, question.key)
            if not problem:
                return
            self.draft.unfit.pop((question.section, question.key), None)
            self.say(f"Not taken: {problem}")

    def _take(self, question: Question, typed: str) -> None:
        if question.kind is Kind.TICK:
            self.draft.put(question.section, question.key, _yes(typed, typed))
            return
        for option in question.options:
            if typed.casefold() == option.label.casefold():
                self.draft.put(question.section, question.key, option.value)
                return
        self.draft.type_text(question.section, question.key, typed)

    def _present(self, question: Question) -> str:
        value = self.draft.value(question.section, question.key)
        match value:
            case None:
                return question.options[0].label if question.options else "left out"
            case bool():
                return "yes" if value else "no"
            case _:
                return str(value)

    # -- peers

    def _peers(self, survey: Survey, ear: LanEar | None) -> None:
        for peer in survey.configured:
            self.say(f"There already, and kept: {peer.peer_name or peer.public_key[:12]} {peer.address}")
        for answer in self.draft.answers.peer:
            self.say(f"Chosen: {answer.name or answer.public_key[:12]} {answer.address or ''}")
        results: dict[str, Result] = {}
        if survey.is_live:
            self.say("Asking the public peers whether they answer ...")
            entries = [peer.connect_to() for peer in survey.public.peers]
            self.desk.probe(
                entries, lambda result: results.__setitem__(result.peer.address, result), lambda: False
            )
        shown = best_peers(survey.public.peers, results, _PUBLIC_SHOWN)
        for public in shown:
            text = results[public.address].text
            self.say(f"{public.number:>3}  {public.peer_name}  {text}  {public.place}")
        if ear is not None:
            count = len(ear.neighbours)
            self._tell_neighbours(ear)
            self.say(lan_words(count, is_listening=ear.is_listening, deaf=ear.deaf))
        self._question(question_for("node", "lan_peering"))
        has_any = bool(survey.configured or self.draft.answers.peer)
        proposed = () if has_any else shown[:2]
        numbers = " ".join(str(peer.number) for peer in proposed) or "none"
        self.say("Numbers of public peers to call, - for none, or a file with what was sent to you.")
        while True:
            if ear is not None:
                self._tell_neighbours(ear)
            typed = self._ask(f"peers [{numbers}]: ").strip()
            problem = self._take_peers(typed or ("-" if numbers == "none" else numbers), survey)
            if not problem:
                return
            self.say(f"Not taken: {problem}")

    def _tell_neighbours(self, ear: LanEar) -> None:
        """Name those on the local network who were not named yet, and whether they answer."""
        fresh = [one for one in ear.neighbours if one.address not in self._told]
        entries = [entry for one in fresh if (entry := one.connect_to()) is not None]
        answers: dict[str, str] = {}
        if entries:
            self.desk.probe(
                entries, lambda found: answers.__setitem__(found.peer.address, found.text), lambda: False
            )
        for one in fresh:
            self._told.add(one.address)
            text = answers.get(one.address, HEARD)
            self.say(f"     {neighbour_name(one)}  {one.address}  {text}  {one.place}")

    def _take_peers(self, typed: str, survey: Survey) -> str:
        if typed == "-":
            return ""
        words = typed.replace(",", " ").split()
        if all(word.isdecimal() for word in words):
            found = [entry for word in words for entry in survey.public.find(word)]
            if len(found) < len(words):
                return "there is no public peer with one of these numbers"
            return "; ".join(self.draft.add_peers(peer.connect_to() for peer in found))
        try:
            is_text = "{" in typed or "://" in typed
            text = typed if is_text else Path(typed).expanduser().read_text("utf-8", "replace")
        except OSError as error:
            return f"{typed}: {error.strerror}"
        except (RuntimeError, ValueError) as error:  # ~nobody, a NUL
            return f"{typed}: {error}"
        pasted = parse_peers(text)
        for problem in pasted.problems:
            self.say(f"Entry {problem.index} ({problem.address}): {problem.why}")
        problems = self.draft.add_peers(pasted.peers)
        self.desk.session.redactor.learn(secrets_of(self.draft.answers))
        return "; ".join(problems) if pasted.peers else why_no_peers(text)

    def _callers(self, survey: Survey) -> None:
        for login in survey.callers:
            self.say(f"May call this node: {login}")
        self.say(
            "A friend who may call this node, by a name of your choice: the card is printed after apply."
        )
        while login := self._ask("friend [nobody new]: ").strip():
            place = self._ask(f"Where they reach this node [{survey.reachable or 'not known'}]: ").strip()
            problems = self.draft.let_call(login, place)
            if not problems:
                self._cards_due.append(login)
            for problem in problems.values():
                self.say(f"Not taken: {problem}")

    def _print_cards(self, survey: Survey) -> None:
        """Print the cards that were wished for: the one place for a password, so not through the console."""
        own = own_card(survey.address, self.draft.answers, survey.facts)
        for login in self._cards_due:
            friend = self.draft.caller(login)
            found = self.desk.invitation(own, friend) if friend is not None else None
            if found is not None:
                self._out.write(f"\nFor {clean(login)}, and nobody else:\n{card_text(found.card)}\n")
                self.say(found.note)

    # -- people

    def _people(self, survey: Survey) -> None:
        accounts = [account for account in survey.facts.accounts if account.uid != 0]
        if not accounts:
            self.say("There is no person's account here.")
        for account in accounts:
            user = self.draft.user(account.login)
            present = "yes" if user is not None else "no"
            typed = self._ask(f"Set up mail and phone for {account.login}? [{present}]: ").strip()
            is_on = _yes(typed, typed) if typed else user is not None
            self.draft.put_user(account.login, is_on is True)
            if is_on is not True:
                continue
            programs = [(file, f"{program} (~/.{file})") for file, program in _PROGRAMS]
            if has_gnu_mail(survey.facts) or self.draft.has_program(account.login, "mailutils"):
                programs.append(("mailutils", "GNU mail (~/.mailrc, too)"))
            for file, text in programs:
                present = "yes" if self.draft.has_program(account.login, file) else "no"
                typed = self._ask(f"  {text}? [{present}]: ").strip()
                if typed:
                    self.draft.put_program(account.login, file, _yes(typed, typed) is True)
            shown = (user.real_name if user is not None else None) or account.real_name
            name = self._ask(f"  Name that letters and calls show [{shown}]: ").strip()
            if name:
                self.draft.put_real_name(account.login, name)
        if self.draft.answers.user:
            self._contacts()

    def _contacts(self) -> None:
        """Ask for contacts until there are no more."""
        self.say("Whom shall their programs know? Short name, address, name: jo fc00:1:2::3 Jo Doe")
        while True:
            names = [contact.name for contact in self.draft.answers.contact if contact.state == "present"]
            typed = self._ask(f"contact [{', '.join(names) or 'none'}]: ").strip()
            if not typed:
                return
            if problem := self.draft.add_contact(typed):
                self.say(f"Not taken: {problem}")

    # -- review

    def _review(self, survey: Survey) -> ExitCode:
        while True:
            looked = self._look()
            if looked.plan is None:
                for problem in looked.problems:
                    self.say(f"Problem: {problem}")
                self.say("Nothing was changed.")
                return ExitCode.USAGE
            if not self._decide(looked):
                break
        while True:
            typed = self._ask("apply, diff, save FILE, or quit [quit]: ").strip()
            verb, _, rest = typed.partition(" ")
            match verb:
                case "apply":
                    return self._apply(survey)
                case "diff":
                    for line in _diffs(looked):
                        self.say(line)
                case "save":
                    self._save(rest.strip() or "dexsetup-answers.toml")
                case "quit" | "":
                    self.say("Nothing was changed.")
                    return ExitCode.OK
                case _:
                    self.say(f'"{verb}" is none of these.')

    def _look(self) -> Looked:
        looked = self.desk.look(self.draft)
        if looked.plan is not None:
            self._console(looked.plan)
        return looked

    def _decide(self, looked: Looked) -> bool:
        """Ask for what is open; return whether there has to be another look."""
        for found in looked.conflicts.values():
            for conflict in found:
                self.say(f"{conflict.why} ours: use ours, keep theirs beside it. theirs: keep theirs.")
                typed = ""
                while typed not in {"ours", "theirs"}:
                    typed = self._ask(f"{conflict.path}, ours or theirs: ").strip()
                self.draft.decisions[conflict.path] = "ours" if typed == "ours" else "theirs"
        if looked.conflicts:
            return True
        for step in looked.plan.steps if looked.plan is not None else ():
            for name, text in step.risks:
                if not self.draft.is_accepted(name):
                    self.say(f"Risk {name}: {text}")
                    self.draft.accept(name, _yes(self._ask("Understood and accepted? [no]: "), "") is True)
        return False

    def _save(self, path: str) -> str:
        try:
            saved = save_draft(self.draft, path)
        except AnswersError as error:
            self.say(error.what)
            return ""
        command = command_line(self.draft, saved, root=self.desk.flags.root)
        self.say(f"Saved. The same again: {command}")
        return command

    def _apply(self, survey: Survey) -> ExitCode:
        if not survey.facts.is_root:
            self.say("Apply needs root. The answers are saved; use the command that follows.")
            self._save("dexsetup-answers.toml")
            return ExitCode.MACHINE
        with heard_signals(self._stop):
            code = self.desk.apply(self.draft, self._console)
        self._print_cards(survey)
        return code

    def _stop(self) -> None:
        self.say("Stopping after the change that is under way ...")
        self.desk.request_stop()


def _yes(typed: str, otherwise: object) -> object:
    """Return what a person means by yes or no."""
    word = typed.strip().casefold()
    if word in {"y", "yes", "true", "1"}:
        return True
    return False if word in {"n", "no", "false", "0"} else otherwise


def _diffs(looked: Looked) -> Iterator[str]:
    steps = looked.plan.steps if looked.plan is not None else ()
    for step in steps:
        for change in step.changes:
            if step.mark is not StepMark.IN_SYNC:
                yield f"{step.name}: {change.summary}"
            yield from change.diff
