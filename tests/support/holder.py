"""Process 1 of a place in the neighbourhood. It keeps the namespaces alive and buries the dead.

Started by neighbourhood.py as `unshare ... python holder.py [PLAN]`, in new network, mount and process
namespaces. PLAN is JSON and present when the place has a file system of its own: an overlay of the running
system, so that whatever happens in the place is written to memory and gone with it. With "boots" in the plan
the holder stays outside of that file system, for systemd-nspawn to start in it (booted.py); it names the
control group for that. The tree of groups mounted for it is version 2, whatever the machine uses itself.

It says "ready" when the place can be used, and ends when its standard input closes: the kernel then kills
every process of the place and drops its mounts and devices, also when the program that built it was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "net/tun": (10, 200),
}
"""Character devices of a place. They are its own, so that a changed mode does not reach the machine."""

_SYSTEM_TREES = ("usr", "etc", "var", "opt", "root", "home", "bin", "sbin", "lib", "lib64")
"""Trees that may be file systems of their own: an overlay of / does not show what is mounted in it."""


def mount(*arguments: str) -> None:
    """Mount something; the arguments are those of the mount program."""
    subprocess.run(["mount", *arguments], check=True)


def overlay(lower: Path, target: Path, scratch: Path) -> None:
    """Mount a writable view of `lower` at `target`; changes go below `scratch`."""
    upper, work = scratch / "upper", scratch / "work"
    for directory in (upper, work):
        directory.mkdir(parents=True)
    target.mkdir(parents=True, exist_ok=True)
    status = lower.stat()
    upper.chmod(status.st_mode & 0o7777)
    os.chown(upper, status.st_uid, status.st_gid)
    mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", str(target))


def build_devices(directory: Path) -> None:
    """Make the devices that programs expect, in a /dev that nobody else sees."""
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(directory))
    for name, (major, minor) in _DEVICES.items():
        device = directory / name
        device.parent.mkdir(exist_ok=True)
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
        device.chmod(0o600 if name == "net/tun" else 0o666)
    for name in ("pts", "shm"):
        (directory / name).mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", str(directory / "pts"))
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(directory / "shm"))
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd"}
    links |= {name: f"/proc/self/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))}
    for name, target in links.items():
        (directory / name).symlink_to(target)


def remove(path: str) -> None:
    """Remove all of it. Somebody may be at work there on the machine meanwhile: then try once more."""
    for is_last in (False, False, True):
        if (
            subprocess.run(["rm", "-rf", "--", path], check=is_last, capture_output=not is_last).returncode
            == 0
        ):
            return


def build_tree(stage: Path, absent: list[str]) -> Path:
    """Build the overlay on a tmpfs at `stage`; returns where its root is.

    `absent` are paths it must not have, because they belong to the real machine.
    """
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(stage))
    root = stage / "root"
    overlay(Path("/"), root, stage / "scratch" / "root")
    for name in _SYSTEM_TREES:
        tree = Path("/", name)
        if tree.is_dir() and not tree.is_symlink() and tree.is_mount():
            overlay(tree, root / name, stage / "scratch" / name)
    for path in absent:
        remove(f"{root}{path}")
    return root


def build_root(stage: Path, visible: list[str], absent: list[str]) -> Path:
    """Build the place's whole file system; returns where its root is.

    `visible` are directories that the place sees as they are, read-only.
    """
    root = build_tree(stage, absent)
    mount("-t", "proc", "proc", str(root / "proc"))
    mount("-t", "sysfs", "sysfs", str(root / "sys"))
    build_devices(root / "dev")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "run"))
    (root / "run/lock").mkdir(mode=0o1777)
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(root / "tmp"))
    for path in visible:
        target = Path(f"{root}{path}")
        target.mkdir(parents=True, exist_ok=True)
        mount("--bind", path, str(target))
        mount("-o", "remount,bind,ro", str(target))
    return root


def write_names(root: Path, hostname: str) -> None:
    """Give the place a name, and a resolver that asks nobody: there is nobody to ask."""
    socket.sethostname(hostname)
    files = {
        "hostname": f"{hostname}\n",
        "hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {hostname}\n",
        "resolv.conf": "lookup file\n",
    }
    for name, text in files.items():
        path = root / "etc" / name
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="ascii")


def remove_control_group(group: Path) -> None:
    """End everything in this place, then remove its group: no namespace hides that from the machine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while group.exists() and time.monotonic() < deadline:
        reap()
        with contextlib.suppress(OSError):
            for directory, _, _ in os.walk(group, topdown=False):
                Path(directory).rmdir()
        time.sleep(0.02)


def reap() -> None:
    """Bury every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def hold() -> None:
    """Wait for the end of standard input, burying children meanwhile."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            reap()
        if 0 in readable and not os.read(0, 1):
            return


def main() -> None:
    """Build what PLAN asks for, say so, and hold it."""
    plan = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if plan.get("boots"):
        for kind, place in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
            mount("-t", kind, kind, place)
        mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        Path(plan["boots"]).mkdir()
        write_names(build_tree(Path(plan["stage"]), plan["absent"]), plan["hostname"])
    elif plan:
        root = build_root(Path(plan["stage"]), plan["visible"], plan["absent"])
        write_names(root, plan["hostname"])
        os.chroot(root)
        os.chdir("/")
    else:
        mount("-t", "proc", "proc", "/proc")
        mount("-t", "sysfs", "sysfs", "/sys")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    hold()
    if plan.get("boots"):
        remove_control_group(Path(plan["boots"]))


if __name__ == "__main__":
    main()
