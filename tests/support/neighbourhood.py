"""A small neighbourhood in namespaces: a street (the Internet), gateways with NAT, homes behind them.

    public node 203.0.113.1 ──┐
                              ├── street (a bridge)
    gateway a 203.0.113.11 ───┤        gateway b 203.0.113.12
      └── home a 192.168.1.2           └── home b 192.168.1.2

Both homes have the same address behind their gateways, as homes do: they reach the public node and cannot
reach each other. A home sees an overlay of the running system, with its own /run, /tmp, users and packages;
what it changes is written to memory. A place lives as long as its holder process (holder.py), and the holder
as long as we do, so that nothing outlives us: no process, namespace, device or mount, and nothing is ever
made in the namespaces of the machine.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from machine import find_program

__all__ = [
    "PUBLIC_ADDRESS",
    "CommandError",
    "Home",
    "Neighbourhood",
    "NeighbourhoodError",
    "Place",
    "wait_until",
]

PUBLIC_ADDRESS = "203.0.113.1"
"""The public node on the street."""

_GATEWAY_ADDRESS = "203.0.113.{}"
_FIRST_GATEWAY = 11
_HOME_ADDRESS = "192.168.1.2"
_NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
    "PYTHONDONTWRITEBYTECODE": "1",
}

_NOT_OF_A_NEW_MACHINE = (
    "/etc/cjdroute.conf",
    "/etc/dexsetup",
    "/etc/systemd/system/dexrouter.service",
    "/opt/dexsetup",
    "/var/cache/dexsetup",
    "/var/lib/dexsetup",
    "/var/mail",
)
"""What an earlier set-up of the real machine may have left: a home starts without it."""

_NAT = """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan0" masquerade
  }
}
"""


class NeighbourhoodError(Exception):
    """The neighbourhood could not be built; the text holds the words of the program that refused."""


class CommandError(Exception):
    """A command in a place ended badly."""

    def __init__(self, place: str, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{place}: {' '.join(argv)} ended with status {status}:\n{output.strip()}")
        self.status = status
        self.output = output


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float, every: float = 0.1) -> float:
    """Wait for a condition; returns the seconds it took. Raises TimeoutError that names what was awaited."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return time.monotonic() - start


class Place:
    """A network of its own, with processes of its own. Closing it ends everything in it."""

    def __init__(self, name: str, plan: dict[str, object] | None = None) -> None:
        self.name = name
        self._started: list[subprocess.Popen[str]] = []
        holder = [sys.executable, str(Path(__file__).with_name("holder.py"))]
        self._unshare = subprocess.Popen(
            ["unshare", *_NAMESPACES, "--propagation", "private", "--fork", "--kill-child", "--", *holder]
            + ([json.dumps(plan)] if plan else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._unshare.stdout is not None
        assert self._unshare.stderr is not None
        if self._unshare.stdout.readline() != "ready\n":
            words = self._unshare.stderr.read()
            self.close()
            raise NeighbourhoodError(f"{name}: {words.strip()}")
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text()
        self.pid = int(children)
        """Of the place's process 1, as the machine counts."""
        self.ip("link set lo up")

    def close(self) -> None:
        """End the place. Returns when its last process is gone."""
        for stream in (self._unshare.stdin, self._unshare.stdout, self._unshare.stderr):
            if stream is not None:
                stream.close()
        try:
            self._unshare.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._unshare.kill()
            self._unshare.wait()
        for process in self._started:
            process.wait()

    def command(self, argv: Sequence[str], *, login: str | None = None) -> list[str]:
        """Return the command line that runs `argv` here, as root or as a user of the place."""
        if login is not None:
            argv = ["runuser", "-u", login, "--", "env", f"HOME=/home/{login}", f"USER={login}", *argv]
        entered = [f"--target={self.pid}", *_NAMESPACES, "--root", "--wd"]
        return ["nsenter", *entered, "--", *argv]

    def run(
        self,
        *argv: str,
        stdin: str = "",
        login: str | None = None,
        timeout: float = 60,
        allowed: Iterable[int] = (0,),
        tell: Callable[[str], None] | None = None,
    ) -> str:
        """Run a command here and return what it printed, both streams as they came.

        `tell` receives each line as it comes. Raises CommandError when its status is not one of `allowed`.
        """
        with subprocess.Popen(
            self.command(argv, login=login),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            text=True,
            errors="replace",
        ) as process:
            try:
                output = self._listen(process, stdin, timeout, tell)
            except BaseException:
                process.kill()
                raise
        if process.returncode not in tuple(allowed):
            raise CommandError(self.name, argv, process.returncode, output)
        return output

    @staticmethod
    def _listen(
        process: subprocess.Popen[str], stdin: str, timeout: float, tell: Callable[[str], None] | None
    ) -> str:
        if tell is None:
            return process.communicate(stdin, timeout=timeout)[0]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin)
        process.stdin.close()
        lines = []
        for line in process.stdout:
            lines.append(line)
            tell(line.rstrip("\n"))
        process.wait(timeout=timeout)
        return "".join(lines)

    def succeeds(self, *argv: str, login: str | None = None, timeout: float = 10) -> bool:
        """Whether a command here ends with status 0 in time."""
        try:
            self.run(*argv, login=login, timeout=timeout)
        except (CommandError, subprocess.TimeoutExpired):
            return False
        return True

    def start(self, *argv: str, log: IO[str]) -> subprocess.Popen[str]:
        """Start a command here that keeps running; what it prints goes to `log`."""
        process = subprocess.Popen(
            self.command(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            text=True,
        )
        self._started.append(process)
        return process

    def ip(self, *lines: str) -> None:
        """Change the network: lines for `ip -batch`, run with the machine's own ip."""
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--net", "ip", "-batch", "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NeighbourhoodError(f"{self.name}: ip: {done.stderr.strip()}")


class Home(Place):
    """A place with a file system of its own."""

    def __init__(self, name: str, visible: Iterable[Path], stage: Path, **plan: object) -> None:
        super().__init__(
            name,
            {
                "stage": str(stage),
                "visible": [str(path) for path in visible],
                "absent": _NOT_OF_A_NEW_MACHINE,
                "hostname": name.replace(" ", "-"),
                **plan,
            },
        )
        self.move_in()

    def move_in(self) -> None:
        """Make the place ready for people, once it can run commands."""
        self.run("install", "-d", "-m", "2775", "-g", "mail", "/var/mail")

    def add_person(self, login: str, real_name: str) -> None:
        """Add a user with a home directory."""
        self.run("useradd", "--create-home", "--comment", real_name, "--shell", "/bin/sh", login)

    def read(self, path: str) -> str:
        """Return a file's text; empty when there is none."""
        return self.run("sh", "-c", 'test ! -e "$1" || cat -- "$1"', "sh", path)

    def write(self, path: str, text: str, *, mode: str = "0644") -> None:
        """Write a file, with the directories above it."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, stdin=text)

    def fingerprint(self, *paths: str) -> str:
        """Return name, kind, mode, owner and content hash of all below the paths: one text to compare.

        The account tools' own backups (/etc/passwd- and so on) are left out: they hold the state before last.
        """
        look = (
            "not='! -path /etc/*-'; set -f; "
            'for top in "$@"; do [ -e "$top" ] || continue; '
            "find \"$top\" $not -printf '%p %y %m %u:%g %l\\n'; "
            'find "$top" -type f $not -exec sha256sum {} +; done | sort'
        )
        return self.run("sh", "-c", look, "sh", *paths)


@dataclass(slots=True)
class Neighbourhood:
    """The street and everything on it; a context manager that takes it down in any case."""

    visible: tuple[Path, ...] = ()
    """Directories (checkout, Python environment) that homes see read-only, where they are."""
    homes: dict[str, Home] = field(default_factory=dict)
    gateways: dict[str, Place] = field(default_factory=dict)
    """By the name of the home behind it: a host on that home's local network."""
    _street: Place | None = None
    _public: Home | None = None
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        try:
            self._street = self._place("street")
            self._street.ip("link add street type bridge", "link set street up")
            self._public = self._home("public node", Home)
            self._connect(self._street, "public", self._public, "eth0", f"{PUBLIC_ADDRESS}/24")
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def public(self) -> Home:
        """The public node."""
        assert self._public is not None
        return self._public

    def add_home(self, name: str, kind: type[Home] = Home) -> Home:
        """Build a home behind a gateway of its own."""
        assert self._street is not None
        number = _FIRST_GATEWAY + len(self.homes)
        gateway = self._place(f"gateway of {name}")
        self._connect(self._street, f"gw{number}", gateway, "wan0", f"{_GATEWAY_ADDRESS.format(number)}/24")
        gateway.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        gateway.run(find_program("nft") or "nft", "-f", "-", stdin=_NAT)
        home = self._home(name, kind)
        gateway.ip(
            f"link add lan0 type veth peer name eth0 netns {home.pid}",
            "addr add 192.168.1.1/24 dev lan0",
            "link set lan0 up",
        )
        home.ip(
            f"addr add {_HOME_ADDRESS}/24 dev eth0",
            "link set eth0 up",
            "route add default via 192.168.1.1",
        )
        self.homes[name] = home
        self.gateways[name] = gateway
        return home

    def _place(self, name: str) -> Place:
        place = Place(name)
        self._open.callback(place.close)
        return place

    def _home(self, name: str, kind: type[Home]) -> Home:
        stage = self._open.enter_context(tempfile.TemporaryDirectory(prefix="dexsetup-place-"))
        home = kind(name, self.visible, Path(stage))
        self._open.callback(home.close)
        return home

    @staticmethod
    def _connect(street: Place, port: str, place: Place, device: str, address: str) -> None:
        street.ip(
            f"link add {port} type veth peer name {device} netns {place.pid}",
            f"link set {port} master street up",
        )
        place.ip(f"addr add {address} dev {device}", f"link set {device} up")
