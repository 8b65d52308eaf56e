"""A machine in memory, and a door to any machine that breaks at a chosen moment. For tests.

FakeHost keeps files, packages, units and firewall as plain values that a test sets up and compares; its clock
moves only when somebody sleeps. CrashingHost stands before any other host and raises SimulatedCrash before or
after the n-th mutation, as if the process had been killed there.
"""

# The arguments are the contract's; a machine in memory has no use for some of them.
# ruff: noqa: ARG002

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from dexsetup.errors import HostError, LockedError, MachineError
from dexsetup.host.base import (
    Completed,
    FileInfo,
    FileKind,
    FirewallState,
    Host,
    ProgressSink,
    UnitState,
)

__all__ = [
    "CrashingHost",
    "FakeFirewall",
    "FakeHost",
    "FakeNetwork",
    "FakeNode",
    "FakePackages",
    "FakeServices",
    "SimulatedCrash",
]


class SimulatedCrash(BaseException):
    """The process was killed here: nothing may catch it and go on."""


@dataclass(frozen=True, slots=True)
class FakeNode:
    """One directory entry."""

    kind: FileKind
    content: bytes = b""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    target: str = ""


@dataclass(slots=True)
class FakePackages:
    """Packages by name. `brings` says which files a package puts in place when it is installed."""

    host: FakeHost
    name: str = "apt"
    present: set[str] = field(default_factory=set)
    brings: dict[str, dict[str, bytes]] = field(default_factory=dict)
    failure: MachineError | None = None
    pristine: dict[str, bytes] = field(default_factory=dict)
    cleared: int = 0
    """How often what a crash may have left was cleared away."""

    def is_pristine(self, path: str) -> bool:
        """Whether the file is as a package brought it."""
        return path in self.pristine and self.host.read(path) == self.pristine[path]

    def installed(self, names: Sequence[str]) -> frozenset[str]:
        """Return those of the names that are installed."""
        return frozenset(self.present.intersection(names))

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Install them with their files."""
        if self.failure is not None:
            raise self.failure
        for name in names:
            progress(f"unpacking {name}")
            self.present.add(name)
            for path, content in self.brings.get(name, {}).items():
                self.host.put(path, content)
                self.pristine[path] = content

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Remove them; their files stay, as configuration does."""
        if self.failure is not None:
            raise self.failure
        for name in names:
            progress(f"removing {name}")
            self.present.remove(name)

    def clear_leftovers(self) -> None:
        """Take note."""
        self.cleared += 1


@dataclass(slots=True)
class FakeServices:
    """Units by name. A unit exists when it is in `units` or has a file in a unit directory."""

    host: FakeHost
    name: str = "systemd"
    survives_reboot: bool = True
    is_live: bool = True
    units: dict[str, UnitState] = field(default_factory=dict)
    refuses_to_start: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def state(self, unit: str) -> UnitState:
        """Return the state of a unit."""
        known = self.units.get(unit)
        exists = self.host.stat(f"/etc/systemd/system/{unit}") is not None
        if known is not None:
            return replace(known, exists=known.exists or exists)
        return UnitState(exists=exists, enabled=False, active=False)

    def reload_definitions(self) -> None:
        """Take note."""
        self.log.append("reload")

    def enable(self, unit: str) -> None:
        """Enable it."""
        self._set(unit, "enable", enabled=True)

    def disable(self, unit: str) -> None:
        """Disable it."""
        self._set(unit, "disable", enabled=False)

    def start(self, unit: str) -> None:
        """Start it, unless the test says that it fails."""
        words = self.refuses_to_start.get(unit, "")
        self._set(unit, "start", active=not words, detail=words)

    def stop(self, unit: str) -> None:
        """Stop it."""
        self._set(unit, "stop", active=False)

    def restart(self, unit: str) -> None:
        """Start it anew."""
        words = self.refuses_to_start.get(unit, "")
        self._set(unit, "restart", active=not words, detail=words)

    def reload(self, unit: str) -> None:
        """Let it read its configuration again; what the unit refuses to start with, it dies of."""
        words = self.refuses_to_start.get(unit, "")
        self._set(unit, "reload", active=not words, detail=words)

    def _set(self, unit: str, verb: str, **changes: Any) -> None:
        state = self.state(unit)
        if not state.exists:
            raise HostError(f"{verb} {unit} failed", why=f"Unit {unit} not found.")
        self.log.append(f"{verb} {unit}")
        self.units[unit] = replace(
            state, exists=self.units.get(unit, UnitState(False, False, False)).exists, **changes
        )


@dataclass(slots=True)
class FakeFirewall:
    """Open ports as sets of (zone, port, protocol), rules as (zone, rule); zones of ours from their files."""

    name: str = "firewalld"
    state: FirewallState = FirewallState.RUNNING
    uplink: str = "public"
    runtime: set[tuple[str, int, str]] = field(default_factory=set)
    permanent: set[tuple[str, int, str]] = field(default_factory=set)
    rules: set[tuple[str, str]] = field(default_factory=set)
    kept_rules: set[tuple[str, str]] = field(default_factory=set)
    zones: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    openings: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = field(default_factory=dict)
    """By zone: (service, ports) of what it lets in."""
    targets: dict[str, str] = field(default_factory=dict)
    service_ports: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"smtp": ("25/tcp",), "ssh": ("22/tcp",)}
    )
    read_zones: Callable[[], dict[str, bytes]] = dict
    """Gives the files of zones by name: what a reload sees."""

    def zones_in_use(self) -> tuple[str, ...]:
        """Return the zone of the uplink and our own."""
        return tuple(sorted({self.uplink, *self.zones}))

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """Return (now, permanently)."""
        return (zone, rule) in self.rules, (zone, rule) in self.kept_rules

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Add it."""
        self.rules |= {(zone, rule)} if now else set()
        self.kept_rules |= {(zone, rule)} if permanently else set()

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Remove it."""
        self.rules -= {(zone, rule)} if now else set()
        self.kept_rules -= {(zone, rule)} if permanently else set()

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return what the last reload has read."""
        return self.zones.get(zone)

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """Return what `openings` says, the services of the last reload, and the ports that were opened."""
        if zone not in {*self.openings, *self.zones, self.uplink}:
            return None
        services = sorted(self.zones[zone][0]) if zone in self.zones else ()
        read = tuple((name, self.service_ports.get(name, ())) for name in services)
        opened = sorted(f"{port}/{protocol}" for where, port, protocol in self.runtime if where == zone)
        own = (("", tuple(opened)),) if opened else ()
        return self.targets.get(zone, "default"), (*self.openings.get(zone, ()), *read, *own)

    def release_interface(self, zone: str, interface: str) -> None:
        """Take it out of the running zone."""
        services, interfaces = self.zones[zone]
        self.zones[zone] = (services, interfaces - {interface})

    def reload(self, own_zone: str) -> None:
        """Read the files of zones."""
        self.zones = {
            name: (
                frozenset(re.findall(r'<service name="([^"]+)"', content.decode())),
                frozenset(re.findall(r'<interface name="([^"]+)"', content.decode())),
            )
            for name, content in self.read_zones().items()
        }

    def zone_of_uplink(self) -> str:
        """Return the zone that the default route is in."""
        return self.uplink

    def default_zone(self) -> str:
        """Return the zone that the default route is in."""
        return self.uplink

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Return (now, permanently)."""
        key = (zone, port, protocol)
        return key in self.runtime, key in self.permanent

    def open_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Let it in."""
        if now:
            self.runtime.add((zone, port, protocol))
        if permanently:
            self.permanent.add((zone, port, protocol))

    def close_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Shut it out."""
        if now:
            self.runtime.discard((zone, port, protocol))
        if permanently:
            self.permanent.discard((zone, port, protocol))


@dataclass(slots=True)
class FakeNetwork:
    """What the network answers."""

    bound: set[str] = field(default_factory=set)
    any_address_is_bound: bool = False
    greetings: dict[tuple[str, int], str] = field(default_factory=dict)
    phones: dict[str, str | OSError] = field(default_factory=dict)
    peers: tuple[tuple[str, str], ...] = ()
    uplink: tuple[str, ...] = ()

    def address_is_bound(self, address: str) -> bool:
        """Whether the address is there."""
        return self.any_address_is_bound or address in self.bound

    def tcp_greeting(self, host: str, port: int, timeout: float) -> str:
        """Return the first line."""
        greeting = self.greetings.get((host, port))
        if greeting is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return greeting

    def sip_answer(self, host: str, timeout: float) -> str:
        """Return the answer of a phone."""
        answer = self.phones.get(host, ConnectionRefusedError(111, "Connection refused"))
        if isinstance(answer, OSError):
            raise answer
        return answer

    def peer_states(self) -> tuple[tuple[str, str], ...]:
        """Return the peers."""
        return self.peers

    def uplink_addresses(self) -> tuple[str, ...]:
        """Return `uplink`."""
        return self.uplink


_DIRECTORIES = (
    "/", "/etc", "/etc/systemd", "/etc/systemd/system", "/home", "/opt", "/root", "/run", "/usr", "/var",
    "/var/lib",
)  # fmt: skip


class FakeHost:
    """A machine in memory. See the module docstring."""

    is_live = True

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        directory = FakeNode(FileKind.DIRECTORY, mode=0o755)
        self.nodes: dict[str, FakeNode] = dict.fromkeys(_DIRECTORIES, directory)
        self.users: set[str] = {"root"}
        self.clock = 0.0
        self.started = 1795356131.0
        self.programs: dict[tuple[str, ...], Completed] = {}
        self.validators: dict[str, Callable[[bytes], str]] = {}
        self.sources: dict[str, dict[str, bytes]] = {}
        """Trees outside of the fake machine that copy_tree may copy."""
        self.blackholes: set[tuple[str, int]] = set()
        self.locked_by = ""
        self.packages = FakePackages(self)
        self.services = FakeServices(self)
        self.firewall = FakeFirewall(read_zones=self._zone_files)
        self.network = FakeNetwork()
        self.put("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        for path, content in (files or {}).items():
            self.put(path, content)

    # -- for the test

    def put(self, path: str, content: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        """Place a file and the directories above it, as the test's author."""
        parts = path.split("/")[1:-1]
        for depth in range(1, len(parts) + 1):
            above = "/" + "/".join(parts[:depth])
            self.nodes.setdefault(above, FakeNode(FileKind.DIRECTORY, mode=0o755))
        self.nodes[path] = FakeNode(FileKind.FILE, content, mode, owner, owner)

    def snapshot(self) -> dict[str, object]:
        """Return all that may be compared before and after, dexsetup's own records left out."""
        own = ("/var/lib/dexsetup",)
        return {
            "files": {path: node for path, node in self.nodes.items() if not path.startswith(own)},
            "users": set(self.users),
            "blackholes": set(self.blackholes),
            "units": {
                name: (state.enabled, state.active)
                for name, state in self.services.units.items()
                if state.enabled or state.active
            },
            "firewall": (
                set(self.firewall.runtime),
                set(self.firewall.permanent),
                set(self.firewall.rules),
                set(self.firewall.kept_rules),
                dict(self.firewall.zones),
            ),
        }

    def _zone_files(self) -> dict[str, bytes]:
        directory = "/etc/firewalld/zones/"
        return {
            path.removeprefix(directory).removesuffix(".xml"): node.content
            for path, node in self.nodes.items()
            if path.startswith(directory) and path.endswith(".xml")
        }

    # -- looking

    def read(self, path: str, *, as_user: str | None = None) -> bytes | None:
        """Return the content; a link is followed for root and refused for a user."""
        node = self.nodes.get(path)
        if node is None:
            return None
        if node.kind is FileKind.LINK:
            if as_user is not None:
                raise HostError(f"{path} is a symbolic link (to {node.target}), and it is not followed")
            return self.read(node.target)
        if node.kind is not FileKind.FILE:
            raise HostError(f"{path} is not a plain file")
        return node.content

    def stat(self, path: str) -> FileInfo | None:
        """Look at one entry."""
        node = self.nodes.get(path)
        if node is None:
            return None
        return FileInfo(node.kind, node.mode, node.owner, node.group, len(node.content), node.target)

    def list_directory(self, path: str) -> tuple[str, ...]:
        """Return the sorted names."""
        prefix = path.rstrip("/") + "/"
        below = (name[len(prefix) :] for name in self.nodes if name.startswith(prefix) and name != "/")
        return tuple(sorted(name for name in below if name and "/" not in name))

    def list_tree(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash the files of a tree."""
        prefix = f"{path}/"
        return _hashed(
            {
                name[len(prefix) :]: node.content
                for name, node in self.nodes.items()
                if name.startswith(prefix) and node.kind is FileKind.FILE
            }
        )

    def list_source(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash the files of a tree outside of the machine."""
        return _hashed(self.sources.get(path, {}))

    def probe(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        """Answer as the test said, or as if the program were not there."""
        return self.programs.get(tuple(argv), Completed(tuple(argv), 127, "", ""))

    def check_content(self, content: bytes, argv: Sequence[str]) -> str:
        """Ask the test's validator."""
        validator = self.validators.get(argv[0])
        return "" if validator is None else validator(content)

    def has_blackhole(self, network: str, metric: int) -> bool | None:
        """Whether it was added."""
        return (network, metric) in self.blackholes

    def now(self) -> float:
        """Return the time that was slept."""
        return self.clock

    def wall_clock(self) -> float:
        """Return a date that moves with the clock."""
        return self.started + self.clock

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.clock += seconds

    @contextmanager
    def hold_lock(self, path: str, text: str) -> Iterator[None]:
        """Hold the one lock."""
        if self.locked_by:
            raise LockedError("Another run of dexsetup is under way.", why=self.locked_by)
        self.locked_by = f"{path}: {text}"
        try:
            yield
        finally:
            self.locked_by = ""

    # -- changing

    def append(self, path: str, content: bytes) -> None:
        """Add to a file."""
        self._need_parent(path)
        node = self.nodes.get(path, FakeNode(FileKind.FILE, mode=0o600))
        self.nodes[path] = replace(node, content=node.content + content)

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
        """Replace a file."""
        self._need_parent(path)
        if as_user is not None and as_user not in self.users:
            raise HostError(f"there is no user {as_user}")
        if validate and (complaint := self.check_content(content, validate)):
            raise HostError(f"{path}: {validate[0]} does not accept the new file", why=complaint)
        self.nodes[path] = FakeNode(FileKind.FILE, content, mode, owner, group)

    def remove(self, path: str, *, as_user: str | None = None) -> None:
        """Remove a file or link."""
        self.nodes.pop(path, None)

    def make_directory(
        self,
        path: str,
        *,
        mode: int,
        owner: str,
        group: str,
        as_user: str | None = None,
    ) -> None:
        """Make a directory, or set the mode and owner of one."""
        self._need_parent(path)
        self.nodes[path] = FakeNode(FileKind.DIRECTORY, mode=mode, owner=owner, group=group)

    def remove_directory(self, path: str, *, as_user: str | None = None) -> None:
        """Remove an empty directory."""
        if self.list_directory(path):
            raise HostError(f"removing the directory {path} failed: Directory not empty")
        self.nodes.pop(path, None)

    def make_link(self, path: str, target: str) -> None:
        """Make or replace a link."""
        self._need_parent(path)
        self.nodes[path] = FakeNode(FileKind.LINK, mode=0o777, target=target)

    def copy_tree(self, source: str, path: str) -> None:
        """Copy a tree from outside."""
        self.remove_tree(path)
        self.nodes[path] = FakeNode(FileKind.DIRECTORY, mode=0o755)
        for name, content in self.sources[source].items():
            self.put(f"{path}/{name}", content)

    def remove_tree(self, path: str) -> None:
        """Remove all below."""
        for name in [name for name in self.nodes if name == path or name.startswith(f"{path}/")]:
            del self.nodes[name]

    def move_tree(self, path: str, to: str) -> None:
        """Rename all below."""
        for name in [name for name in self.nodes if name == path or name.startswith(f"{path}/")]:
            self.nodes[to + name[len(path) :]] = self.nodes.pop(name)

    def add_system_user(self, name: str, *, home: str, comment: str) -> None:
        """Add an account."""
        self.users.add(name)
        self._accounts()

    def remove_system_user(self, name: str) -> None:
        """Remove an account."""
        self.users.discard(name)
        self._accounts()

    def add_blackhole(self, network: str, metric: int) -> None:
        """Add it."""
        self.blackholes.add((network, metric))

    def remove_blackhole(self, network: str, metric: int) -> None:
        """Take it away."""
        self.blackholes.remove((network, metric))

    def run(self, argv: Sequence[str], *, timeout: float, progress: ProgressSink | None = None) -> Completed:
        """Answer like probe."""
        return self.probe(argv)

    def _need_parent(self, path: str) -> None:
        above = path.rpartition("/")[0] or "/"
        node = self.nodes.get(above)
        if node is None or node.kind is not FileKind.DIRECTORY:
            raise HostError(f"writing {path} failed: No such file or directory")

    def _accounts(self) -> None:
        """Keep /etc/passwd, where handlers look for accounts, like `users`; lines of a test's own stay."""
        lines = (self.read("/etc/passwd") or b"").decode().splitlines()
        known = [line for line in lines if line.split(":")[0] in self.users]
        names = {line.split(":")[0] for line in known}
        known += [f"{name}:x:900:900::/:/usr/sbin/nologin" for name in sorted(self.users - names)]
        self.put("/etc/passwd", "".join(f"{line}\n" for line in known).encode())


def _hashed(files: Mapping[str, bytes]) -> tuple[tuple[str, str, int], ...]:
    return tuple(sorted((name, sha256(content).hexdigest(), 0o644) for name, content in files.items()))


_MUTATIONS = frozenset(
    {
        "append", "write", "remove", "make_directory", "remove_directory", "make_link", "copy_tree",
        "remove_tree", "move_tree", "add_system_user", "remove_system_user", "run", "install",
        "reload_definitions", "enable", "disable", "start", "stop", "restart", "open_port", "close_port",
        "add_rule", "remove_rule", "release_interface", "reload", "add_blackhole", "remove_blackhole",
        "clear_leftovers",
    }
)  # fmt: skip
_PARTS = frozenset({"packages", "services", "firewall"})


class CrashingHost:
    """Any host, with a crash before or after its n-th mutation (counted from 1; 0: never)."""

    def __init__(self, host: Host, *, at: int = 0, after: bool = False) -> None:
        self._host = host
        self._at = at
        self._after = after
        self.mutations = 0
        self.trace: list[str] = []
        """The mutations that were made, for the message of a failing test."""

    def as_host(self) -> Host:
        """Return this object under its contract: the wrapping is by name, which types cannot see."""
        host: Any = self
        checked: Host = host
        return checked

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._host, name)
        if name in _PARTS:
            return _CrashingPart(self, value)
        return self.guard(value, name) if name in _MUTATIONS else value

    def guard(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Wrap one mutation."""

        def mutate(*args: Any, **kwargs: Any) -> Any:
            self.mutations += 1
            crash = self.mutations == self._at
            self.trace.append(f"{name} {args[0] if args else ''}")
            if crash and not self._after:
                raise SimulatedCrash(self.trace[-1])
            result = call(*args, **kwargs)
            if crash:
                raise SimulatedCrash(self.trace[-1])
            return result

        return mutate


class _CrashingPart:
    """The package, service or firewall part of a CrashingHost."""

    def __init__(self, crashing: CrashingHost, part: Any) -> None:
        self._crashing = crashing
        self._part = part

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return self._crashing.guard(value, name) if name in _MUTATIONS else value
