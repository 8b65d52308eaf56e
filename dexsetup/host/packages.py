"""The package managers: apt and dnf. They add what is asked for, wait for a locked database, remove nothing.

Every way to fail has its own sentence: offline, no such package, another package in the way, locked. They
are told apart by the programs' own words in the C locale, which have been stable for many years (apt's
apt-get.cc and acquire-*.cc, dnf's i18n source strings); anything else is quoted as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from dexsetup.errors import MachineError
from dexsetup.host.base import Completed, ProgressSink
from dexsetup.host.commands import TIMED_OUT

__all__ = [
    "Apt",
    "CommandRunner",
    "Dnf",
    "NoPackageManager",
    "explain_apt",
    "explain_dnf",
    "progress_of_apt",
    "progress_of_dnf",
]

_INSTALL_SECONDS = 1800.0
_LOCK_SECONDS = 300
_LAST_LINES = 6
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = b"#!/bin/sh\n# put here by dexsetup for the length of one installation\nexit 101\n"


class CommandRunner(Protocol):
    """Runs a command of the machine (RealHost.run, RealHost.probe)."""

    def __call__(
        self, argv: Sequence[str], /, *, timeout: float, progress: ProgressSink | None = None
    ) -> Completed:
        """Run it to its end."""
        ...


class NoPackageManager:
    """A machine of which we do not know how it gets its packages."""

    name = "none"

    def is_pristine(self, path: str) -> bool:  # noqa: ARG002 - the contract's words
        """Nobody can say."""
        return False

    def installed(self, names: Sequence[str]) -> frozenset[str]:  # noqa: ARG002 - the contract's words
        """Nobody can say."""
        return frozenset()

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:  # noqa: ARG002 - the contract's words
        """Refuse."""
        raise MachineError(f"{', '.join(names)} must be installed, and there is neither apt nor dnf here.")

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:  # noqa: ARG002 - the contract's words
        """Refuse."""
        raise MachineError(f"{', '.join(names)} cannot be removed: there is neither apt nor dnf here.")

    def clear_leftovers(self) -> None:
        """Nothing is ever begun."""


class Apt:
    """Debian and its relatives."""

    name = "apt"

    def __init__(
        self,
        run: CommandRunner,
        read: Callable[[str], bytes | None],
        list_directory: Callable[[str], Sequence[str]],
        *,
        holds_services: bool = False,
    ) -> None:
        self._run = run
        self._read = read
        self._list = list_directory
        self._holds_services = holds_services
        """Without systemd, a package's own script would start a daemon that nobody looks after."""

    def is_pristine(self, path: str) -> bool:
        """Compare the file with the checksum that dpkg keeps of a package's configuration files."""
        owner = self._run(["dpkg-query", "-S", path], timeout=30)
        if owner.status != 0:
            return False
        package = owner.stdout.partition(":")[0].split(",")[0].strip()
        shown = self._run(["dpkg-query", "-W", "-f", "${Conffiles}\n", package], timeout=30)
        content = self._read(path)
        sums = dict(line.split()[:2] for line in shown.stdout.splitlines() if len(line.split()) >= 2)
        if content is None or path not in sums:
            return False
        return hashlib.md5(content, usedforsecurity=False).hexdigest() == sums[path]

    def installed(self, names: Sequence[str]) -> frozenset[str]:
        """Ask dpkg."""
        shown = self._run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names], timeout=30)
        pairs = (line.split() for line in shown.stdout.splitlines())
        return frozenset(pair[0] for pair in pairs if len(pair) == 2 and pair[1] == "installed")

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Install them; lists that are missing or out of date are fetched first, once."""
        is_fresh = False
        if not any("_Packages" in name for name in self._list("/var/lib/apt/lists")):
            self._update(names, progress)
            is_fresh = True
        done = self._install(names, progress)
        if done.status != 0 and not is_fresh and _is_about_lists(done.stderr):
            self._update(names, progress)
            done = self._install(names, progress)
        if done.status != 0:
            raise explain_apt(done, names)

    def _update(self, names: Sequence[str], progress: ProgressSink) -> None:
        progress("fetching the lists of packages")
        lock = f"DPkg::Lock::Timeout={_LOCK_SECONDS}"
        argv = [
            "apt-get",
            "-q",
            "-o",
            lock,
            "-o",
            "Acquire::Retries=2",
            "-o",
            "APT::Update::Error-Mode=any",
            "update",
        ]
        done = self._run(argv, timeout=_INSTALL_SECONDS)
        if done.status != 0:
            raise explain_apt(done, names)

    def _install(self, names: Sequence[str], progress: ProgressSink) -> Completed:
        argv = [
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
            "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}",
            "-o", "Dpkg::Options::=--force-confold", "-o", "Acquire::Retries=2", "-o", "APT::Status-Fd=1",
            "--no-install-recommends", "--no-remove", "install", *names,
        ]  # fmt: skip

        def hand_on(line: str) -> None:
            if text := progress_of_apt(line):
                progress(text)

        with _services_held() if self._holds_services else nullcontext():
            return self._run(argv, timeout=_INSTALL_SECONDS, progress=hand_on)

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Remove them, if a rehearsal says that nothing else would go with them."""
        rehearsed = self._run(["apt-get", "-q", "-s", "remove", *names], timeout=_LOCK_SECONDS)
        going = {line.split()[1] for line in rehearsed.stdout.splitlines() if line.startswith("Remv ")}
        if others := going - set(names):
            raise _needed(names, others)
        progress(f"removing {', '.join(names)}")
        argv = [
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
            "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "remove", *names,
        ]  # fmt: skip
        done = self._run(argv, timeout=_INSTALL_SECONDS)
        if done.status != 0:
            raise _error(f"Removing {', '.join(names)} failed.", done, f"apt-get remove {' '.join(names)}")

    def clear_leftovers(self) -> None:
        """Let Debian's scripts start daemons again, if it was dexsetup that told them not to."""
        if _is_our_policy():
            _POLICY.unlink(missing_ok=True)


@contextmanager
def _services_held() -> Iterator[None]:
    """Tell Debian's scripts for the length of one installation not to start daemons (policy-rc.d(8)).

    A policy of somebody else's stays in force. One that a crash of ours has left is ours.
    """
    if _POLICY.exists() and not _is_our_policy():
        yield
        return
    fresh = _POLICY.with_name(f".{_POLICY.name}.dexsetup-new")
    fresh.write_bytes(_POLICY_TEXT)
    fresh.chmod(0o755)
    fresh.replace(_POLICY)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _is_our_policy() -> bool:
    try:
        return _POLICY.read_bytes() == _POLICY_TEXT
    except OSError:
        return False


class Dnf:
    """Fedora and its relatives."""

    name = "dnf"

    def __init__(self, run: CommandRunner) -> None:
        self._run = run

    def is_pristine(self, path: str) -> bool:
        """Ask rpm whether it would report the file as changed."""
        if self._run(["rpm", "-q", "-f", path], timeout=30).status != 0:
            return False
        shown = self._run(["rpm", "-V", "--nodeps", "--noscript", "-f", path], timeout=120)
        return not any(line.split()[-1:] == [path] for line in shown.stdout.splitlines())

    def installed(self, names: Sequence[str]) -> frozenset[str]:
        """Ask rpm."""
        found = [
            name for name in names if self._run(["rpm", "-q", "--whatprovides", name], timeout=30).status == 0
        ]
        return frozenset(found)

    def install(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Install them. Without --allowerasing, dnf removes nothing; for a locked database it waits."""

        def hand_on(line: str) -> None:
            if text := progress_of_dnf(line):
                progress(text)

        argv = ["dnf", "-y", "--setopt=install_weak_deps=False", "install", *names]
        done = self._run(argv, timeout=_INSTALL_SECONDS, progress=hand_on)
        if done.status != 0:
            raise explain_dnf(done, names)

    def remove(self, names: Sequence[str], progress: ProgressSink) -> None:
        """Remove them, if rpm's rehearsal says that no other package needs them. What they needed stays."""
        rehearsed = self._run(["rpm", "-e", "--test", *names], timeout=_LOCK_SECONDS)
        if rehearsed.status != 0:
            others = re.findall(r"is needed by (?:\(installed\) )?(\S+)", rehearsed.stderr + rehearsed.stdout)
            raise _needed(names, others, rehearsed)
        progress(f"removing {', '.join(names)}")
        argv = ["dnf", "-y", "--setopt=clean_requirements_on_remove=False", "remove", *names]
        done = self._run(argv, timeout=_INSTALL_SECONDS)
        if done.status != 0:
            raise _error(f"Removing {', '.join(names)} failed.", done, f"dnf remove {' '.join(names)}")

    def clear_leftovers(self) -> None:
        """There are none: nothing is set for the length of an installation."""


def _needed(names: Sequence[str], others: Iterable[str], rehearsed: Completed | None = None) -> MachineError:
    shown = ", ".join(sorted(set(others))) or "something here"
    what = f"{', '.join(names)} cannot be removed alone: {shown} needs it."
    return MachineError(what) if rehearsed is None else _error(what, rehearsed, "")


def progress_of_apt(line: str) -> str:
    """Return what a line of apt's status stream says to a person, or nothing.

    Lines are KIND:PACKAGE:PERCENT:TEXT, among the ordinary output.
    """
    match = re.match(r"(?:dlstatus|pmstatus):([^:]*):([\d.]+):(.*)\Z", line)
    if match is None:
        return ""
    return f"{match[3]} ({float(match[2]):.0f} %)"


def progress_of_dnf(line: str) -> str:
    """Return what a line of dnf's output says to a person, or nothing.

    dnf 4 writes `(1/3): FILE  2.0 MB/s | ...` and `  Installing : NAME   1/3`; dnf 5 `[1/3] Installing NAME
    100% | ...`. One that waits for another says so.
    """
    if line.startswith("Waiting for process with pid"):
        return f"{line.rstrip('.')} (the package database is locked)"
    if match := re.match(r"\((\d+)/(\d+)\): (\S+)", line):
        return f"fetched {match[3]} ({match[1]} of {match[2]})"
    if match := re.match(r"(Installing|Upgrading) +: (\S+) +(\d+)/(\d+)\s*\Z", line):
        return f"{match[1].lower()} {match[2]} ({match[3]} of {match[4]})"
    if match := re.match(r"\[ *(\d+)/(\d+)\] (.+?) +\d+% \|", line):
        return f"{match[3]} ({match[1]} of {match[2]})"
    return ""


def _is_about_lists(words: str) -> bool:
    """Whether newer lists may help: the package is not in them, or what they name is gone from the server."""
    return any(
        mark in words
        for mark in ("Unable to locate package", "has no installation candidate", "404  Not Found")
    )


_HALF_INSTALLED = (
    ("dpkg was interrupted", "dpkg --configure -a"),
    ("--fix-broken install", "apt-get --fix-broken install"),
)
"""What apt says of packages that are not wholly installed, and what mends it."""


def explain_apt(done: Completed, names: Sequence[str]) -> MachineError:
    """Return the error for a failed apt-get, in words for the person and in apt's own."""
    words = f"{done.stdout}\n{done.stderr}"
    wanted = ", ".join(names)
    if "Could not get lock" in words or "Unable to acquire" in words:
        return _error(
            f"Another program has held the package database for {_LOCK_SECONDS // 60} minutes.",
            done,
            "Let it finish (often: automatic updates), then start again.",
        )
    for words_of_apt, command in _HALF_INSTALLED:
        if words_of_apt in words:
            return _error(
                f"An earlier installation was interrupted, so {wanted} cannot be installed.",
                done,
                f"sudo {command}   (finishes it), then start again",
            )
    if re.search(
        r"Could not resolve|Temporary failure resolving|Could not connect|Connection failed|timed out", words
    ):
        return _error(
            f"The package servers cannot be reached, so {wanted} cannot be installed.", done, _OFFLINE
        )
    missing = re.findall(r"(?:Unable to locate package|Package '?)(?: ?)([a-z0-9.+-]+)", words)
    if missing and re.search(r"Unable to locate package|has no installation candidate", words):
        return _error(
            f"This distribution has no package named {', '.join(dict.fromkeys(missing))}.", done, ""
        )
    if "remove is disabled" in words:
        return _error(
            f"Installing {wanted} would remove another package, and dexsetup removes none.",
            done,
            "Look which with: apt-get --simulate install " + " ".join(names),
        )
    if "Failed to fetch" in words:
        return _error(
            f"The package servers cannot be reached, so {wanted} cannot be installed.", done, _OFFLINE
        )
    return _error(f"Installing {wanted} failed.", done, f"apt-get install {' '.join(names)}")


def explain_dnf(done: Completed, names: Sequence[str]) -> MachineError:
    """Return the error for a failed dnf, in words for the person and in dnf's own."""
    words = f"{done.stdout}\n{done.stderr}"
    wanted = ", ".join(names)
    if done.status == TIMED_OUT and "Waiting for process with pid" in words:
        return _error(
            f"Another program has held the package database for {_INSTALL_SECONDS / 60:.0f} minutes.",
            done,
            "Let it finish (often: automatic updates), then start again.",
        )
    # Before the names: a repository that cannot be reached is passed over, and then its packages are missing.
    if re.search(
        r"Could not resolve host|Cannot download|Failed to download|Curl error|No more mirrors", words
    ):
        return _error(
            f"The package servers cannot be reached, so {wanted} cannot be installed.", done, _OFFLINE
        )
    missing = re.findall(r"(?:No match for argument|Unable to find a match): ?([a-z0-9.+-]+)", words)
    if missing:
        return _error(
            f"This distribution has no package named {', '.join(dict.fromkeys(missing))}.", done, ""
        )
    if re.search(r"conflicts with|allowerasing|problem with installed package", words):
        return _error(
            f"Installing {wanted} would remove another package, and dexsetup removes none.",
            done,
            "Look which with: dnf --assumeno --allowerasing install " + " ".join(names),
        )
    return _error(f"Installing {wanted} failed.", done, f"dnf install {' '.join(names)}")


_OFFLINE = "Connect to the Internet for the installation, or install them by another way, then start again."


def _error(what: str, done: Completed, advice: str) -> MachineError:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("E:", "Err:", "Error"))] or lines
    return MachineError(what, why="\n".join(telling[-_LAST_LINES:]), advice=advice)
