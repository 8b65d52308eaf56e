"""A home that is a whole machine: systemd as its process 1, started and stopped like a computer.

The file system is an overlay of the running system, as in every home; systemd-nspawn starts in it what the
machine has: systemd, D-Bus, firewalld, opensmtpd. None of the machine's own choices of what starts at boot is
taken over. What the home changes stays over a reboot and is gone with the home. The network is the home's,
and outlives the container, so that others can knock at it while it is off.
"""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from machine import Need, find_program
from neighbourhood import Home, NeighbourhoodError, wait_until

__all__ = ["BOOTS", "BootedHome"]

_SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_ENTERED = ("--mount", "--uts", "--ipc", "--pid", "--net", "--root", "--wd")
_OFF = "RTMIN+4"
"""The signal that lets systemd power off (systemd(1))."""
_BOOT_SECONDS = 60.0
_TRY_GROUP = 'mount -t cgroup2 cgroup2 /mnt && mkdir "/mnt/$1" && rmdir "/mnt/$1"'


def _can_make_groups() -> bool:
    """Whether a control group can be made here, tried out in a mount namespace of its own."""
    trial = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _TRY_GROUP, "sh", _name()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return trial.returncode == 0


def _name() -> str:
    return f"dexsetup-{uuid.uuid4().hex[:8]}"


def _has_systemd() -> bool:
    return find_program("systemd-nspawn") is not None and any(Path(path).exists() for path in _SYSTEMD)


BOOTS = Need(
    "systemd with systemd-nspawn, and control groups of version 2",
    lambda: _has_systemd() and find_program("unshare") is not None and _can_make_groups(),
)


class BootedHome(Home):
    """See the module docstring. It is on when it has been built."""

    def __init__(self, name: str, visible: Iterable[Path], stage: Path) -> None:
        self._machine = _name()
        self._group = f"/sys/fs/cgroup/{self._machine}"
        self._stage = stage
        self._visible = tuple(visible)
        self._inside = 0
        self._nspawn: subprocess.Popen[str] | None = None
        self._console: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - close() closes it
        super().__init__(name, (), stage, boots=self._group)

    def move_in(self) -> None:
        """Choose what starts at boot, as a distribution does: firewalld and opensmtpd; then switch on."""
        script = (
            'rm -rf "$1"/etc/systemd/system/* "$1"/etc/machine-id && '
            ': >"$1"/etc/machine-id && systemctl --quiet --root="$1" enable firewalld opensmtpd'
        )
        self.run("sh", "-c", script, "sh", str(self._root))
        self.switch_on()
        super().move_in()

    @property
    def _root(self) -> Path:
        return self._stage / "root"

    def command(self, argv: Sequence[str], *, login: str | None = None) -> list[str]:
        """Return the command line that runs `argv` in the container, or beside it while that is off."""
        line = super().command(argv, login=login)
        if not self._inside:
            return line
        return ["nsenter", f"--target={self._inside}", *_ENTERED, "--", *line[line.index("--") + 1 :]]

    def install(self, program: Path, to: str) -> None:
        """Put a program of the machine that runs the tests into the home's file system."""
        with program.open("rb") as content:
            subprocess.run(
                self.command(["install", "-D", "-m", "0755", "/dev/stdin", to]), stdin=content, check=True
            )

    def switch_on(self) -> None:
        """Boot, and wait until systemd has started everything or given up on it."""
        binds = [f"--bind-ro={path}" for path in self._visible]
        self._nspawn = self.start(
            "sh", "-c", 'echo $$ >"$1"/cgroup.procs && shift && exec systemd-nspawn "$@"', "sh", self._group,
            f"--directory={self._root}", "--boot", "--register=no", "--keep-unit",
            f"--machine={self._machine}", "--network-namespace-path=/proc/1/ns/net", "--console=pipe",
            "--bind=/dev/net/tun", "--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no", *binds, "systemd.unit=multi-user.target",
            log=self._console,
        )  # fmt: skip
        wait_until(self._find_inside, what="the container has a process 1", seconds=_BOOT_SECONDS)
        wait_until(self._is_up, what="systemd has booted", seconds=_BOOT_SECONDS, every=0.2)

    def switch_off(self) -> None:
        """Shut down in order; the file system and the network stay."""
        assert self._nspawn is not None
        subprocess.run(["kill", "-s", _OFF, str(self._inside)], check=True)
        self._inside = 0
        self._nspawn.wait(timeout=_BOOT_SECONDS)

    def reboot(self) -> None:
        """Switch off and on."""
        self.switch_off()
        self.switch_on()

    def close(self) -> None:
        """Pull the plug."""
        self._inside = 0
        super().close()
        self._console.close()

    def _find_inside(self) -> bool:
        """Find process 1 of the container: nsenter's child is nspawn, and its child is systemd."""
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            self._console.seek(0)
            raise NeighbourhoodError(f"{self.name} did not boot: {self._console.read()}")
        for nspawn in _children(self._nspawn.pid):
            for child in _children(nspawn):
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    self._inside = child
                    return True
        return False

    def _is_up(self) -> bool:
        shown = self.run("systemctl", "is-system-running", allowed=range(256))
        return shown.strip() in {"running", "degraded"}


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
