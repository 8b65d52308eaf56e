"""Runs one service in the background where there is no systemd, as a process of its own.

    python3 -IS supervise.py SPECIFICATION.json

The specification is written by host/direct.py from the unit's files. The supervisor keeps the state file up
to date ({"state": "activating" | "active" | "restarting" | "failed" |
"inactive", "detail": ..., "main": number of the main process or 0}, replaced by rename), restarts what
fails with a growing pause, hands a SIGTERM on and waits, then kills. Orphans of a forking daemon become its
children (PR_SET_CHILD_SUBREAPER), so it needs no pid file to know whether the daemon lives.

This file imports only the standard library and nothing of dexsetup: it runs long after the command that
started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_SUBREAPER = 36
_NEW_MOUNTS = 0x00020000
_BIND, _RECURSIVE, _PRIVATE, _READ_ONLY, _REMOUNT = 4096, 16384, 1 << 18, 1, 32
_LONGEST_PAUSE = 60.0
_HEALTHY_SECONDS = 60.0
"""A service that ran this long starts again with the shortest pause."""
_TICK = 0.2

_libc = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    """One service."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.spec = specification
        self._stop_wanted = False
        self.children: set[int] = set()
        self.notify: socket.socket | None = None

    def run(self) -> int:
        """Start, watch, start again; return the exit status."""
        _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, self._stop)
        for number in (signal.SIGINT, signal.SIGHUP):
            # Not SIG_IGN: that would be handed down, and the service could not be told anything by SIGHUP.
            signal.signal(number, _take_no_notice)
        pause = float(self.spec["restart_seconds"])
        while not self.is_stopping():
            self._tell("activating", "")
            started = time.monotonic()
            detail = self._once()
            if self.is_stopping():
                break
            is_failure = bool(detail)
            if not self._starts_again(is_failure=is_failure):
                self._tell("failed" if is_failure else "inactive", detail)
                return 1 if is_failure else 0
            if time.monotonic() - started > _HEALTHY_SECONDS:
                pause = float(self.spec["restart_seconds"])
            self._tell("restarting", f"{detail}; started again in {pause:.0f} s")
            self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._tell("inactive", "stopped")
        return 0

    def _starts_again(self, *, is_failure: bool) -> bool:
        policy = self.spec["restart"]
        return policy == "always" or (is_failure and policy in {"on-failure", "on-abnormal", "on-abort"})

    def _once(self) -> str:
        """Run the service to its end. Return what went wrong, or nothing."""
        for command in self.spec["before"]:
            status = self._wait_for(self._spawn(command["argv"], as_root=command["as_root"]))
            if status != 0 and not command["may_fail"]:
                return f"{command['argv'][0]} ended with status {status}"
        self._open_notify()
        main = self._spawn(self.spec["argv"], as_root=False)
        kind = self.spec["type"]
        if kind == "forking":
            status = self._wait_for(main)
            if status != 0:
                return f"{self.spec['argv'][0]} ended with status {status}"
            main = 0
        elif kind == "notify" and not self._is_ready(main):
            return f"{self.spec['argv'][0]} did not say that it is ready"
        if not self.is_stopping():
            self._tell("active", "running", main)
        return self._watch(main)

    def _watch(self, main: int) -> str:
        """Wait until the service ends or must end."""
        while True:
            if self.is_stopping():
                self._end_all()
                return ""
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return "" if self.is_stopping() else "all of its processes have ended"
            if pid == 0:
                time.sleep(_TICK)
                continue
            self.children.discard(pid)
            if pid == main:
                code = os.waitstatus_to_exitcode(status)
                self._end_all()
                return "" if code == 0 else f"{self.spec['argv'][0]} ended with {_words(code)}"

    def _wait_for(self, wanted: int) -> int:
        """Wait for one child, within the time that starting may take."""
        deadline = time.monotonic() + float(self.spec["start_seconds"])
        while time.monotonic() < deadline and not self.is_stopping():
            pid, status = os.waitpid(wanted, os.WNOHANG)
            if pid:
                self.children.discard(pid)
                return os.waitstatus_to_exitcode(status)
            time.sleep(_TICK / 4)
        self._end_all()
        return -signal.SIGKILL

    def _is_ready(self, main: int) -> bool:
        """Wait for READY=1 from the service (sd_notify)."""
        deadline = time.monotonic() + float(self.spec["start_seconds"])
        while time.monotonic() < deadline and not self.is_stopping() and self.notify is not None:
            try:
                message = self.notify.recv(4096)
            except TimeoutError:
                pid, _ = os.waitpid(main, os.WNOHANG)
                if pid:
                    self.children.discard(pid)
                    return False
                continue
            if b"READY=1" in message.split(b"\n"):
                return True
        self._end_all()
        return self.is_stopping()

    def _open_notify(self) -> None:
        if self.spec["type"] != "notify":
            return
        if self.notify is not None:
            self.notify.close()
        path = Path(self.spec["notify_socket"])
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        path.chmod(0o600)
        os.chown(path, self.spec["uid"], self.spec["gid"])
        self.notify.settimeout(_TICK)

    def _spawn(self, argv: list[str], *, as_root: bool) -> int:
        log = os.open(self.spec["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        stdin = os.open(self.spec["stdin"], os.O_RDONLY | os.O_CLOEXEC)
        environment = dict(self.spec["environment"])
        if self.notify is not None and not as_root:
            environment["NOTIFY_SOCKET"] = self.spec["notify_socket"]
        wrapped = argv if as_root else [*self.spec["wrapper"], *argv]
        try:
            child = subprocess.Popen(  # noqa: S603 - the command of a unit file that root wrote
                wrapped,
                stdin=stdin,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.spec["directory"],
                umask=self.spec["umask"],
                start_new_session=True,
                preexec_fn=self._mount if self.spec["mounts"] and not as_root else None,  # noqa: PLW1509 - no threads here
            )
        except OSError as error:
            os.write(log, f"supervise: {argv[0]}: {error}\n".encode())
            child = subprocess.Popen(["false"], stdin=stdin, start_new_session=True)  # noqa: S607
        finally:
            os.close(log)
            os.close(stdin)
        child.returncode = 0  # we wait for it ourselves; the object must not when it goes away
        self.children.add(child.pid)
        return child.pid

    def _mount(self) -> None:
        """Give the service its own view of some files (BindReadOnlyPaths=), if the kernel permits."""
        if _libc.unshare(_NEW_MOUNTS) != 0:
            return
        _libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
        for source, target in self.spec["mounts"]:
            if _libc.mount(source.encode(), target.encode(), None, _BIND, None) == 0:
                _libc.mount(b"none", target.encode(), None, _BIND | _REMOUNT | _READ_ONLY, None)

    def _end_all(self) -> None:
        """SIGTERM to every child, then SIGKILL for what is left."""
        deadline = time.monotonic() + float(self.spec["stop_seconds"])
        self._signal(signal.SIGTERM)
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.children.clear()
                return
            if pid == 0:
                time.sleep(_TICK / 4)
        self._signal(signal.SIGKILL)
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                self.children.clear()
                return

    def _signal(self, number: int) -> None:
        """Signal all children with their groups, as systemd does; a forking daemon's orphans, too."""
        listed = Path(f"/proc/self/task/{os.getpid()}/children")
        try:
            adopted = {int(word) for word in listed.read_text().split()}
        except OSError:
            adopted = set()
        for pid in self.children | adopted:
            try:
                group = os.getpgid(pid)
                if group == os.getpgrp():
                    os.kill(pid, number)
                else:
                    os.killpg(group, number)
            except ProcessLookupError:
                continue

    def is_stopping(self) -> bool:
        """Whether a SIGTERM has come: a call, because it may come at any time."""
        return self._stop_wanted

    def _stop(self, *_: object) -> None:
        self._stop_wanted = True

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.is_stopping():
            time.sleep(_TICK)

    def _tell(self, state: str, detail: str, main: int = 0) -> None:
        """Replace the state file."""
        path = Path(self.spec["state"])
        own = os.getpid()
        value = {"state": state, "detail": detail, "main": main, "pid": own, "start": start_of(own)}
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(value))
        fresh.rename(path)


def _take_no_notice(*_: object) -> None:
    """Go on."""


def start_of(pid: int) -> str:
    """Return when a process was started, in clock ticks: with the number it names a process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"


def main() -> int:
    """Run the service of the specification named on the command line."""
    return Supervisor(json.loads(Path(sys.argv[1]).read_text())).run()


if __name__ == "__main__":
    sys.exit(main())
