"""The phones: linphone in its three forms, and baresip. What is said in userprograms holds here as well.

All of them listen on the mesh address and send sound from the ports that the firewall opens (spec 10 §4).
Bound to the mesh address a phone cannot serve an ordinary account, so one with such an account keeps its
files, and ours go beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dexsetup.edit import apply_edits, friends, ini, marked_block
from dexsetup.facts import Facts
from dexsetup.render.filters import sip_contact_name
from dexsetup.steps.userprograms import Contact, MarkedFile, Person, UserFile, UserProgram

__all__ = ["PHONE_PROGRAMS", "WindowedLinphone"]

_FIRST_WITHOUT_CALLS = 6
"""linphone-desktop of this version has no way past its account screen (spec 10 §4.1)."""


def _named(contact: Contact) -> str:
    return f"{sip_contact_name(contact.real_name or contact.nick)} <{contact.sip_address}>"


class _Linphonerc(UserFile):
    """The settings of a form of linphone. The console's holds the friends, others keep them in a database."""

    template = "linphonerc/linphonerc.j2"

    def __init__(self, file: str, other_file: str, *, has_friends: bool) -> None:
        self.file = file
        self.other_file = other_file
        self.has_friends = has_friends

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return name, login and address."""
        del before, facts
        return {"address": person.address, "login": person.login, "real_name": person.real_name}

    def merged(self, before: bytes, rendered: bytes, person: Person) -> bytes:
        """Set the keys, and put the contacts among the friends."""
        content = apply_edits(before, ini.edits(before, ini.present(rendered)))
        contacts = person.contacts if self.has_friends else ()
        return friends.with_friends(content, {one.sip_address: _named(one) for one in contacts})

    def removed(self, before: bytes, person: Person) -> bytes:
        """Take our keys out: those that bind the phone to the mesh, and what goes with them."""
        before = friends.with_friends(before, {})
        present = ini.present(before)
        sip = present.get("sip", {})
        is_ours = any(f"<sip:{person.login}@[{first}" in sip.get("contact", "") for first in ("fc", "2", "3"))
        if not is_ours or "bind_address" not in sip:
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


class _Linphone(UserProgram):
    """What the forms have in common."""

    directories = (".local/share/linphone",)
    _ACCOUNT = re.compile(r"(?:proxy|auth_info)_\d+")

    def is_taken(self, contents: Mapping[str, bytes]) -> bool:
        """Whether an account of a provider is set up."""
        present = ini.present(contents[self.files[0].file])
        return any(self._ACCOUNT.fullmatch(section) for section in present)


class _ConsoleLinphone(_Linphone):
    name = "linphonec"
    files = (_Linphonerc(".linphonerc", ".linphonerc-mesh", has_friends=True),)
    processes = ("linphonec", "linphone-daemon")

    def is_here(self, facts: Facts, before: bytes | None) -> bool:
        """Whether it is installed or was used. Where no form of linphone is, this one is prepared."""
        others = {"linphone-desktop", "linphone-flatpak"} & set(facts.programs)
        return "linphone" in facts.programs or before is not None or not others

    def start(self, path: str) -> str:
        """Return linphonec with another file."""
        return f"linphonec -c {path}"


class WindowedLinphone(_Linphone):
    """linphone with windows. Its file has a fixed name in the directory of settings."""

    processes = ("linphone",)
    program: str
    """Its name among the facts."""
    command: str
    """What starts it."""
    launcher: str
    """Below the home: starts it when the mesh address is there, for one that starts before never listens."""

    def is_here(self, facts: Facts, before: bytes | None) -> bool:
        """Whether it is installed, or was used by this person."""
        return self.program in facts.programs or before is not None

    def start(self, path: str) -> str:
        """Return linphone with another directory of settings."""
        return f"env XDG_CONFIG_HOME={path.removesuffix('/linphone/linphonerc')} {self.command}"

    def notes(self, facts: Facts, contents: Mapping[str, bytes]) -> tuple[str, ...]:
        """Tell of a version that makes no calls without an account, and that it keeps its own friends."""
        del contents
        known = facts.programs.get(self.program)
        major = known.version.partition(".")[0] if known is not None else ""
        if not major.isdecimal() or int(major) < _FIRST_WITHOUT_CALLS:
            return ()
        text = (
            f"{self.program} {known.version if known else ''} asks for an account before it makes any call: "
        )
        return (f"{text}linphonec, or baresip, calls without one.",)


class _DesktopLinphone(WindowedLinphone):
    name = "linphone"
    program = "linphone-desktop"
    command = "linphone"
    launcher = ".local/share/applications/dexsetup-linphone.desktop"
    files = (
        _Linphonerc(
            ".config/linphone/linphonerc", ".config/dexsetup-mesh/linphone/linphonerc", has_friends=False
        ),
    )


class _FlatpakLinphone(WindowedLinphone):
    """From Flathub. The sandbox has a home of its own below ~/.var/app."""

    _APP = "com.belledonnecommunications.linphone"
    name = "linphone of Flatpak"
    program = "linphone-flatpak"
    command = f"flatpak run {_APP}"
    launcher = ".local/share/applications/dexsetup-linphone-flatpak.desktop"
    directories = (f".var/app/{_APP}/data/linphone",)
    files = (
        _Linphonerc(
            f".var/app/{_APP}/config/linphone/linphonerc",
            f".var/app/{_APP}/config/dexsetup-mesh/linphone/linphonerc",
            has_friends=False,
        ),
    )

    def start(self, path: str) -> str:
        """Return the command; the sandbox sets the directory of settings unless it is told another."""
        directory = path.removesuffix("/linphone/linphonerc")
        return f"flatpak run --env=XDG_CONFIG_HOME={directory} {self._APP}"


_EXPECTED = {"fedora": ("/usr/lib64/baresip/modules", "pipewire")}
_EXPECTED_ELSEWHERE = ("/usr/lib/baresip/modules", "alsa")
"""Where baresip's modules will be, and which driver of sound, once its packages are installed."""


class _BaresipConfig(MarkedFile):
    """baresip's settings. Of several values of a key the first counts: our block stands at the beginning."""

    file = ".baresip/config"
    other_file = ".baresip-mesh/config"
    template = "baresip/config.j2"
    is_first = True
    SETTING = re.compile(rb"^[ \t]*([a-z_]+)[ \t]+([^ \t\r\n#][^ \t\r\n]*)", re.MULTILINE)
    _DRIVERS = ("pipewire", "pulse", "alsa")
    """What plays and records, the one that suits most machines first."""
    _OTHER_DRIVERS = ("jack", "portaudio", "gst", "sndio", "oss", "aufile")
    _MODULES = (("module", "stdio"), ("module", "opus"), ("module", "g711"))
    _APPLICATIONS = (("module_app", "account"), ("module_app", "contact"), ("module_app", "menu"))

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the address, and what the person's own settings do not load already."""
        settings = self.SETTING.findall(self.theirs(before))
        loaded = {value for key, value in settings if key.startswith(b"module") and key != b"module_path"}
        wanted = [*self._MODULES, ("module", self._driver(loaded, before, facts)), *self._APPLICATIONS]
        has_path = any(key == b"module_path" for key, _ in settings)
        return {
            "address": person.address,
            "module_path": "" if has_path else self._module_path(facts),
            "modules": [(key, name) for key, name in wanted if name and f"{name}.so".encode() not in loaded],
        }

    def _module_path(self, facts: Facts) -> str:
        if facts.baresip is not None:
            return facts.baresip.module_path
        return _EXPECTED.get(facts.family, _EXPECTED_ELSEWHERE)[0]

    def _driver(self, loaded: Iterable[bytes], before: bytes, facts: Facts) -> str:
        """Return the driver to load; nothing where the person loads one. The one we chose before stays."""
        drivers = {f"{name}.so".encode() for name in (*self._DRIVERS, *self._OTHER_DRIVERS)}
        if drivers & set(loaded):
            return ""
        there = self._DRIVERS if facts.baresip is None else facts.baresip.modules
        chosen = (marked_block.present(before) or "").split()
        kept = [name for name in self._DRIVERS if f"{name}.so" in chosen and name in there]
        if kept:
            return kept[0]
        if facts.baresip is None:
            return _EXPECTED.get(facts.family, _EXPECTED_ELSEWHERE)[1]
        return next((name for name in self._DRIVERS if name in there), "")


class _BaresipAccounts(MarkedFile):
    """The address that baresip answers under."""

    file = ".baresip/accounts"
    other_file = ".baresip-mesh/accounts"
    template = "baresip/accounts.j2"

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return name, login and address."""
        del before, facts
        return {"address": person.address, "login": person.login, "real_name": person.real_name}


class _BaresipContacts(_BaresipAccounts):
    """baresip's contacts."""

    file = ".baresip/contacts"
    other_file = ".baresip-mesh/contacts"
    template = "baresip/contacts.j2"

    def values(self, person: Person, before: bytes, facts: Facts) -> Mapping[str, Any]:
        """Return the contacts."""
        del before, facts
        return {"contacts": [(one.real_name or one.nick, one.sip_address) for one in person.contacts]}


class _Baresip(UserProgram):
    name = "baresip"
    files = (_BaresipConfig(), _BaresipAccounts(), _BaresipContacts())

    def is_taken(self, contents: Mapping[str, bytes]) -> bool:
        """Whether it listens elsewhere or has an account already."""
        theirs = {path: MarkedFile.theirs(content) for path, content in contents.items()}
        settings = _BaresipConfig.SETTING.findall(theirs[".baresip/config"])
        is_bound = any(key in {b"sip_listen", b"net_interface"} for key, _ in settings)
        accounts = (line.strip() for line in theirs[".baresip/accounts"].splitlines())
        return is_bound or any(line and not line.startswith(b"#") for line in accounts)

    def start(self, path: str) -> str:
        """Return baresip with another directory of settings."""
        return f"baresip -f {path.removesuffix('/config')}"


PHONE_PROGRAMS: Mapping[str, tuple[UserProgram, ...]] = {
    "linphonerc": (_ConsoleLinphone(), _DesktopLinphone(), _FlatpakLinphone()),
    "baresip": (_Baresip(),),
}
"""By the word that the answers use."""
