"""What this machine can do, asked once, and skipping by name where it cannot.

A test that needs something says so with `needs(...)` on the test or its module:

    pytestmark = needs(ROOT, TUN, program("smtpd"))

and is skipped with every missing thing named. Nothing here changes the machine.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["NAMESPACES", "OVERLAY", "PRIVATE_NETWORK", "ROOT", "TUN", "Need", "needs", "program"]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a test needs."""

    what: str
    """Completes the sentence "this machine lacks ..."."""
    is_met: Callable[[], bool]


def needs(*wanted: Need) -> pytest.MarkDecorator:
    """Mark tests to be skipped, with the reasons, unless all of this is there."""
    lacking = [need.what for need in wanted if not need.is_met()]
    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")


def program(name: str) -> Need:
    """Need a program, on the search path or where daemons live."""
    return Need(name, lambda: find_program(name) is not None)


def find_program(name: str) -> str | None:
    """Return where a program lies, daemons' directories included."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")


@functools.cache
def _can_unshare(*options: str) -> bool:
    if find_program("unshare") is None:
        return False
    trial = subprocess.run(
        ["unshare", *options, "--", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return trial.returncode == 0


@functools.cache
def _can_overlay() -> bool:
    """Whether an overlay of the running system can be mounted, tried out in a namespace of its own."""
    attempt = (
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/m"
        " && mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/m"
    )
    trial = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", attempt],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return trial.returncode == 0


def _in_plain_chroot() -> bool:
    """Whether our root directory is no mount point: the kernel then refuses a mount namespace."""
    table = Path("/proc/self/mountinfo")
    return table.exists() and all(line.split()[4] != "/" for line in table.read_text().splitlines())


_CHROOT_ADVICE = " (in a chroot: mount --bind DIRECTORY DIRECTORY first)" if _in_plain_chroot() else ""

ROOT = Need("root", lambda: os.geteuid() == 0)
TUN = Need("/dev/net/tun", lambda: Path("/dev/net/tun").exists())
PRIVATE_NETWORK = Need("network namespaces", lambda: _can_unshare("--net"))
NAMESPACES = Need(
    f"network, mount and process namespaces{_CHROOT_ADVICE}",
    lambda: _can_unshare("--net", "--mount", "--pid", "--fork", "--uts", "--ipc"),
)
OVERLAY = Need(f"overlay file systems{_CHROOT_ADVICE}", lambda: _can_unshare("--mount") and _can_overlay())
