"""Identity, Mail, Phone: forms made from the declarations of their section."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from dexsetup.facts import Account
from dexsetup.ui.defaults import mail_obstacle
from dexsetup.ui.pages.base import clean_lines, hint, title, words
from dexsetup.ui.pages.form import FormPage
from dexsetup.ui.questions import question_for, questions_of
from dexsetup.ui.widgets.fields import TextField, Tick

__all__ = ["IdentityPage", "MailPage", "PhonePage"]

_MAIL_PROGRAMS = (("mailrc", "s-nail"), ("pinerc", "alpine"))


class IdentityPage(FormPage):
    """Key, port, neighbours."""

    step: ClassVar[str] = "Identity"
    planned: ClassVar[tuple[str, ...]] = ("identity", "router")
    help: ClassVar[str] = "This page decides key and port in /etc/cjdroute.conf, and which router runs."

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield words(self._address(), id="address")
        for question in questions_of("node"):
            yield from self.field(question)
        yield self.buttons()

    def renew(self) -> None:
        """Show the address that follows from the key."""
        self.query_one("#address", Static).update(self._address())

    def _address(self) -> str:
        wizard = self.wizard
        if not wizard.address:
            return "The address comes from the key."
        is_there = wizard.survey is not None and wizard.survey.has_key
        words_ = "Hand it out like a phone number." if is_there else "It is kept as soon as you apply."
        return f"{wizard.address}\nis this node's address: it follows from the key. {words_}"


class MailPage(FormPage):
    """The mail server, and who gets letters."""

    step: ClassVar[str] = "Mail"
    planned: ClassVar[tuple[str, ...]] = ("packages", "mail", "boot", "userfiles")
    help: ClassVar[str] = "This page decides over opensmtpd's configuration and people's .mailrc and .pinerc."

    def compose(self) -> ComposeResult:
        """Lay it out."""
        wizard = self.wizard
        facts = wizard.survey.facts if wizard.survey is not None else None
        if facts is not None and (obstacle := mail_obstacle(facts)):
            yield Static(clean_lines(f"[!] {obstacle}"), classes="warn gap", markup=False)
        is_wanted = wizard.draft.answers.mail is not None and wizard.draft.answers.mail.enable
        yield Tick(question_for("mail", "enable").title, is_wanted, name="mail.enable")
        yield title("")
        yield title("Who gets letters, and with which programs?")
        accounts = [] if facts is None else [one for one in facts.accounts if one.uid != 0]
        for account in accounts:
            yield from self._person(account)
        if not accounts:
            yield hint("There is no person's account here: letters are taken for postmaster alone.")
        yield title("")
        for key in ("relay", "on_conflict"):
            yield from self.field(question_for("mail", key))
        yield self.buttons()

    def _person(self, account: Account) -> ComposeResult:
        draft, login = self.wizard.draft, account.login
        user = draft.user(login)
        yield Tick(login, user is not None, name=f"person:{login}")
        for file, program in _MAIL_PROGRAMS:
            tick = Tick(
                f"{program} (~/.{file})", draft.has_program(login, file), name=f"program:{login}:{file}"
            )
            tick.add_class("indent")
            yield tick
        shown = user.real_name if user is not None and user.real_name is not None else account.real_name
        label = title("Name that letters and calls show:")
        label.add_class("indent")
        yield label
        field = TextField(shown, name=f"name:{login}")
        field.add_class("indent")
        yield field

    def on_tick_changed(self, event: Tick.Changed) -> None:
        """Take the tick of a person, or of a program of one; questions are taken by every form."""
        kind, *rest = (event.tick.name or "").split(":")
        draft = self.wizard.draft
        match kind, rest:
            case "person", [login]:
                draft.put_user(login, event.value)
                if not event.value:
                    self._untick(login)
            case "program", [login, file]:
                draft.put_program(login, file, event.value)
                self._tick_person(login)
            case _:
                return
        event.stop().prevent_default()
        self.wizard.draft_changed()

    def on_text_field_changed(self, event: TextField.Changed) -> None:
        """Take a name; it names the person as well."""
        kind, _, login = (event.field.name or "").partition(":")
        if kind != "name":
            return
        event.stop().prevent_default()
        self.wizard.draft.put_real_name(login, event.value)
        self._tick_person(login)
        self.wizard.draft_changed()

    def _tick_person(self, login: str) -> None:
        for tick in self.query(Tick):
            if tick.name == f"person:{login}":
                tick.value = self.wizard.draft.user(login) is not None
                tick.refresh()

    def _untick(self, login: str) -> None:
        for tick in self.query(Tick):
            if (tick.name or "").startswith(f"program:{login}:"):
                tick.value = False
                tick.refresh()


class PhonePage(FormPage):
    """Calls."""

    step: ClassVar[str] = "Phone"
    planned: ClassVar[tuple[str, ...]] = ("userfiles",)
    help: ClassVar[str] = "This page decides over people's .linphonerc."

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield from self.field(question_for("phone", "enable"))
        yield words(
            "A call goes from address to address: no server, no account. Linphone has to be installed by "
            "you; its settings are made here."
        )
        survey = self.wizard.survey
        if survey is not None and "linphone" not in survey.facts.programs:
            yield Static("[-] linphone is not installed here.", classes="warn gap", markup=False)
        yield title("Who makes calls?")
        accounts = [] if survey is None else [one for one in survey.facts.accounts if one.uid != 0]
        for account in accounts:
            is_on = self.wizard.draft.has_program(account.login, "linphonerc")
            yield Tick(f"{account.login} (~/.linphonerc)", is_on, name=f"program:{account.login}")
        if not accounts:
            yield hint("There is no person's account here.")
        yield title("")
        yield self.buttons()

    def on_tick_changed(self, event: Tick.Changed) -> None:
        """Set up the phone of a person, or leave it alone."""
        kind, _, login = (event.tick.name or "").partition(":")
        if kind != "program":
            return
        event.stop().prevent_default()
        self.wizard.draft.put_program(login, "linphonerc", event.value)
        self.wizard.draft_changed()
