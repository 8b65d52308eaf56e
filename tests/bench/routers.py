"""Routers in a line of places, of one make at a time: ours, the reference router, yggdrasil.

Neighbours are joined by a veth pair. Each router is run as its makers ship it, with as little configuration
as it takes; mesh addresses are all that the measurements know.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dexrouter.crypto.keys import KeyPair, address_text, generate_key_pair, public_key_text
from machine import find_program
from neighbourhood import Place, wait_until

__all__ = ["MAKES", "Line", "Make"]

_ROUTER = Path(__file__).resolve().parents[2] / "router"
_PASSWORD = "a password of the bench"
_PORT = 4001
_PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class Make:
    """One make of router."""

    name: str
    program: Callable[[], str | None]
    """Where it is; None: this machine has none."""
    has_ethernet: bool = True


MAKES = (
    Make("dexrouter", lambda: sys.executable),
    Make("cjdroute", lambda: os.environ.get("CJDROUTE")),
    Make("yggdrasil", lambda: find_program("yggdrasil"), has_ethernet=False),
)


class Line:
    """Routers of one make, each with the next as its neighbour."""

    def __init__(self, make: Make, count: int, directory: Path, *, over_ethernet: bool = False) -> None:
        """`over_ethernet`: neighbours find each other by beacons and send frames, not datagrams."""
        program = make.program()
        assert program is not None
        self._program = program
        self.make = make
        self.count = count
        self._over_ethernet = over_ethernet
        self._directory = directory
        self.places: list[Place] = []
        self.addresses: list[str] = []
        self._open = contextlib.ExitStack()
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            for number in range(self.count):
                place = Place(f"{self.make.name} {number}")
                self._open.callback(place.close)
                self.places.append(place)
            for number in range(self.count - 1):
                self._connect(number)
            if self.make.name == "yggdrasil":
                self._start_yggdrasil()
            else:
                self._start_cjdns()
            self._wait()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        self._open.close()

    @property
    def target(self) -> str:
        """Mesh address of the last router."""
        return self.addresses[-1]

    def cpu_seconds(self) -> float:
        """Processor time that all the routers have used."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    def memory_mib(self) -> float:
        """Resident memory of the greediest router."""
        by_place: dict[int, float] = {}
        for pid in self._pids():
            status = Path(f"/proc/{pid}/status").read_text()
            resident = next((line for line in status.splitlines() if line.startswith("VmRSS")), "VmRSS: 0")
            by_place[pid] = int(resident.split()[1]) / 1024
        return max(by_place.values())

    # -- inside

    def _pids(self) -> list[int]:
        """All processes behind those that we started; what was started is nsenter."""
        found, todo = [], [process.pid for process in self._processes]
        while todo:
            pid = todo.pop()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [int(child) for child in children]
            todo += [int(child) for child in children]
        return found

    def _connect(self, number: int) -> None:
        first, second = self.places[number], self.places[number + 1]
        first.ip(f"link add r{number} type veth peer name l{number} netns {second.pid}")
        first.ip(f"addr add 10.77.{number}.1/24 dev r{number}", f"link set r{number} up")
        second.ip(f"addr add 10.77.{number}.2/24 dev l{number}", f"link set l{number} up")

    def _start(self, number: int, command: list[str], config: str) -> None:
        path = self._directory / f"{number}.conf"
        path.write_text(config)
        log = (self._directory / f"{number}.log").open("w")
        self._open.callback(log.close)
        shell = ["sh", "-c", 'conf=$1; shift; exec "$@" <"$conf"', "sh", str(path), *command]
        self._processes.append(self.places[number].start(*shell, log=log))

    def _start_cjdns(self) -> None:
        keys = [generate_key_pair(os.urandom) for _ in range(self.count)]
        self.addresses = [address_text(key.address) for key in keys]
        command = [self._program, "--nobg"]
        if self.make.name == "dexrouter":
            command = ["env", f"PYTHONPATH={_ROUTER}", self._program, "-m", "dexrouter.cli.daemon"]
        for number, key in enumerate(keys):
            before = keys[number - 1] if number else None
            self._start(number, command, json.dumps(self._cjdns_config(number, key, before)))

    def _cjdns_config(self, number: int, key: KeyPair, before: KeyPair | None) -> dict[str, object]:
        calls = {}
        if before is not None:
            peer = {"login": "next", "password": _PASSWORD, "publicKey": public_key_text(before.public)}
            calls[f"10.77.{number - 1}.1:{_PORT}"] = peer
        interfaces: dict[str, object] = {"UDPInterface": [{"bind": f"0.0.0.0:{_PORT}", "connectTo": calls}]}
        if self._over_ethernet:
            devices = [f"l{number - 1}"] * (number > 0) + [f"r{number}"] * (number < self.count - 1)
            interfaces = {
                "ETHInterface": [{"bind": device, "beacon": 2, "connectTo": {}} for device in devices]
            }
        return {
            "privateKey": key.private.reveal().hex(),
            "authorizedPasswords": [{"password": _PASSWORD, "user": "next"}],
            "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
            "interfaces": interfaces,
            "router": {"interface": {"type": "TUNInterface", "tunDevice": "mesh0"}},
            "security": [{"setuser": 0}, {"chroot": 0}, {"seccomp": 0}, {"setupComplete": 1}],
            "logging": {"logTo": "stdout"},
            "noBackground": 1,
            "pipe": str(self._directory / f"{number}.sock"),
            "version": 2,
        }

    def _start_yggdrasil(self) -> None:
        for number in range(self.count):
            made = subprocess.run(
                [self._program, "-genconf", "-json"], capture_output=True, text=True, check=True
            )
            config = json.loads(made.stdout)
            config["Peers"] = [f"tcp://10.77.{number - 1}.1:{_PORT}"] if number else []
            config["Listen"] = [f"tcp://0.0.0.0:{_PORT}"]
            config["MulticastInterfaces"] = []
            config["AdminListen"] = "none"
            config["IfName"] = "mesh0"
            text = json.dumps(config)
            told = subprocess.run(
                [self._program, "-useconf", "-address"],
                input=text,
                capture_output=True,
                text=True,
                check=True,
            )
            self.addresses.append(told.stdout.strip())
            self._start(number, [self._program, "-useconf"], text)

    def _wait(self) -> None:
        def reaches() -> bool:
            return self.places[0].succeeds("ping", "-c", "1", "-W", "1", "-n", self.target)

        wait_until(reaches, what=f"a way through {self.count} routers", seconds=_PATIENCE)
        # Both ends know each other well, and the routers have come to rest.
        self.places[0].run("ping", "-c", "20", "-i", "0.05", "-q", "-n", self.target)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
