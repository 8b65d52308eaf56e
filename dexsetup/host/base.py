"""The one door to the machine. Everything dexsetup sees or changes goes through a Host.

RealHost is the machine; RootedHost(path) is a directory that stands for one (images, tests: no services);
DryHost looks at another host and refuses to change it; FakeHost is in memory, for tests. What differs between
distributions sits behind three small classes that a host carries, chosen from facts: the package manager
(apt, dnf), the service manager (systemd, or direct where PID 1 is not systemd) and the firewall (firewalld,
firewalld while it is stopped, none).

Looking never changes anything. Each changing method is one mutation: the fault tests crash at every one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

__all__ = [
    "Completed",
    "FileInfo",
    "FileKind",
    "Firewall",
    "FirewallState",
    "Host",
    "Network",
    "PackageManager",
    "ProgressSink",
    "ServiceManager",
    "UnitState",
    "temporary_name",
]

ProgressSink = Callable[[str], None]
"""Receives short lines for the person who waits ("unpacking opensmtpd")."""


def temporary_name(path: str) -> str:
    """Return the name under which a new content of `path` is prepared; fixed, so that undo can clear it."""
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}.dexsetup-new"


class FileKind(StrEnum):
    """What a directory entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What lstat tells, with names for the numbers where the machine has them."""

    kind: FileKind
    mode: int
    """Permission bits only."""
    owner: str
    group: str
    size: int
    target: str = ""
    """Where a link points."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished command."""

    argv: tuple[str, ...]
    status: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnitState:
    """What the service manager says of one unit."""

    exists: bool
    enabled: bool
    active: bool
    detail: str = ""
    """Its last words: a state word, an exit status, a line of its log."""


class FirewallState(StrEnum):
    """Whether there is a firewall to speak to."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Installed, not running: settings go to its files and hold from its next start."""
    NONE = "none"


class PackageManager(Protocol):
    """Installs packages of the distribution, and removes what it installed."""

    name: str

    def is_pristine(self, path: str) -> bool:
        """Whether the file belongs to an installed package and is as the package brought it."""
        ...

    def installed(self, names: Sequence[str]) -> frozenset[str]:
        """Return those of the names that are installed."""
        ...

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Install them. Waits for a locked database; never removes another package.

        Raises MachineError: offline, name not to be had, or another package in the way, each with its own
        sentence.
        """
        ...

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Remove them and nothing else; their configuration and data stay.

        Raises MachineError where another package needs one of them.
        """
        ...

    def clear_leftovers(self) -> None:
        """Take away what a crash in the middle of an installation has left in force."""
        ...


class ServiceManager(Protocol):
    """Runs units. The changing methods raise HostError with the failing unit's own words."""

    name: str
    survives_reboot: bool
    is_live: bool
    """False: units can be enabled, but nothing runs (a directory that stands for a machine)."""

    def state(self, unit: str) -> UnitState:
        """Return how the unit is; one that there is not has `exists` False."""
        ...

    def reload_definitions(self) -> None:
        """Read the unit files again."""
        ...

    def enable(self, unit: str) -> None:
        """Let it start with the machine."""
        ...

    def disable(self, unit: str) -> None:
        """Do not let it start with the machine."""
        ...

    def start(self, unit: str) -> None:
        """Start it, with what it needs, and wait until it says that it runs."""
        ...

    def stop(self, unit: str) -> None:
        """Stop it."""
        ...

    def restart(self, unit: str) -> None:
        """Stop and start it."""
        ...

    def reload(self, unit: str) -> None:
        """Let it read its configuration again while it runs; one that cannot is restarted."""
        ...


class Firewall(Protocol):
    """Lets traffic in, by zone and port."""

    name: str
    state: FirewallState

    def zone_of_uplink(self) -> str:
        """Return the zone of the interface with the default route, else the default zone."""
        ...

    def default_zone(self) -> str:
        """Return the zone into which an interface falls that nobody gave another."""
        ...

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Whether the port is let in, (now, permanently)."""
        ...

    def open_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Let a port in, in what runs, in what is kept, or both."""
        ...

    def close_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Shut a port, in what runs, in what is kept, or both."""
        ...

    def zones_in_use(self) -> tuple[str, ...]:
        """Return the zones that have interfaces or sources, and the default zone; sorted."""
        ...

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """Whether the zone has this rich rule, (now, permanently)."""
        ...

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Add a rich rule, in what runs, in what is kept, or both."""
        ...

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Remove a rich rule, in what runs, in what is kept, or both."""
        ...

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return (services, interfaces) of a zone as it runs; None where it is not there."""
        ...

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """Return (target, openings) of a zone as it runs; None where it is not there.

        An opening is (service, ports), with the empty name for ports of the zone's own; ports as firewalld
        writes them, `25/tcp` or `7078-7079/udp`. The target is default, ACCEPT, DROP or %%REJECT%%.
        """
        ...

    def release_interface(self, zone: str, interface: str) -> None:
        """Take an interface out of a zone, in what runs."""
        ...

    def reload(self, own_zone: str) -> None:
        """Read the files anew. What somebody set in the running firewall alone stays, but for `own_zone`."""
        ...


class Network(Protocol):
    """Looks at the network, for verifications. Every call returns within its timeout."""

    def address_is_bound(self, address: str) -> bool:
        """Whether a socket can be bound to the address now."""
        ...

    def tcp_greeting(self, host: str, port: int, timeout: float) -> str:
        """First line that the server sends; raises OSError (refused, timeout) as the kernel words it."""
        ...

    def sip_answer(self, host: str, timeout: float) -> str:
        """Return what the phone at this address answers; raises OSError as the kernel words it."""
        ...

    def peer_states(self) -> tuple[tuple[str, str], ...]:
        """Return (link address, state word) of each peer of the running router; () without one."""
        ...

    def uplink_addresses(self) -> tuple[str, ...]:
        """Return the own addresses in packets to the Internet: at most one of each version of IP."""
        ...


class Host(Protocol):
    """See the module docstring. Paths are absolute paths of the machine, also for a RootedHost."""

    @property
    def packages(self) -> PackageManager:
        """What installs packages."""
        ...

    @property
    def services(self) -> ServiceManager:
        """What runs units."""
        ...

    @property
    def firewall(self) -> Firewall:
        """What lets traffic in."""
        ...

    @property
    def network(self) -> Network:
        """What can be seen of the network."""
        ...

    @property
    def is_live(self) -> bool:
        """False for a directory that stands for a machine: nothing runs there, so nothing is waited for."""
        ...

    # -- looking
    def read(self, path: str, *, as_user: str | None = None) -> bytes | None:
        """Return the file's bytes, None if there is none. Raises HostError, as for links in homes."""
        ...

    def stat(self, path: str) -> FileInfo | None:
        """Look at the entry itself: a link is not followed. None: there is none."""
        ...

    def list_directory(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in it; none for a directory that is not there."""
        ...

    def probe(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        """Run a command that only looks. Status 127 when the program is not there."""
        ...

    def check_content(self, content: bytes, argv: Sequence[str]) -> str:
        """Return what the command `argv` ({}: path of the content) has against it; empty: nothing.

        A program that is not there has nothing against it either.
        """
        ...

    def list_tree(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Return (path below it, SHA-256, permission bits) of every file of a tree, sorted; no bytecode."""
        ...

    def list_source(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Return the same for a tree that copy_tree may copy: a path where dexsetup runs."""
        ...

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...

    def wall_clock(self) -> float:
        """Seconds since 1970, for run names and journals; never for durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def hold_lock(self, path: str, text: str) -> AbstractContextManager[None]:
        """Hold the lock file for a while. Raises LockedError with the text of its holder."""
        ...

    def has_blackhole(self, network: str, metric: int) -> bool | None:
        """Whether the kernel has an IPv6 route of this metric at which packets end. None: nobody can say."""
        ...

    # -- changing: each call is one mutation
    def append(self, path: str, content: bytes) -> None:
        """Add to a file of root's alone (made with mode 0600) and fsync it: journals and logs."""
        ...

    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int,
        owner: str,
        group: str,
        as_user: str | None = None,
        validate: Sequence[str] = (),
    ) -> None:
        """Replace the file atomically: temporary file beside it, rights, label, fsync, validate, rename."""
        ...

    def remove(self, path: str, *, as_user: str | None = None) -> None:
        """Remove a file or link; one that is not there is removed already."""
        ...

    def make_directory(
        self, path: str, *, mode: int, owner: str, group: str, as_user: str | None = None
    ) -> None:
        """Make a directory, or give the one that is there this mode and owner."""
        ...

    def remove_directory(self, path: str, *, as_user: str | None = None) -> None:
        """Remove an empty directory."""
        ...

    def make_link(self, path: str, target: str) -> None:
        """Make or replace a symbolic link, by rename."""
        ...

    def copy_tree(self, source: str, path: str) -> None:
        """Put a root-owned copy of source at path, replacing what was there by two renames."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that is in it."""
        ...

    def move_tree(self, path: str, to: str) -> None:
        """Rename a directory."""
        ...

    def add_system_user(self, name: str, *, home: str, comment: str) -> None:
        """Add an account without login, and its group."""
        ...

    def remove_system_user(self, name: str) -> None:
        """Remove the account and its group."""
        ...

    def add_blackhole(self, network: str, metric: int) -> None:
        """Add such a route, to the running kernel alone."""
        ...

    def remove_blackhole(self, network: str, metric: int) -> None:
        """Take it away."""
        ...

    def run(self, argv: Sequence[str], *, timeout: float, progress: ProgressSink | None = None) -> Completed:
        """Run a command that changes something."""
        ...
