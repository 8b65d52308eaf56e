"""Services where PID 1 is not systemd (containers, WSL): unit files are read and run by a supervisor.

What is understood: Type= simple, exec, notify, forking, oneshot; ExecStart=, ExecStartPre=, ExecReload=,
User=, Group=, AmbientCapabilities=, DynamicUser= (runs as nobody), Environment=, EnvironmentFile=,
StandardInput=file:, WorkingDirectory=, RuntimeDirectory=, UMask=, BindReadOnlyPaths=, Restart=, RestartSec=,
TimeoutStartSec=, TimeoutStopSec=, RemainAfterExit=; Requires=, Wants= and After= for what is started before;
drop-ins. The sandbox of a unit is systemd's and is not imitated. `enable` makes systemd's links, for the day
it is there; nothing starts by itself at the next boot, and the plan says so.

Kept: /run/dexsetup/NAME.json (state), NAME.spec (what the supervisor runs); log in
/var/log/dexsetup/NAME.log.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dexsetup.errors import HostError
from dexsetup.host import supervise
from dexsetup.host.base import FileKind, UnitState
from dexsetup.host.commands import run_command
from dexsetup.host.files import PosixFiles
from dexsetup.host.rooted import ImageServices
from dexsetup.host.unitfile import UNIT_DIRECTORIES, UnitFile
from dexsetup.plan.places import PROGRAMS

__all__ = ["Direct", "specification", "split_command"]

_STATES = Path("/run/dexsetup")
_SUPERVISORS = (Path(PROGRAMS, "lib/dexsetup/host/supervise.py"), Path(supervise.__file__))
"""The installed copy first: what runs on as root is nothing that a user can write."""
_LOGS = Path("/var/log/dexsetup")
_POLL = 0.1
_NAMES_MAX = 8
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNITS_MAX = 32


class Direct(ImageServices):
    """See the module docstring."""

    name = "direct"
    survives_reboot = False
    is_live = True

    def state(self, unit: str) -> UnitState:
        """Return what the supervisor says of it, if the supervisor lives."""
        name = self._canonical(unit)
        definition = self._load(name)
        if definition is None:
            return UnitState(exists=False, enabled=False, active=False)
        enabled = super().state(name).enabled
        value = _state_of(name)
        word = value.get("state", "inactive")
        detail = word
        if word in {"failed", "restarting"}:
            last = _last_line(name)
            detail = f"{value.get('detail', '')}{f': {last}' if last else ''}"
        return UnitState(exists=True, enabled=enabled, active=word in {"active", "exited"}, detail=detail)

    def enable(self, unit: str) -> None:
        """Make the links that systemd would make."""
        super().enable(self._canonical(unit))

    def disable(self, unit: str) -> None:
        """Remove them."""
        super().disable(self._canonical(unit))

    def start(self, unit: str) -> None:
        """Start what it requires and wants, then itself, and wait until it says that it runs."""
        self._start(self._canonical(unit), ())

    def stop(self, unit: str) -> None:
        """End the supervisor, which ends the service."""
        name = self._canonical(unit)
        value = _state_of(name)
        pid = int(value.get("pid", 0))
        if value.get("state") == "exited" or not pid:
            _state_path(name).unlink(missing_ok=True)
            return
        definition = self._load(name)
        limit = (
            _seconds(definition.last("Service", "TimeoutStopSec"), 30.0) if definition is not None else 30.0
        )
        with suppress(ProcessLookupError):  # it may have ended since
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + limit + 5
        while supervise.start_of(pid) == value.get("start") and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(_POLL)
        if supervise.start_of(pid) == value.get("start"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            raise HostError(f"{name} did not stop within {limit:.0f} s and was killed.")
        _state_path(name).unlink(missing_ok=True)

    def restart(self, unit: str) -> None:
        """Stop and start it, and with it what is part of it and ran."""
        name = self._canonical(unit)
        parts = [other for other in self._running() if name in self._part_of(other)]
        for other in parts:
            self.stop(other)
        self.stop(name)
        self._start(name, ())
        for other in parts:
            self._start(other, ())

    def reload(self, unit: str) -> None:
        """Run its ExecReload=. Without one, or under a supervisor that does not tell the process: restart."""
        name = self._canonical(unit)
        definition = self._load(name)
        lines = definition.all("Service", "ExecReload") if definition is not None else ()
        main = int(_state_of(name).get("main", 0))
        if definition is None or not lines or not main:
            self.restart(unit)
            return
        spec = specification(definition, self._files)
        for line in lines:
            prefix, words = split_command(line, name)
            argv = [word.replace("$MAINPID", str(main)) for word in words]
            wrapper = [] if "+" in prefix or "!" in prefix else spec["wrapper"]
            done = run_command(
                [*wrapper, *argv], timeout=spec["start_seconds"], environment=spec["environment"]
            )
            if done.status != 0 and "-" not in prefix:
                why = (done.stderr or done.stdout).strip() or f"status {done.status}"
                raise HostError(f"{name} could not be told to read its configuration.", why=why)

    # -- beneath

    def _start(self, name: str, above: tuple[str, ...]) -> None:
        if _state_of(name).get("state") in {"active", "exited", "activating"} or name in above:
            return
        definition = self._load(name)
        if definition is None:
            raise HostError(f"There is no unit {name} on this machine.")
        if len(above) > _UNITS_MAX:
            raise HostError(f"{name}: its requirements do not end: {' needs '.join(above)}")
        required = definition.words("Unit", "Requires") + definition.words("Unit", "BindsTo")
        for other in required + definition.words("Unit", "Wants"):
            if not other.endswith(".service"):
                continue
            try:
                self._start(self._canonical(other), (*above, name))
            except HostError:
                if other in required:
                    raise
        if definition.last("Service", "Type") == "oneshot":
            self._run_once(definition)
        else:
            self._supervise(definition)

    def _supervise(self, unit: UnitFile) -> None:
        spec = self._specification(unit)
        path = _STATES / f"{unit.name}.spec"
        path.write_text(json.dumps(spec))
        _state_path(unit.name).unlink(missing_ok=True)
        program = next(path for path in _SUPERVISORS if path.is_file())
        subprocess.Popen(  # noqa: S603 - our own program, by its path
            [sys.executable, "-IS", str(program), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        ).returncode = 0
        deadline = time.monotonic() + spec["start_seconds"] + 5
        while time.monotonic() < deadline:
            value = _state_of(unit.name)
            if value.get("state") == "active":
                return
            if value.get("state") in {"failed", "restarting", "inactive"}:
                why = "\n".join(part for part in (value.get("detail", ""), _last_line(unit.name)) if part)
                raise HostError(f"{unit.name} did not start.", why=why, advice=f"cat {_LOGS}/{unit.name}.log")
            time.sleep(_POLL)
        raise HostError(
            f"{unit.name} did not start within {spec['start_seconds']:.0f} s.", why=_last_line(unit.name)
        )

    def _run_once(self, unit: UnitFile) -> None:
        """Run a oneshot unit to its end, here."""
        spec = self._specification(unit)
        for line in unit.all("Service", "ExecStart"):
            _, argv = split_command(line, unit.name)
            done = run_command(
                [*spec["wrapper"], *argv], timeout=spec["start_seconds"], environment=spec["environment"]
            )
            if done.status != 0:
                why = (done.stderr or done.stdout).strip() or f"status {done.status}"
                raise HostError(f"{unit.name} failed.", why=why)
        if unit.last("Service", "RemainAfterExit") in {"yes", "true", "on", "1"}:
            value = {"state": "exited", "detail": "", "pid": 0, "start": "", "boot": supervise.start_of(1)}
            _state_path(unit.name).write_text(json.dumps(value))

    def _specification(self, unit: UnitFile) -> dict[str, Any]:
        for directory in (_STATES, _LOGS):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        spec = specification(unit, self._files)
        uid, gid = spec["uid"], spec["gid"]
        for name in unit.words("Service", "RuntimeDirectory"):
            place = Path("/run") / name
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            os.chown(place, uid, gid)
        return spec

    def _canonical(self, unit: str) -> str:
        """Return the name of the unit that an alias points to."""
        name = unit
        for _ in range(_NAMES_MAX):
            target = self._alias(name)
            if target == name:
                return name
            name = target
        return name

    def _alias(self, name: str) -> str:
        for directory in UNIT_DIRECTORIES:
            info = self._files.stat(f"{directory}/{name}")
            if info is not None:
                return info.target.rpartition("/")[2] if info.kind is FileKind.LINK else name
        return name

    def _running(self) -> list[str]:
        if not _STATES.is_dir():
            return []
        return [path.name.removesuffix(".json") for path in sorted(_STATES.glob("*.service.json"))]

    def _part_of(self, name: str) -> tuple[str, ...]:
        definition = self._load(name)
        if definition is None:
            return ()
        named = definition.words("Unit", "PartOf") + definition.words("Unit", "Requires")
        return tuple(self._canonical(other) for other in named)


def specification(unit: UnitFile, files: PosixFiles) -> dict[str, Any]:
    """Return what the supervisor needs to know of a unit. Raises HostError for what cannot be run here."""
    commands = unit.all("Service", "ExecStart")
    if not commands:
        raise HostError(f"{unit.name} has no ExecStart=, so there is nothing to run.")
    before = []
    for line in unit.all("Service", "ExecStartPre"):
        prefix, argv = split_command(line, unit.name)
        before.append({"argv": argv, "may_fail": "-" in prefix, "as_root": "+" in prefix or "!" in prefix})
    uid, gid, wrapper = _rights(unit, files)
    stdin = unit.last("Service", "StandardInput")
    return {
        "argv": split_command(commands[-1], unit.name)[1],
        "before": before,
        "type": unit.last("Service", "Type", "simple"),
        "uid": uid,
        "gid": gid,
        "wrapper": wrapper,
        "environment": _environment(unit, files),
        "stdin": stdin.removeprefix("file:") if stdin.startswith("file:") else "/dev/null",
        "directory": unit.last("Service", "WorkingDirectory", "/").removeprefix("-").replace("~", "/"),
        "umask": int(unit.last("Service", "UMask", "0022"), 8),
        "mounts": [_mount(word) for word in unit.words("Service", "BindReadOnlyPaths")],
        "restart": unit.last("Service", "Restart", "no"),
        "restart_seconds": _seconds(unit.last("Service", "RestartSec"), 1.0),
        "start_seconds": _seconds(unit.last("Service", "TimeoutStartSec"), 90.0),
        "stop_seconds": _seconds(unit.last("Service", "TimeoutStopSec"), 30.0),
        "state": str(_state_path(unit.name)),
        "notify_socket": str(_STATES / f"{unit.name}.notify"),
        "log": str(_LOGS / f"{unit.name}.log"),
    }


def split_command(line: str, unit: str) -> tuple[str, list[str]]:
    """Return (prefix characters, words) of an Exec line: quoting as in a shell, %n %N %p %t %% replaced."""
    rest = line.lstrip("@-:+!")
    prefix = line[: len(line) - len(rest)]
    stem = unit.removesuffix(".service")
    words = []
    for word in shlex.split(rest):
        text = word.replace("%%", "\0").replace("%n", unit).replace("%N", stem).replace("%p", stem)
        text = text.replace("%t", "/run")
        words.append(text.replace("\0", "%").replace("$$", "$"))
    return prefix, words


def _rights(unit: UnitFile, files: PosixFiles) -> tuple[int, int, list[str]]:
    """Return uid, gid and the command that gives up root (setpriv), keeping what the unit allows."""
    user = unit.last("Service", "User")
    if not user and unit.last("Service", "DynamicUser") in {"yes", "true", "on", "1"}:
        user = "nobody"
    if not user or user == "root":
        return 0, 0, []
    accounts = files.accounts()
    account = accounts.user(user)
    if account is None:
        raise HostError(f"{unit.name} is to run as {user}, and there is no such user.")
    group = unit.last("Service", "Group")
    gid = accounts.gid(group) if group else account.gid
    if gid is None:
        raise HostError(f"{unit.name} is to run with the group {group}, and there is no such group.")
    wrapper = ["setpriv", f"--reuid={account.uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
    capabilities = [
        word.lower().removeprefix("cap_") for word in unit.words("Service", "AmbientCapabilities")
    ]
    if capabilities:
        kept = ",".join(f"+{name}" for name in capabilities)
        wrapper += [f"--inh-caps={kept}", f"--ambient-caps={kept}"]
    return account.uid, gid, [*wrapper, "--"]


def _environment(unit: UnitFile, files: PosixFiles) -> dict[str, str]:
    values = {"PATH": _PATH, "LANG": "C.UTF-8"}
    if directories := unit.words("Service", "RuntimeDirectory"):
        values["RUNTIME_DIRECTORY"] = ":".join(f"/run/{name}" for name in directories)
    for line in unit.all("Service", "EnvironmentFile"):
        content = files.read(line.removeprefix("-"))
        if content is None and not line.startswith("-"):
            raise HostError(f"{unit.name}: there is no file {line}, from which it takes its environment.")
        for raw in (content or b"").decode("utf-8", "replace").splitlines():
            text = raw.strip()
            if text and not text.startswith(("#", ";")):
                values.update(_assignments(text))
    for line in unit.all("Service", "Environment"):
        values.update(_assignments(line))
    return values


def _assignments(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in shlex.split(text))
    return {name: value for name, equals, value in pairs if equals}


def _mount(word: str) -> tuple[str, str]:
    source, _, rest = word.removeprefix("-").partition(":")
    return source, rest.partition(":")[0] or source


def _seconds(text: str, default: float) -> float:
    """Return a time span of systemd: 90, 90s, 2min, 500ms; what is not understood is the default."""
    units = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "min": 60.0, "m": 60.0}
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text[len(number) :].strip()
    if unit not in units or not number.replace(".", "", 1).isdecimal():
        return default
    return float(number) * units[unit]


def _state_path(name: str) -> Path:
    return _STATES / f"{name}.json"


def _state_of(name: str) -> dict[str, Any]:
    """Return the state file of a unit, or nothing if what it speaks of is gone."""
    try:
        value: dict[str, Any] = json.loads(_state_path(name).read_text())
    except (OSError, ValueError):
        return {}
    if value.get("state") == "exited":
        return value if value.get("boot") == supervise.start_of(1) else {}
    pid = int(value.get("pid", 0))
    _reap(pid)
    if value.get("state") in {"failed", "inactive"}:
        return {**value, "pid": 0}
    return value if supervise.start_of(pid) == value.get("start") else {}


def _reap(pid: int) -> None:
    """Take note of the end of a supervisor that this very process started."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, OSError):
        return


def _last_line(name: str) -> str:
    try:
        lines = (_LOGS / f"{name}.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
