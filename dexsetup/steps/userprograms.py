"""Each program of a person whose settings we write: its files, their templates, and what in them is ours.

Pure: bytes in, bytes out. A file that is not there yet is an empty one; one in which nothing but ours was is
gone when ours goes. What belongs to somebody's other mail or calls is recognised here and kept. The phones
are in phoneprograms.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dexsetup.edit import EditError, addressbook, apply_edits, keyline, marked_block
from dexsetup.facts import Facts
from dexsetup.render.filters import UnquotableError, mail_display_name, pinerc_value

__all__ = ["Contact", "MarkedFile", "Person", "UserFile", "UserProgram", "mail_programs"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody whom a person's programs shall know."""

    nick: str
    real_name: str
    login: str
    address: str

    @property
    def mail_address(self) -> str:
        """Where letters go."""
        return f"{self.login}@[IPv6:{self.address}]"

    @property
    def sip_address(self) -> str:
        """Where calls go."""
        return f"sip:{self.login}@[{self.address}]"

    @property
    def mailbox(self) -> str:
        """The mail address with the name before it."""
        name = mail_display_name(self.real_name)
        return f"{name} <{self.mail_address}>" if name else self.mail_address


@dataclass(frozen=True, slots=True)
class Person:
    """Whose settings they are, what the program shall show, and whom it shall know."""

    login: str
    real_name: str
    address: str
    """Mesh address of the machine; empty where only removing is asked for."""
    is_name_answered: bool
    """Whether the name was given for this, or is merely the account's."""
    contacts: tuple[Contact, ...] = ()

    @property
    def literal(self) -> str:
        """The address as it stands behind the @ of a letter's address."""
        return f"[IPv6:{self.address}]"


class UserFile(ABC):
    """One file of a program: how ours gets into it and out again."""

    file: str
    """Below the home."""
    other_file: str = ""
    """Below the home: where ours goes if the file serves something else. Empty: it is shared in any case."""
    template: str
    is_copied: bool = False
    """Whether the other file begins as a copy of the person's own."""

    @abstractmethod
    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the values of the template. UnquotableError for a name that it cannot show."""

    @abstractmethod
    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Return the file with our settings in it."""

    @abstractmethod
    def removed(self, before: bytes, person: Person) -> bytes:
        """Return the file without our settings."""

    def obstacle(self, before: bytes, *, is_wanted: bool) -> str:
        """Return why ours can neither get in nor out of the file as it is, in sentences; empty if it can."""
        del before, is_wanted
        return ""

    def occupied(self, before: bytes) -> frozenset[str]:
        """Return the nicknames, in small letters, that the person gave to somebody already."""
        del before
        return frozenset()


class MarkedFile(UserFile):
    """A file in which ours is one block between two marks."""

    is_first: bool = False
    """Whether a new block goes to the beginning: of several values, the program takes the first."""

    @staticmethod
    def theirs(before: bytes) -> bytes:
        """Return the file without our block."""
        return apply_edits(before, marked_block.removal(before))

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Put the block in, or replace it where it stands."""
        del person
        return apply_edits(before, marked_block.edits(before, rendered.decode(), is_first=self.is_first))

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take the block out."""
        del person
        return self.theirs(before)

    def obstacle(self, before: bytes, *, is_wanted: bool) -> str:
        """Say which marks make no block, or which line a new block would become part of."""
        try:
            marked_block.edits(before, "", is_first=self.is_first or not is_wanted)
        except EditError as error:
            return f"{error.what}. {error.advice}."
        return ""


class UserProgram:
    """One program: which files it has, and how it is started."""

    name: str
    files: tuple[UserFile, ...]
    """The first one is what the program is started with; whether that one is taken decides for all."""
    directories: tuple[str, ...] = ()
    """Below the home: what the program needs and does not make itself."""
    processes: tuple[str, ...] = ()
    """A running one of these would write its own view of the files over ours at its end."""

    def is_here(self, facts: Facts, before: bytes | None) -> bool:
        """Whether this form of the program is used here; `before` is the content of its first file."""
        del facts, before
        return True

    def is_taken(self, contents: Mapping[str, bytes]) -> bool:
        """Whether the files (by name below the home) serve other mail or calls in settings that are ours."""
        del contents
        return False

    def start(self, path: str) -> str:
        """Return the command that uses this file of another name."""
        raise NotImplementedError(f"{self.name} has no file of another name: {path}")

    def notes(self, facts: Facts, contents: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return what a person should know of the program that is here, and of its files as they are."""
        del facts, contents
        return ()


def _unoccupied(person: Person, occupied: frozenset[str]) -> tuple[Contact, ...]:
    return tuple(contact for contact in person.contacts if contact.nick.lower() not in occupied)


class _Mailrc(MarkedFile):
    """s-nail's and GNU mail's. A script, so ours is one marked block; beside other mail it is an account.

    GNU mail passes over what it does not know. s-nail knows `sendmail` by its old name and says so at each
    start, in two lines; nothing hides it from s-nail, so GNU mail's settings are there only if they are asked
    for.
    """

    file = ".mailrc"
    template = "mailrc/mailrc.j2"
    _OTHER_MAIL = re.compile(
        rb"^[ \t]*(?:account\b|set\b.*\b(?:mta|smtp|from|sendmail|return-address)\b)", re.MULTILINE
    )
    _ALIAS = re.compile(rb"^[ \t]*(?:a(?:lias)?|g(?:roup)?)[ \t]+([^ \t\r\n]+)", re.MULTILINE)

    def __init__(self, *, s_nail: bool, gnu: bool) -> None:
        self._has_s_nail, self._has_gnu = s_nail, gnu

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the sender, the name of the account if ours has to be one, and the aliases."""
        del facts
        mailbox = f"{person.login}@{person.literal}"
        name = mail_display_name(person.real_name)
        has_other_mail = self.has_other_mail(before)
        names = ("s-nail" if self._has_s_nail else "", "GNU mail" if self._has_gnu else "")
        return {
            "names": " and ".join(filter(None, names)),
            "s_nail": self._has_s_nail,
            "gnu": self._has_gnu and not has_other_mail,
            "mailbox": mailbox,
            "sender": f"{name} <{mailbox}>" if name else mailbox,
            "account": "mesh" if self._has_s_nail and has_other_mail else "",
            "contacts": _unoccupied(person, self.occupied(before)),
        }

    def has_other_mail(self, before: bytes) -> bool:
        """Whether the person's own lines set up a sender or a server."""
        return self._OTHER_MAIL.search(self.theirs(before)) is not None

    def occupied(self, before: bytes) -> frozenset[str]:
        """Return the person's own aliases: s-nail would add ours to them."""
        names = self._ALIAS.findall(self.theirs(before))
        return frozenset(name.decode("utf-8", "replace").lower() for name in names)


_BOTH = "s-nail and GNU mail"


class _Mailx(UserProgram):
    """s-nail, GNU mail, or both: they share a file."""

    def __init__(self, name: str, file: _Mailrc) -> None:
        self.name, self.files, self._file = name, (file,), file

    def notes(self, facts: Facts, contents: Mapping[str, bytes]) -> tuple[str, ...]:
        """Say what the command `mail` is here, and what cannot be had."""
        command = facts.programs["mail"].path.rpartition("/")[2] if "mail" in facts.programs else ""
        has_gnu = "GNU mail" in self.name
        notes = []
        if command == "bsd-mailx":
            use = "GNU mail, by the name mail.mailutils" if self.name == "GNU mail" else "s-nail"
            notes.append(
                f"The command mail is bsd-mailx here, which cannot send to mesh addresses: write with {use}."
            )
        if command == "mail.mailutils" and not has_gnu:
            notes.append(
                "The command mail is GNU mail here, and stays as it is: write with s-nail, or name mailutils "
                "among the files."
            )
        if has_gnu and self._file.has_other_mail(contents[self._file.file]):
            notes.append(
                "GNU mail is left as it is: there are settings for other mail in ~/.mailrc, and it has no "
                "accounts."
            )
        elif self.name == _BOTH:
            notes.append("s-nail will say at each start that `sendmail` is an old name: GNU mail needs it.")
        return tuple(notes)


class _Pinerc(UserFile):
    """alpine's. Four keys; it has no accounts, so other mail keeps the file and ours goes beside it."""

    file = ".pinerc"
    other_file = ".pinerc-mesh"
    template = "pinerc/pinerc.j2"
    is_copied = True
    LISTS = ("feature-list",)
    OUR_DOMAIN = re.compile(r"\[IPv6:(?:fc|[23])[0-9a-f:]+\]", re.IGNORECASE)
    LOCAL_SERVER = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::25)?(?:/.*)?", re.IGNORECASE)

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the domain and the name; a name that is there already is only replaced by an answer."""
        del facts
        has_name = bool(keyline.present(before).get("personal-name"))
        is_name_kept = has_name and not person.is_name_answered
        return {"literal": person.literal, "real_name": "" if is_name_kept else person.real_name}

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Set the keys, and add our feature to the list."""
        del person
        wanted = keyline.present(rendered)
        if self.LOCAL_SERVER.fullmatch(keyline.present(before).get("smtp-server", "")):
            del wanted["smtp-server"]
        return apply_edits(before, keyline.edits(before, wanted, self.LISTS))

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take our keys out; without our domain there, nothing of it is ours."""
        present = keyline.present(before)
        if not self.OUR_DOMAIN.fullmatch(present.get("user-domain", "")):
            return before
        unwanted = {
            "user-domain": present["user-domain"],
            "smtp-server": "localhost",
            "feature-list": "quell-maildomain-warning",
        }
        name = _shown_by_alpine(person.real_name)
        if name and present.get("personal-name") == name:
            unwanted["personal-name"] = name
        return apply_edits(before, keyline.removal(before, unwanted, self.LISTS))


class _AddressBook(UserFile):
    """alpine's address book, the same for all its settings: an entry for each contact."""

    file = ".addressbook"
    template = "pinerc/addressbook.j2"

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the contacts whose nicknames the person has not given to others."""
        del facts
        contacts = _unoccupied(person, self.occupied(before))
        return {
            "contacts": [
                (one.nick, mail_display_name(one.real_name).strip(), one.mail_address) for one in contacts
            ]
        }

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Put the entries in their places."""
        del person
        lines = (line.split("\t") for line in rendered.decode().splitlines())
        return addressbook.with_entries(before, {nick: addressbook.Entry(*rest) for nick, *rest in lines})

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take our entries out."""
        del person
        return addressbook.with_entries(before, {})

    def occupied(self, before: bytes) -> frozenset[str]:
        """Return the nicknames of the person's own entries."""
        return addressbook.nicknames(before)


class _Alpine(UserProgram):
    name = "alpine"
    files = (_Pinerc(), _AddressBook())
    processes = ("alpine",)

    def is_taken(self, contents: Mapping[str, bytes]) -> bool:
        """Whether another domain or server is set."""
        present = keyline.present(contents[".pinerc"])
        domain, server = present.get("user-domain", ""), present.get("smtp-server", "")
        has_other_domain = bool(domain) and not _Pinerc.OUR_DOMAIN.fullmatch(domain)
        return has_other_domain or (bool(server) and not _Pinerc.LOCAL_SERVER.fullmatch(server))

    def start(self, path: str) -> str:
        """Return alpine with another file of settings."""
        return f"alpine -p {path}"


def _shown_by_alpine(name: str) -> str:
    """Return the name as .pinerc has it, or nothing for one that could not have been put there."""
    try:
        return pinerc_value(name)
    except UnquotableError:
        return ""


_MAILX: Mapping[frozenset[str], _Mailx] = {
    frozenset({"mailrc"}): _Mailx("s-nail", _Mailrc(s_nail=True, gnu=False)),
    frozenset({"mailutils"}): _Mailx("GNU mail", _Mailrc(s_nail=False, gnu=True)),
    frozenset({"mailrc", "mailutils"}): _Mailx(_BOTH, _Mailrc(s_nail=True, gnu=True)),
}
_MAIL_PROGRAMS: Mapping[str, UserProgram] = {"pinerc": _Alpine()}


def mail_programs(words: Collection[str]) -> dict[str, UserProgram]:
    """Return the mail programs that these words of the answers name, each by one of its words."""
    found = {word: _MAIL_PROGRAMS[word] for word in words if word in _MAIL_PROGRAMS}
    mailx = frozenset(words) & {"mailrc", "mailutils"}
    return {min(mailx): _MAILX[mailx], **found} if mailx else found
