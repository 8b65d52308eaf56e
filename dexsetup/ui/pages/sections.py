"""Identity, Mail, Phone: forms made from the declarations of their section."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from dexsetup.facts import Account
from dexsetup.ui.defaults import has_gnu_mail, mail_obstacle
from dexsetup.ui.pages.base import clean_lines, hint, title, words
from dexsetup.ui.pages.form import FormPage
from dexsetup.ui.questions import question_for, questions_of
from dexsetup.ui.widgets.fields import Push, TextField, Tick

__all__ = ["IdentityPage", "MailPage", "PhonePage"]

_MAIL_PROGRAMS = (("mailrc", "s-nail"), ("pinerc", "alpine"))
_PHONE_PROGRAMS = (("linphonerc", "linphone"), ("baresip", "baresip"))


class IdentityPage(FormPage):
    """Key, port, neighbours."""

    step: ClassVar[str] = "Identity"
    planned: ClassVar[tuple[str, ...]] = ("identity", "router")
    help: ClassVar[str] = "This page decides key and port in /etc/cjdroute.conf, and which router runs."

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield words(self._address(), id="address")
        for question in questions_of("node"):
            if question.key != "lan_peering":  # asked among the peers
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
        return f"{wizard.address} is this node's address: it follows from the key. {words_}"


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

    def renew(self) -> None:
        """Say below a name why no file can carry it."""
        looked = self.wizard.planning.looked
        problems = looked.problems if looked is not None else ()
        for number, user in enumerate(self.wizard.draft.answers.user, 1):
            path = f"user[{number}].real_name: "
            said = next((text.removeprefix(path) for text in problems if text.startswith(path)), "")
            for field in self.query(TextField):
                if field.name == f"name:{user.login}":
                    field.complain(said)

    def _person(self, account: Account) -> ComposeResult:
        draft, login = self.wizard.draft, account.login
        user = draft.user(login)
        yield Tick(login, user is not None, name=f"person:{login}")
        programs = [(file, f"{program} (~/.{file})") for file, program in _MAIL_PROGRAMS]
        survey = self.wizard.survey
        is_asked = survey is not None and has_gnu_mail(survey.facts)
        if is_asked or draft.has_program(login, "mailutils"):
            programs.append(("mailutils", "GNU mail (~/.mailrc, too)"))
        for file, text in programs:
            tick = Tick(text, draft.has_program(login, file), name=f"program:{login}:{file}")
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
    """Calls, and whom people's programs know."""

    step: ClassVar[str] = "Phone"
    planned: ClassVar[tuple[str, ...]] = ("packages", "userfiles")
    help: ClassVar[str] = (
        "This page decides over people's settings of linphone and baresip, and who stands in their address "
        "books for mail and calls: .mailrc, .addressbook, .linphonerc, .baresip/contacts."
    )

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield from self.field(question_for("phone", "enable"))
        yield words(
            "A call goes from address to address: no server, no account. baresip is brought along; linphone "
            "has to be installed by you."
        )
        survey = self.wizard.survey
        if survey is not None and not any(name.startswith("linphone") for name in survey.facts.programs):
            yield Static("[-] linphone is not installed here.", classes="warn gap", markup=False)
        yield title("Who makes calls, and with which programs?")
        accounts = [] if survey is None else [one for one in survey.facts.accounts if one.uid != 0]
        for account in accounts:
            for word, program in _PHONE_PROGRAMS:
                is_on = self.wizard.draft.has_program(account.login, word)
                yield Tick(f"{account.login}: {program}", is_on, name=f"program:{account.login}:{word}")
        if not accounts:
            yield hint("There is no person's account here.")
        yield title("")
        yield title("Whom shall programs know? Short name, address, name:")
        yield TextField("", name="contact")
        yield Push("Add", id="add")
        yield Vertical(*self._contacts(), id="contacts")
        yield title("")
        yield self.buttons()

    def _contacts(self) -> list[Tick]:
        return [
            Tick(
                f"{contact.name}  {contact.address or ''}  {contact.real_name or ''}".rstrip(),
                contact.state == "present",
                name=f"contact:{contact.name}",
            )
            for contact in self.wizard.draft.answers.contact
        ]

    def on_tick_changed(self, event: Tick.Changed) -> None:
        """Set up a phone of a person, or leave it alone; keep a contact, or let it go."""
        kind, *rest = (event.tick.name or "").split(":")
        draft = self.wizard.draft
        match kind, rest:
            case "program", [login, word]:
                draft.put_program(login, word, event.value)
                if event.value:
                    self._switch_on()
            case "contact", [name]:
                draft.keep_contact(name, event.value, is_present=self._is_known(name))
                self._show_contacts()
            case _:
                return
        event.stop().prevent_default()
        self.wizard.draft_changed()

    def on_text_field_changed(self, event: TextField.Changed) -> None:
        """Forget what was wrong with a contact that is typed anew; questions are taken by every form."""
        if event.field.name == "contact":
            event.stop().prevent_default()
            event.field.complain("")

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Add the contact that was typed; or go on."""
        if event.push.id != "add":
            return
        event.stop().prevent_default()
        field = next(field for field in self.query(TextField) if field.name == "contact")
        problem = self.wizard.draft.add_contact(field.value)
        field.complain(problem)
        if not problem:
            field.clear()
            self._show_contacts()
            self.wizard.draft_changed()

    def _switch_on(self) -> None:
        """Set up calls because somebody makes some: their ports are opened with that."""
        if not self.wizard.draft.value("phone", "enable"):
            self.wizard.draft.put("phone", "enable", value=True)
            for tick in self.query(Tick):
                if tick.name == "phone.enable":
                    tick.value = True
                    tick.refresh()

    def _is_known(self, name: str) -> bool:
        last = self.wizard.survey.last if self.wizard.survey is not None else None
        return last is not None and any(contact.name == name for contact in last.contact)

    def _show_contacts(self) -> None:
        place = self.query_one("#contacts", Vertical)
        place.remove_children()
        place.mount(*self._contacts())
