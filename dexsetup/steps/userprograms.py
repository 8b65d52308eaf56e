"""Each program of a person whose settings we write: its file, its template, and what in that file is ours.

Pure: bytes in, bytes out. A file that is not there yet is an empty one; one in which nothing but ours was is
gone when ours goes. What belongs to somebody's other mail or calls is recognised here and kept.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dexsetup.edit import apply_edits, ini, keyline, marked_block
from dexsetup.render.filters import UnquotableError, mail_display_name, pinerc_value

__all__ = ["PROGRAMS", "Person", "UserProgram"]


@dataclass(frozen=True, slots=True)
class Person:
    """Whose settings they are, and what the program shall show."""

    login: str
    real_name: str
    address: str
    """Mesh address of the machine; empty where only removing is asked for."""
    is_name_answered: bool
    """Whether the name was given for this, or is merely the account's."""

    @property
    def literal(self) -> str:
        """The address as it stands behind the @ of a letter's address."""
        return f"[IPv6:{self.address}]"


class UserProgram(ABC):
    """One program: where its settings are, and how ours get into them and out again."""

    name: str
    file: str
    """Below the home."""
    template: str
    directories: tuple[str, ...] = ()
    """Below the home: what the program needs and does not make itself."""
    is_rewritten_at_exit: bool = False
    """Whether a running one would write its own view of the file over ours."""
    hint: str = ""
    """The command, without the path, that uses a file of another name."""

    @abstractmethod
    def values(self, person: Person, before: bytes) -> Mapping[str, Any]:
        """Return the values of the template. UnquotableError for a name that it cannot show."""

    @abstractmethod
    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Return the file with our settings in it."""

    @abstractmethod
    def removed(self, before: bytes, person: Person) -> bytes:
        """Return the file without our settings."""

    def is_taken(self, before: bytes) -> bool:
        """Whether the file serves other mail or calls in the very settings that are ours."""
        del before
        return False


class _SNail(UserProgram):
    """s-nail. The file is a script, so ours is one marked block; beside other mail it defines an account."""

    name = "s-nail"
    file = ".mailrc"
    template = "mailrc/mailrc.j2"
    _OTHER_MAIL = re.compile(rb"^[ \t]*(?:account\b|set\b.*\b(?:mta|smtp|from)\b)", re.MULTILINE)

    def values(self, person: Person, before: bytes) -> Mapping[str, Any]:
        """Return the sender, and the name of the account if ours has to be one."""
        mailbox = f"{person.login}@{person.literal}"
        name = mail_display_name(person.real_name)
        without_ours = apply_edits(before, marked_block.removal(before))
        return {
            "sender": f"{name} <{mailbox}>" if name else mailbox,
            "account": "mesh" if self._OTHER_MAIL.search(without_ours) else "",
        }

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Put the block in, or replace it where it stands."""
        del person
        return apply_edits(before, marked_block.edits(before, rendered.decode()))

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take the block out."""
        del person
        return apply_edits(before, marked_block.removal(before))


class _Alpine(UserProgram):
    """alpine. Four keys; it has no accounts, so other mail keeps the file and ours goes beside it."""

    name = "alpine"
    file = ".pinerc"
    template = "pinerc/pinerc.j2"
    is_rewritten_at_exit = True
    hint = "alpine -p"
    _LISTS = ("feature-list",)
    _OUR_DOMAIN = re.compile(r"\[IPv6:fc[0-9a-f:]+\]", re.IGNORECASE)
    _LOCAL_SERVER = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::25)?(?:/.*)?", re.IGNORECASE)

    def values(self, person: Person, before: bytes) -> Mapping[str, Any]:
        """Return the domain and the name; a name that is there already is only replaced by an answer."""
        has_name = bool(keyline.present(before).get("personal-name"))
        is_name_kept = has_name and not person.is_name_answered
        return {"literal": person.literal, "real_name": "" if is_name_kept else person.real_name}

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Set the keys, and add our feature to the list."""
        del person
        wanted = keyline.present(rendered)
        if self._LOCAL_SERVER.fullmatch(keyline.present(before).get("smtp-server", "")):
            del wanted["smtp-server"]
        return apply_edits(before, keyline.edits(before, wanted, self._LISTS))

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take our keys out; without our domain there, nothing of it is ours."""
        present = keyline.present(before)
        if not self._OUR_DOMAIN.fullmatch(present.get("user-domain", "")):
            return before
        unwanted = {
            "user-domain": present["user-domain"],
            "smtp-server": "localhost",
            "feature-list": "quell-maildomain-warning",
        }
        name = _shown_by_alpine(person.real_name)
        if name and present.get("personal-name") == name:
            unwanted["personal-name"] = name
        return apply_edits(before, keyline.removal(before, unwanted, self._LISTS))

    def is_taken(self, before: bytes) -> bool:
        """Whether another domain or server is set."""
        present = keyline.present(before)
        domain, server = present.get("user-domain", ""), present.get("smtp-server", "")
        has_other_domain = bool(domain) and not self._OUR_DOMAIN.fullmatch(domain)
        return has_other_domain or (bool(server) and not self._LOCAL_SERVER.fullmatch(server))


class _Linphone(UserProgram):
    """linphone. Bound to the mesh address it cannot serve an ordinary account, so that keeps its file."""

    name = "linphone"
    file = ".linphonerc"
    template = "linphonerc/linphonerc.j2"
    directories = (".local/share/linphone",)
    is_rewritten_at_exit = True
    hint = "linphonec -c"
    _ACCOUNT = re.compile(r"(?:proxy|auth_info)_\d+")

    def values(self, person: Person, before: bytes) -> Mapping[str, Any]:
        """Return name, login and address."""
        del before
        return {"address": person.address, "login": person.login, "real_name": person.real_name}

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Set the keys."""
        del person
        return apply_edits(before, ini.edits(before, ini.present(rendered)))

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take our keys out: those that bind the phone to the mesh, and what goes with them."""
        present = ini.present(before)
        sip = present.get("sip", {})
        if f"<sip:{person.login}@[fc" not in sip.get("contact", "") or "bind_address" not in sip:
            return before
        unwanted = {
            "sip": {
                "guess_hostname": "0",
                "contact": sip["contact"],
                "bind_address": sip["bind_address"],
                "use_ipv6": "1",
                "ipv6_migration_done": "1",
            },
            "rtp": {
                "bind_address": sip["bind_address"],
                "audio_rtp_port": "7078",
                "video_rtp_port": "9078",
            },
        }
        return apply_edits(before, ini.removal(before, unwanted))

    def is_taken(self, before: bytes) -> bool:
        """Whether an account of a provider is set up."""
        return any(self._ACCOUNT.fullmatch(section) for section in ini.present(before))


def _shown_by_alpine(name: str) -> str:
    """Return the name as .pinerc has it, or nothing for one that could not have been put there."""
    try:
        return pinerc_value(name)
    except UnquotableError:
        return ""


PROGRAMS: Mapping[str, UserProgram] = {
    "mailrc": _SNail(),
    "pinerc": _Alpine(),
    "linphonerc": _Linphone(),
}
"""By the word that the answers use."""
