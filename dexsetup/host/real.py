"""The machine itself, with the package, service and firewall classes that fit what is found."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from dexsetup.errors import HostError
from dexsetup.host import blackholes
from dexsetup.host.base import Completed, Firewall, PackageManager, ProgressSink, ServiceManager
from dexsetup.host.commands import NOT_THERE, run_command
from dexsetup.host.direct import Direct
from dexsetup.host.files import PosixFiles
from dexsetup.host.firewall import choose_firewall, uplink_interface
from dexsetup.host.network import LiveNetwork
from dexsetup.host.packages import Apt, Dnf, NoPackageManager
from dexsetup.host.rooted import NoFirewall
from dexsetup.host.services import Systemd

__all__ = ["RealHost"]

_SELINUX = Path("/sys/fs/selinux/enforce")
_LABEL = "security.selinux"
_SECONDS = 60.0


class RealHost(PosixFiles):
    """See the module docstring."""

    is_live = True

    def __init__(self) -> None:
        super().__init__("/")
        self.network = LiveNetwork(self.read)

    @cached_property
    def packages(self) -> PackageManager:
        """The distribution's package manager."""
        if Path("/usr/bin/apt-get").exists():
            return Apt(self.run, self.read, self.list_directory, holds_services=not self._has_systemd)
        if Path("/usr/bin/dnf").exists():
            return Dnf(self.run)
        return NoPackageManager()

    @cached_property
    def services(self) -> ServiceManager:
        """The service manager: systemd where it is PID 1."""
        return Systemd(self.run) if self._has_systemd else Direct(self)

    @cached_property
    def firewall(self) -> Firewall:
        """The firewall as it was found."""
        return choose_firewall(self.run, self._uplink, self.read, self.list_directory) or NoFirewall()

    @cached_property
    def _has_systemd(self) -> bool:
        return Path("/run/systemd/system").is_dir()

    def _uplink(self) -> str:
        return uplink_interface(*(self.read(f"/proc/net/{table}") for table in ("route", "ipv6_route")))

    def probe(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        """Run a command that only looks."""
        return run_command(argv, timeout=timeout)

    def run(self, argv: Sequence[str], *, timeout: float, progress: ProgressSink | None = None) -> Completed:
        """Run a command that changes something."""
        return run_command(argv, timeout=timeout, progress=progress)

    def add_system_user(self, name: str, *, home: str, comment: str) -> None:
        """Add an account without login and its group."""
        argv = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home]
        self._must([*argv, "--shell", "/usr/sbin/nologin", "--comment", comment, name])

    def remove_system_user(self, name: str) -> None:
        """Remove the account; its group goes with it."""
        self._must(["userdel", name])

    def has_blackhole(self, network: str, metric: int) -> bool | None:
        """Ask the kernel."""
        return blackholes.has_blackhole(self.run, network, metric)

    def add_blackhole(self, network: str, metric: int) -> None:
        """Add the route."""
        blackholes.add_blackhole(self.run, network, metric)

    def remove_blackhole(self, network: str, metric: int) -> None:
        """Take the route away."""
        blackholes.remove_blackhole(self.run, network, metric)

    def _must(self, argv: list[str]) -> None:
        done = run_command(argv, timeout=_SECONDS)
        if done.status == NOT_THERE:
            raise HostError(
                f"{argv[0]} is not on this machine; it belongs to the package passwd or shadow-utils."
            )
        if done.status != 0:
            raise HostError(f"{' '.join(argv)} failed.", why=done.stderr.strip())

    # -- SELinux: labels are set like mode and owner

    def _label_like(self, fd: int, parent: int, name: str) -> None:
        if not _SELINUX.exists():
            return
        with suppress(OSError):  # no former file, or a file system without labels
            former = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.setxattr(fd, _LABEL, os.getxattr(former, _LABEL))
            finally:
                os.close(former)

    def _relabel(self, path: str, *, is_tree: bool = False) -> None:
        if not _SELINUX.exists():
            return
        with suppress(OSError, subprocess.SubprocessError):
            run_command(["restorecon", *(["-R"] if is_tree else []), path], timeout=_SECONDS)
