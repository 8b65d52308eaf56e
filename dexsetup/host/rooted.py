"""A directory that stands for a machine (`--root DIR`): files are rendered and edited below it, nothing runs.

Units are enabled by the links that `systemctl --root` would make and start when the image does. Packages are
not installed into a directory and its firewall is not touched: the plan says so. Users and groups are those
of the directory's own /etc/passwd and /etc/group.
"""

# The arguments are the contract's; most of them mean nothing in a directory.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Sequence

from dexsetup.errors import HostError, MachineError
from dexsetup.host.base import Completed, FirewallState, ProgressSink, UnitState
from dexsetup.host.files import PosixFiles
from dexsetup.host.unitfile import UnitFile, load_unit

__all__ = ["ImagePackages", "ImageServices", "NoFirewall", "NoNetwork", "RootedHost"]

_UNITS = "/etc/systemd/system"
_SYSTEM_IDS = range(999, 99, -1)
"""Where distributions take the numbers of system accounts from, downwards."""


class NoFirewall:
    """A machine without a firewall that we could speak to."""

    name = "none"
    state = FirewallState.NONE

    def zones_in_use(self) -> tuple[str, ...]:
        """There are no zones."""
        return ()

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """There are no rules."""
        return False, False

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Refuse: a handler looks at `state` first."""
        raise HostError(f"there is no firewall to which to add: {rule}")

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Refuse: a handler looks at `state` first."""
        raise HostError(f"there is no firewall from which to take: {rule}")

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """There are no zones."""
        return None

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """There are no zones."""
        return None

    def release_interface(self, zone: str, interface: str) -> None:
        """No interface is in a zone."""

    def reload(self, own_zone: str) -> None:
        """There is nothing to read anew."""

    def zone_of_uplink(self) -> str:
        """There are no zones."""
        return ""

    def default_zone(self) -> str:
        """There are no zones."""
        return ""

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Nothing keeps the port shut."""
        return True, True

    def open_port(
        self,
        zone: str,
        port: int,
        protocol: str,
        *,
        now: bool = True,
        permanently: bool = True,
    ) -> None:
        """Refuse: a handler looks at `state` first."""
        raise HostError(f"there is no firewall in which to open {port}/{protocol}")

    def close_port(
        self,
        zone: str,
        port: int,
        protocol: str,
        *,
        now: bool = True,
        permanently: bool = True,
    ) -> None:
        """Refuse, as open_port does."""
        raise HostError(f"there is no firewall in which to close {port}/{protocol}")


class NoNetwork:
    """Nothing runs in a directory, so nothing answers."""

    def address_is_bound(self, address: str) -> bool:
        """No interface, no address."""
        return False

    def tcp_greeting(self, host: str, port: int, timeout: float) -> str:
        """Refuse like a kernel would."""
        raise ConnectionRefusedError(f"nothing runs here that could answer on {host} port {port}")

    def sip_answer(self, host: str, timeout: float) -> str:
        """Refuse likewise."""
        raise ConnectionRefusedError(f"nothing runs here that could answer calls to {host}")

    def peer_states(self) -> tuple[tuple[str, str], ...]:
        """No router."""
        return ()

    def uplink_addresses(self) -> tuple[str, ...]:
        """No interface."""
        return ()


class ImagePackages:
    """The packages of a directory: known to nobody here."""

    name = "none"

    def is_pristine(self, path: str) -> bool:
        """Nobody can say."""
        return False

    def installed(self, names: Sequence[str]) -> frozenset[str]:
        """Nobody can say."""
        return frozenset()

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Refuse."""
        raise MachineError(f"Packages ({', '.join(names)}) are not installed into a directory.")

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Refuse."""
        raise MachineError(f"Packages ({', '.join(names)}) are not removed from a directory.")

    def clear_leftovers(self) -> None:
        """Nothing is ever begun."""


class ImageServices:
    """Enables units of an image by links, as `systemctl --root=DIR enable` does; starts nothing."""

    name = "image"
    survives_reboot = True
    is_live = False

    def __init__(self, files: PosixFiles) -> None:
        self._files = files

    def state(self, unit: str) -> UnitState:
        """Return whether the unit is there and enabled. Nothing is active in an image."""
        definition = self._load(unit)
        if definition is None:
            return UnitState(exists=False, enabled=False, active=False)
        links = self._links(definition)
        enabled = bool(links) and all(self._files.stat(path) is not None for path, _ in links)
        return UnitState(exists=True, enabled=enabled or not links, active=False, detail="image")

    def reload_definitions(self) -> None:
        """Nobody has read them."""

    def enable(self, unit: str) -> None:
        """Make the links of the unit's [Install] section."""
        definition = self._load(unit)
        if definition is None:
            raise HostError(f"there is no unit {unit} below {self._files.root}")
        for path, target in self._links(definition):
            directory = path.rpartition("/")[0]
            if self._files.stat(directory) is None:
                self._files.make_directory(directory, mode=0o755, owner="root", group="root")
            self._files.make_link(path, target)

    def disable(self, unit: str) -> None:
        """Remove the links, and a .wants directory that is empty then."""
        definition = self._load(unit)
        for path, _ in self._links(definition) if definition is not None else ():
            self._files.remove(path)
            directory = path.rpartition("/")[0]
            if directory != _UNITS and not self._files.list_directory(directory):
                self._files.remove_directory(directory)

    def start(self, unit: str) -> None:
        """Nothing runs in an image."""

    stop = restart = reload = start

    def _load(self, unit: str) -> UnitFile | None:
        return load_unit(unit, self._files.read, self._files.list_directory)

    def _links(self, unit: UnitFile) -> list[tuple[str, str]]:
        links = [(f"{_UNITS}/{alias}", unit.path) for alias in unit.words("Install", "Alias")]
        for key, suffix in (("WantedBy", "wants"), ("RequiredBy", "requires")):
            targets = unit.words("Install", key)
            links += [(f"{_UNITS}/{target}.{suffix}/{unit.name}", unit.path) for target in targets]
        return links


class RootedHost(PosixFiles):
    """See the module docstring."""

    is_live = False

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.packages = ImagePackages()
        self.services = ImageServices(self)
        self.firewall = NoFirewall()
        self.network = NoNetwork()

    def probe(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        """No program of the image is run: it may be for another processor."""
        return Completed(tuple(argv), 127, "", "")

    def check_content(self, content: bytes, argv: Sequence[str]) -> str:
        """No program of the image is run."""
        return ""

    def run(self, argv: Sequence[str], *, timeout: float, progress: ProgressSink | None = None) -> Completed:
        """Refuse."""
        raise HostError(f"{argv[0]} is not run in a directory")

    def has_blackhole(self, network: str, metric: int) -> bool | None:
        """There is no kernel to ask."""
        return None

    def add_blackhole(self, network: str, metric: int) -> None:
        """Refuse: a handler looks at `is_live` first."""
        raise HostError(f"a directory has no routes, so none for {network}")

    remove_blackhole = add_blackhole

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
        """Replace a file, without asking a program of the image."""
        super().write(path, content, mode=mode, owner=owner, group=group, as_user=as_user)

    def add_system_user(self, name: str, *, home: str, comment: str) -> None:
        """Add the account's lines to the image's own files."""
        accounts = self.accounts()
        taken = {user.uid for user in accounts.users} | {number for _, number in accounts.groups}
        number = next(number for number in _SYSTEM_IDS if number not in taken)
        self._edit("/etc/group", f"{name}:x:{number}:", name, mode=0o644)
        self._edit(
            "/etc/passwd", f"{name}:x:{number}:{number}:{comment}:{home}:/usr/sbin/nologin", name, mode=0o644
        )

    def remove_system_user(self, name: str) -> None:
        """Remove the account's lines."""
        for path in ("/etc/passwd", "/etc/group"):
            self._edit(path, None, name, mode=0o644)

    def _edit(self, path: str, line: str | None, name: str, *, mode: int) -> None:
        before = self.stat(path)
        lines = (self.read(path) or b"").splitlines(keepends=True)
        kept = b"".join(old for old in lines if not old.startswith(f"{name}:".encode()))
        if line is not None:
            end = b"" if kept.endswith(b"\n") or not kept else b"\n"
            kept += end + f"{line}\n".encode()
        self.write(
            path,
            kept,
            mode=before.mode if before else mode,
            owner=before.owner if before else "root",
            group=before.group if before else "root",
        )
