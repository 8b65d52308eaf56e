"""Two routers, each in a place of its own, with one cable between them.

    with RouterPair(tmp_path) as pair:
        pair.configure(0, ETHInterface=[...])
        pair.start(0)

Either may be the reference router instead of ours: `DEX_CJDROUTE` names its program. It is no part of this
project; tests that need it are skipped by name without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dexrouter.crypto.keys import (
    KeyPair,
    address_text,
    generate_key_pair,
    public_key_text,
)
from machine import Need
from neighbourhood import Place, wait_until

__all__ = ["REFERENCE", "SECONDS", "RouterPair"]

REFERENCE = Need("DEX_CJDROUTE (path of a cjdroute)", lambda: "DEX_CJDROUTE" in os.environ)
SECONDS = 20.0
"""Patience for what happens within two or three on an idle machine."""

DEVICE = "lan0"
LOGIN = "a-login"
PASSWORD = "a password"
_MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
_ROUTER = Path(__file__).resolve().parents[2] / "router"


class RouterPair:
    """Places 0 and 1: 10.77.0.1 and 10.77.0.2, fd77::1 and fd77::2 on `lan0`."""

    macs = _MACS

    def __init__(self, directory: Path, *, reference: frozenset[int] = frozenset()) -> None:
        self.directory = directory
        self.reference = reference
        seeded = random.Random(directory.name)
        self.keys: tuple[KeyPair, ...] = tuple(generate_key_pair(seeded.randbytes) for _ in range(2))
        self.places: list[Place] = []
        self.processes: dict[int, subprocess.Popen[str]] = {}
        self._logs: list[IO[str]] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            for name in ("first", "second"):
                place = Place(name)
                self._open.callback(place.close)
                self.places.append(place)
            self.connect_cable()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        for process in self.processes.values():
            process.wait(timeout=10)

    def connect_cable(self) -> None:
        """Put the cable in, with the addresses of both ends."""
        first, second = self.places
        first.ip(f"link add {DEVICE} type veth peer name {DEVICE} netns {second.pid}")
        for number, place in enumerate(self.places):
            place.run("sh", "-c", f"echo 0 >/proc/sys/net/ipv6/conf/{DEVICE}/accept_dad")
            place.ip(
                f"link set {DEVICE} address {_MACS[number]}",
                f"addr add 10.77.0.{number + 1}/24 dev {DEVICE}",
                f"addr add fd77::{number + 1}/64 dev {DEVICE} nodad",
                f"link set {DEVICE} up",
            )

    def pull_cable(self) -> None:
        """Take the device away, at both ends."""
        self.places[0].ip(f"link del {DEVICE}")

    def link_local(self, number: int) -> str:
        """Link-local address of an end of the cable."""
        shown = self.places[number].run("ip", "-j", "-6", "address", "show", "dev", DEVICE, "scope", "link")
        entries: list[dict[str, Any]] = json.loads(shown)
        return str(next(info["local"] for entry in entries for info in entry.get("addr_info", []) if info))

    def address(self, number: int) -> str:
        """Mesh address of a router."""
        return address_text(self.keys[number].address)

    def key(self, number: int) -> str:
        """Public key of a router."""
        return public_key_text(self.keys[number].public)

    def credentials(self, number: int) -> dict[str, str]:
        """What somebody needs who wants to call a router."""
        return {"login": LOGIN, "password": PASSWORD, "publicKey": self.key(number)}

    def config_path(self, number: int) -> Path:
        """Where the configuration of a router is."""
        return self.directory / f"{number}.conf"

    def configure(
        self,
        number: int,
        *,
        users: tuple[str, ...] = (LOGIN,),
        tunnel: dict[str, object] | None = None,
        **interfaces: object,
    ) -> None:
        """Write a configuration; `interfaces` are the entries of that section."""
        config = {
            "privateKey": self.keys[number].private.reveal().hex(),
            "authorizedPasswords": [
                {"password": PASSWORD if user == LOGIN else f"{PASSWORD} of {user}", "user": user}
                for user in users
            ],
            "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
            "interfaces": interfaces,
            "router": {
                "interface": {"type": "TUNInterface", "tunDevice": "mesh0"},
                "ipTunnel": tunnel or {},
            },
            "security": [{"setuser": 0}, {"chroot": 0}, {"seccomp": 0}, {"setupComplete": 1}],
            "logging": {"logTo": "stdout"},
            "noBackground": 1,
            "pipe": str(self.directory / f"{number}.sock"),
            "version": 2,
        }
        self.config_path(number).write_text(json.dumps(config))

    def start(self, number: int, *, runtime_directory: Path | None = None) -> None:
        """Start a router with its configuration; with a runtime directory as a service manager does it."""
        log = (self.directory / f"{number}.log").open("a")
        self._open.callback(log.close)
        config = self.config_path(number)
        if number in self.reference:
            command = ["sh", "-c", 'exec "$0" --nobg <"$1"', os.environ["DEX_CJDROUTE"], str(config)]
        else:
            command = ["env", f"PYTHONPATH={_ROUTER}", sys.executable, "-m", "dexrouter.cli.daemon"]
            if runtime_directory is None:
                command += ["--config", str(config)]
            else:
                command.insert(1, f"RUNTIME_DIRECTORY={runtime_directory}")
                command = ["sh", "-c", 'exec "$@" <"$0"', str(config), *command]
        self.processes[number] = self.places[number].start(*command, log=log)

    def status(self, number: int) -> dict[str, str]:
        """What the kernel says of a router's process: its rights among other things."""
        (pid,) = self._children(number)
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def _children(self, number: int) -> list[int]:
        # What was started is nsenter, which forked for the process namespace: the router is its child.
        pid = self.processes[number].pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def send_signal(self, number: int, name: signal.Signals) -> None:
        """Send a signal to a router of ours."""
        process = self.processes[number]
        for child in self._children(number):
            os.kill(child, name)
        if name is signal.SIGCONT:
            # nsenter stops itself when its child is stopped.
            process.send_signal(name)

    def stop(self, number: int, name: signal.Signals = signal.SIGTERM) -> None:
        """End a router and wait until it is gone."""
        self.send_signal(number, name)
        self.processes.pop(number).wait(timeout=10)

    def log(self, number: int) -> str:
        """What a router has said."""
        return (self.directory / f"{number}.log").read_text(errors="replace")

    def reaches(self, number: int, target: str | None = None) -> bool:
        """Whether a ping from one place is answered: by the other's mesh address, or by `target`."""
        address = target or self.address(1 - number)
        return self.places[number].succeeds("ping", "-c", "1", "-W", "1", "-n", address)

    def wait_for_pings(self, *, seconds: float = SECONDS) -> float:
        """Wait until both reach each other; returns the seconds it took."""
        return wait_until(
            lambda: self.reaches(0) and self.reaches(1), what="pings over the mesh", seconds=seconds
        )

    def wait_for_port(self, number: int, port: int) -> float:
        """Wait until a UDP port of IPv4 is bound: the reference router says nothing of what it does."""
        return wait_until(
            lambda: f":{port:04X} " in self.places[number].run("cat", "/proc/net/udp"),
            what=f"port {port}",
            seconds=SECONDS,
        )

    def wait_for_log(self, number: int, text: str, *, times: int = 1, seconds: float = SECONDS) -> float:
        """Wait until a router of ours has said something so many times."""
        return wait_until(
            lambda: self.log(number).count(text) >= times, what=f"{text!r} in the log", seconds=seconds
        )
