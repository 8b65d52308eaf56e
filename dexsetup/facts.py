"""What was found on this machine, as data. Detected once, read-only, and serialisable without secrets.

`dexsetup facts` prints it; a recorded machine is a test fixture (tests/data/facts/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["LOGIN", "Account", "Baresip", "Facts", "FileFact", "Listener", "MailServer", "Program", "Zone"]


LOGIN = r"[a-z_][a-z0-9_.-]{0,31}"
"""Logins that can be set up. opensmtpd takes an address for one in small letters, and nobody else's."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file as it was when the plan was made. A missing file has content None."""

    content: bytes | None = field(repr=False)
    mode: int = 0
    owner: str = ""
    group: str = ""
    problem: str = ""
    """Why it must not be touched (a symbolic link in a home, an odd owner), in one sentence; or empty."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account."""

    login: str
    uid: int
    gid: int
    group: str
    home: str
    real_name: str


@dataclass(frozen=True, slots=True)
class Program:
    """An installed program: where, and which version."""

    path: str
    version: str


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where this distribution keeps opensmtpd's things (spec 10 §1.1), and what else holds port 25."""

    config: str
    mailname: str
    aliases: str
    unit: str
    package: str
    installed: Program | None
    port_25_holder: str = ""
    """Name of the program that listens on TCP 25 now, or empty."""


@dataclass(frozen=True, slots=True)
class Baresip:
    """What baresip's packages brought: where its modules are, and which."""

    module_path: str
    modules: tuple[str, ...]
    """Names without the ending, sorted."""


@dataclass(frozen=True, slots=True)
class Zone:
    """What one zone of a running firewalld lets in, as it runs."""

    name: str
    interfaces: tuple[str, ...]
    openings: tuple[tuple[str, tuple[str, ...]], ...]
    """(service, ports); the empty name for ports of the zone's own. Ports: 25/tcp, 1025-65535/udp."""
    target: str = "default"
    """ACCEPT lets everything in; what is let in is the openings otherwise."""
    is_uplink: bool = False
    """Whether the interface with the default route is in it."""
    is_default: bool = False
    """Whether an interface falls into it that nobody gave another."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens on all addresses, or on one that is not of the machine alone."""

    protocol: str
    place: str
    """As ss writes it: `*`, `[::]` or an address."""
    port: int
    program: str
    """Its name; empty where only root may know it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine."""

    os_id: str
    os_version: str
    os_name: str
    family: Literal["debian", "fedora", "other"]
    hostname: str
    is_root: bool
    init: Literal["systemd", "direct"]
    package_manager: Literal["apt", "dnf", "none"]
    firewall: Literal["running", "stopped", "none"]
    has_tun: bool
    python: str
    """Interpreter that a root service may run: owned by root, and not in a home."""
    accounts: tuple[Account, ...]
    mail_server: MailServer
    programs: dict[str, Program]
    """By name: s-nail, mailx, alpine, linphone (the console's), linphone-desktop, linphone-flatpak, baresip,
    cjdroute ... Absent: not installed."""
    running_router: Literal["none", "embedded", "cjdns"]
    program_tree: str
    """Directory with the files of dexsetup and its dependencies, ready to be copied to /opt/dexsetup."""
    baresip: Baresip | None = None
    zones: tuple[Zone, ...] = ()
    """Those of a running firewalld that are in use."""
    listening: tuple[Listener, ...] = ()
    """What listens on every address of the machine."""
    stable_addresses: tuple[str, ...] = ()
    """Public IPv6 addresses that are on an interface and meant to stay, as RFC 5952 writes them."""
    files: dict[str, FileFact] = field(default_factory=dict)
    """The files that the steps asked to see (Step.reads)."""

    def account(self, login: str) -> Account | None:
        """Return the account of that login, if there is one."""
        return next((account for account in self.accounts if account.login == login), None)
