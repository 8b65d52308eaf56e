"""Some routers, each in a place of its own, with cables between them; ours or the reference's.

    with RouterMesh(tmp_path, ("ours", "reference", "ours"), line(3)) as mesh:
        mesh.start_all()
        mesh.wait_for_all()

On each cable the place with the higher number calls the other one. `DEX_CJDROUTE` names the reference's
program (router_pair.REFERENCE); nothing here needs it while all are ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import pairwise, permutations
from pathlib import Path
from types import TracebackType
from typing import Self

from dexrouter.crypto.keys import KeyPair, address_text, generate_key_pair, public_key_text
from neighbourhood import Place, wait_until

__all__ = ["Edge", "RouterMesh", "line", "ring"]

Edge = tuple[int, int]

_PORT = 4001
_LOGIN = "next"
_PASSWORD = "between neighbours"
_ROUTER = Path(__file__).resolve().parents[2] / "router"
_FLOODER = Path(__file__).resolve().with_name("flooder.py")


def line(count: int) -> tuple[Edge, ...]:
    """Give the cables of a line."""
    return tuple(pairwise(range(count)))


def ring(count: int) -> tuple[Edge, ...]:
    """Give the cables of a ring."""
    return (*line(count), (0, count - 1))


class RouterMesh:
    """Places with routers. A context manager: leaving it takes everything down."""

    def __init__(
        self,
        directory: Path,
        kinds: Iterable[str],
        edges: tuple[Edge, ...],
        *,
        route_server: int | None = None,
    ) -> None:
        """`route_server`: the router that has one beside it, which all of them are to use."""
        self.kinds = tuple(kinds)
        self.edges = edges
        self.route_server = route_server
        self.places: list[Place] = []
        self._directory = directory
        seeded = random.Random(directory.name)
        self._keys: tuple[KeyPair, ...] = tuple(generate_key_pair(seeded.randbytes) for _ in self.kinds)
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            for number in range(len(self.kinds)):
                place = Place(f"router {number}")
                self._open.callback(place.close)
                self.places.append(place)
            for cable, (one, other) in enumerate(self.edges):
                self._connect(cable, self.places[one], self.places[other])
            for number in range(len(self.kinds)):
                self._config_path(number).write_text(json.dumps(self._config(number)), encoding="utf-8")
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        for process in self._processes.values():
            process.wait(timeout=10)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All ordered pairs of different nodes."""
        return list(permutations(range(len(self.kinds)), 2))

    def start_all(self) -> None:
        """Start every router."""
        for number in range(len(self.kinds)):
            self.start(number)

    def start(self, number: int) -> None:
        """Start one router."""
        config = str(self._config_path(number))
        log = self._open.enter_context((self._directory / f"{number}.log").open("a"))
        if self.kinds[number] == "ours":
            command = ["env", f"PYTHONPATH={_ROUTER}", sys.executable, "-m", "dexrouter.cli.daemon"]
            command += ["--config", config]
        else:
            command = ["sh", "-c", 'exec "$0" --nobg <"$1"', os.environ["DEX_CJDROUTE"], config]
        self._processes[number] = self.places[number].start(*command, log=log)

    def flood(self, number: int, kind: str, *, rate: int, seconds: float) -> subprocess.Popen[str]:
        """Let the last place, which runs no router, flood its neighbour in a line (flooder.py)."""
        cable = len(self.edges) - 1
        log = self._open.enter_context((self._directory / f"flood {kind}.log").open("a"))
        command = ["env", f"PYTHONPATH={_ROUTER}", sys.executable, str(_FLOODER), kind, f"10.77.{cable}.1"]
        command += [str(_PORT), self._keys[number].public.hex(), f"--rate={rate}", f"--seconds={seconds}"]
        return self.places[-1].start(*command, log=log)

    def said_by_flooder(self, kind: str) -> str:
        """What the flooder has printed."""
        return (self._directory / f"flood {kind}.log").read_text(encoding="utf-8")

    def memory_mib(self, number: int) -> float:
        """Resident memory of a router of ours."""
        pages = self._proc(number, "statm").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_seconds(self, number: int) -> float:
        """Processor time that a router of ours has used."""
        fields = self._proc(number, "stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _proc(self, number: int, name: str) -> str:
        # What was started is nsenter, which forked for the process namespace: the router is its child.
        pid = self._processes[number].pid
        child = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0]
        return Path(f"/proc/{child}/{name}").read_text(encoding="utf-8")

    def address(self, number: int) -> str:
        """Mesh address of a router."""
        return address_text(self._keys[number].address)

    def kill(self, number: int) -> None:
        """End a router without a word; the reference consists of two processes."""
        process = self._processes.pop(number)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        for child in children.split():
            grandchildren = Path(f"/proc/{child}/task/{child}/children").read_text(encoding="ascii")
            subprocess.run(["kill", "-9", child, *grandchildren.split()], check=True)
        process.wait(timeout=10)

    def cut(self, edge: Edge) -> None:
        """Take a cable out."""
        self.places[edge[0]].ip(f"link set c{self.edges.index(edge)}a down")
        self.places[edge[1]].ip(f"link set c{self.edges.index(edge)}b down")

    def reaches(self, one: int, other: int) -> bool:
        """Whether a ping from one is answered by the other."""
        return self.places[one].succeeds("ping", "-c", "1", "-W", "1", "-n", self.address(other))

    def wait_for_all(self, *, seconds: float) -> float:
        """Wait until every node reaches every other; gives the seconds it took."""
        left = self.pairs
        begun = time.monotonic()

        def all_answered() -> bool:
            left[:] = [pair for pair in left if not self.reaches(*pair)]
            return not left

        wait_until(all_answered, what=f"pings among {len(self.kinds)} routers", seconds=seconds)
        return time.monotonic() - begun

    @staticmethod
    def _connect(cable: int, one: Place, other: Place) -> None:
        one.ip(f"link add c{cable}a type veth peer name c{cable}b netns {other.pid}")
        one.ip(f"addr add 10.77.{cable}.1/24 dev c{cable}a", f"link set c{cable}a up")
        other.ip(f"addr add 10.77.{cable}.2/24 dev c{cable}b", f"link set c{cable}b up")

    def _config_path(self, number: int) -> Path:
        return self._directory / f"{number}.conf"

    def _config(self, number: int) -> dict[str, object]:
        calls = {
            f"10.77.{cable}.1:{_PORT}": {
                "login": _LOGIN,
                "password": _PASSWORD,
                "publicKey": public_key_text(self._keys[one].public),
            }
            for cable, (one, other) in enumerate(self.edges)
            if other == number
        }
        return {
            "privateKey": self._keys[number].private.reveal().hex(),
            "authorizedPasswords": [{"password": _PASSWORD, "user": _LOGIN}],
            "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
            "interfaces": {"UDPInterface": [{"bind": f"0.0.0.0:{_PORT}", "connectTo": calls}]},
            "router": {
                "interface": {"type": "TUNInterface", "tunDevice": "mesh0"},
                "supernodes": []
                if self.route_server is None
                else [public_key_text(self._keys[self.route_server].public)],
            },
            "security": [{"setuser": 0}, {"chroot": 0}, {"seccomp": 0}, {"setupComplete": 1}],
            "logging": {"logTo": "stdout"},
            "noBackground": 1,
            "pipe": str(self._directory / f"{number}.sock"),
            "version": 2,
        }
