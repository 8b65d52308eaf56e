"""The scenario that dexsetup exists for, step by step: two homes, a public node, a letter and its answer.

`./dex demo` walks through it and tells; tests/system/test_two_homes.py walks through it and asserts. Every
program in it is the real one: dexsetup, dexrouter, opensmtpd, s-nail, the kernel's TUN device and namespaces.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dexrouter.config import RouterConfig, apply_edits, load_config, set_value
from dexrouter.config.writing import Plain
from dexrouter.crypto.keys import key_pair_from_private, public_key_text
from neighbourhood import PUBLIC_ADDRESS, Home, Neighbourhood, wait_until

__all__ = ["ANN", "BEN", "KEPT_BY_UNDO", "Person", "TwoHomes", "differences", "program"]

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_ANSWERS = "/root/answers.toml"
_ARCHIVES = "/var/cache/apt/archives"
_SET_UP_SECONDS = 180
_INSTALL_QUIETLY = """
    guard=/usr/sbin/policy-rc.d
    [ -e $guard ] || { printf '#!/bin/sh\\nexit 101\\n' >$guard && chmod 755 $guard; }
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
"""
"""A package's scripts must not start its daemon: no service manager would know of it."""
_MAIL_SECONDS = 60

KEPT_BY_UNDO = ("/etc", "/home", "/opt/dexsetup", "/usr/local/bin")
"""Where a set-up changes things, and where undo gives back what was there."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at home."""

    login: str
    real_name: str
    home: str
    """Name of the place."""


ANN = Person("ann", "Ann Ash", "home a")
BEN = Person("ben", "Ben Birch", "home b")


def _silent(_line: str) -> None:
    """Tell nobody."""


def program(module: str) -> tuple[str, ...]:
    """Return the start of a command line: the program of this checkout, on our own interpreter."""
    return ("env", f"PYTHONPATH={_CHECKOUT}:{_CHECKOUT / 'router'}", sys.executable, "-m", module)


def differences(before: str, after: str) -> list[str]:
    """Return the lines that only one of two fingerprints has."""
    return sorted(set(before.splitlines()) ^ set(after.splitlines()))


@dataclass(slots=True)
class TwoHomes:
    """The scenario. A context manager: leaving it takes everything down."""

    tell: Callable[[str], None] = _silent
    """Receives every line that the programs print."""
    packages: Path | None = None
    """Directory with package files for homes that lack opensmtpd and s-nail: they have no way to a server."""
    neighbourhood: Neighbourhood = field(init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _public_config: RouterConfig = field(init=False)

    def __enter__(self) -> Self:
        visible = [_CHECKOUT, Path(sys.prefix)]
        if self.packages is not None:
            visible.append(self.packages)
        self.neighbourhood = self._open.enter_context(Neighbourhood(tuple(visible)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def home_of(self, person: Person) -> Home:
        """Return the person's home."""
        return self.neighbourhood.homes[person.home]

    # -- building

    def start_public_node(self, reference: str = "") -> RouterConfig:
        """Make a configuration for the public node and run dexrouter with it; return the configuration.

        `reference` is the path of a cjdroute that runs in its place.
        """
        public = self.neighbourhood.public
        text = public.run(*program("dexrouter.cli.daemon"), "--genconf")
        if reference:
            # It is root of its place alone, which keeps it from changing its user.
            rights: Plain = [{"setuser": 0}, {"chroot": 0}, {"seccomp": 0}, {"setupComplete": 1}]
            text = apply_edits(text.encode(), set_value(text.encode(), "security", rights)).decode()
        self._public_config = load_config(text.encode(), "the public node's configuration")
        public.write("/etc/cjdroute.conf", text, mode="0600")
        log = self._open.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115 - the stack closes it
        command = (*program("dexrouter.cli.daemon"), "--config", "/etc/cjdroute.conf")
        if reference:
            command = ("sh", "-c", 'exec "$0" --nobg <"$1"', reference, "/etc/cjdroute.conf")
        router = public.start(*command, log=log)

        def is_listening() -> bool:
            if router.poll() is not None:
                log.seek(0)
                raise ChildProcessError(f"the public node's router ended: {log.read()}")
            return f":{self._public_port()} " in public.run("ss", "-lunH")

        wait_until(is_listening, what="the public node listens", seconds=20)
        return self._public_config

    def add_home(self, person: Person, kind: type[Home] = Home) -> Home:
        """Build the person's home, with an account in it and the answers file in /root."""
        home = self.neighbourhood.add_home(person.home, kind)
        home.add_person(person.login, person.real_name)
        home.write(_ANSWERS, self.answers_for(person), mode="0600")
        if self.packages is not None:
            home.run("sh", "-c", f'cp -- "$1"/*.deb {_ARCHIVES}/', "sh", str(self.packages), allowed=(0, 1))
        return home

    def answers_for(self, person: Person) -> str:
        """Return the answers: a node, the public node as peer, mail, and the person's s-nail."""
        config = self._public_config
        credentials = config.authorized_passwords[0]
        public_key = public_key_text(key_pair_from_private(config.private_key.reveal()).public)
        return f"""\
schema = 1

[node]
key = "keep"

[[peer]]
name = "public-node"
address = "{PUBLIC_ADDRESS}:{self._public_port()}"
public_key = "{public_key}"
login = "{credentials.user}"
password = "{credentials.password}"

[firewall]
accept_risk = ["mesh-mail"]

[mail]
enable = true

[[user]]
login = "{person.login}"
files = ["mailrc"]
"""

    def install_mail_programs(self, person: Person) -> None:
        """Let the home have opensmtpd and s-nail, as its own package manager would have brought them."""
        self.home_of(person).run(
            "sh", "-c", _INSTALL_QUIETLY, "sh", "opensmtpd", "s-nail", timeout=_SET_UP_SECONDS
        )

    # -- using

    def dexsetup(self, person: Person, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run dexsetup as root in the person's home."""
        return self.home_of(person).run(
            *program("dexsetup.cli"),
            *arguments,
            timeout=_SET_UP_SECONDS,
            allowed=allowed,
            tell=self.tell,
        )

    def set_up(self, person: Person) -> str:
        """Set the home up from its answers file. The same call again is the second run."""
        return self.dexsetup(person, "--answers", _ANSWERS)

    def undo(self, person: Person) -> str:
        """Undo the set-up of the home."""
        return self.dexsetup(person, "undo")

    def address_of(self, person: Person) -> str:
        """Return the mesh address that the kernel of the home has on an interface."""
        shown = self.home_of(person).run("ip", "-6", "-o", "addr", "show", "scope", "global")
        match = re.search(r"inet6 (fc[0-9a-f:]+)/", shown)
        return match[1] if match else ""

    def mail_address(self, person: Person) -> str:
        """Return the person's mail address."""
        return f"{person.login}@[IPv6:{self.address_of(person)}]"

    def ping(self, sender: Person, receiver: Person, *, seconds: float = 60) -> float:
        """Ping from home to home over the mesh until it answers; returns the seconds it took."""
        target = self.address_of(receiver)
        home = self.home_of(sender)
        return wait_until(
            lambda: home.succeeds("ping", "-6", "-c", "1", "-W", "1", target),
            what=f"{target} answers a ping from {sender.home}",
            seconds=seconds,
        )

    def write_letter(self, sender: Person, receiver: Person, *, subject: str, text: str) -> None:
        """Write a letter with s-nail, as the sender."""
        self.home_of(sender).run(
            "s-nail",
            "-s",
            subject,
            self.mail_address(receiver),
            stdin=f"{text}\n",
            login=sender.login,
        )

    def answer_letter(self, person: Person, *, text: str) -> None:
        """Answer the first letter in the person's mailbox with s-nail's reply command, as the person."""
        self.home_of(person).run(
            "s-nail", "-#", "-f", f"/var/mail/{person.login}",
            stdin=f"reply 1\n{text}\n~.\nexit\n",
            login=person.login,
        )  # fmt: skip

    def mailbox(self, person: Person) -> str:
        """Return what lies in the person's mailbox."""
        return self.home_of(person).read(f"/var/mail/{person.login}")

    def wait_for_letter(self, person: Person, words: str, *, seconds: float = _MAIL_SECONDS) -> float:
        """Wait until a letter with these words is in the mailbox; returns the seconds it took."""
        try:
            return wait_until(
                lambda: words in self.mailbox(person),
                what=f"a letter with {words!r} for {person.login}",
                seconds=seconds,
            )
        except TimeoutError as error:
            queues = [self._queue(home) for home in self.neighbourhood.homes.values()]
            raise TimeoutError("\n".join([str(error), *queues])) from error

    def fingerprint(self, person: Person) -> str:
        """Return one text that is equal as long as nothing a set-up touches has changed."""
        home = self.home_of(person)
        look = "! command -v firewall-offline-cmd >/dev/null || firewall-offline-cmd --list-all-zones"
        return home.fingerprint(*KEPT_BY_UNDO) + home.run("sh", "-c", look)

    # -- beneath

    def _public_port(self) -> int:
        return self._public_config.udp_interfaces[0].bind.port

    @staticmethod
    def _queue(home: Home) -> str:
        queue = home.run("smtpctl", "show", "queue", allowed=range(256))
        return f"queue of {home.name}: {queue.strip() or 'empty'}"
