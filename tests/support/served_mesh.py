"""A mesh of routers of which one has a real route server beside it.

`DEX_ROUTE_SERVER` names its program, `cjdns-snode` of cjdns-route-server: no part of this project, and what
needs it is skipped by name without it. It finds its router by the admin API, as it does everywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from machine import Need
from neighbourhood import CommandError, wait_until
from router_mesh import Edge, RouterMesh

__all__ = ["ROUTE_SERVER", "ServedMesh"]

ROUTE_SERVER = Need(
    "DEX_ROUTE_SERVER (path of a cjdns-snode)", lambda: Path(os.environ.get("DEX_ROUTE_SERVER", "")).is_file()
)

_ROUTER = Path(__file__).resolve().parents[2] / "router"
_GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
_SERVER_URL = "http://127.0.0.1:3333/"
_TOLD_BY_SERVER = range(0xFF10_0000, 0xFF20_0000)
"""Metrics of paths that a route server has told (core/metric.py)."""


class ServedMesh(RouterMesh):
    """See the module docstring. Leaving it ends the server, too."""

    def __init__(
        self, directory: Path, kinds: Iterable[str], edges: tuple[Edge, ...], *, route_server: int
    ) -> None:
        super().__init__(directory, kinds, edges, route_server=route_server)
        self._host = route_server
        self._server: subprocess.Popen[str] | None = None
        self._log = directory / "route server.log"
        (directory / "route server.json").write_text(json.dumps({"connectCjdns": True, "peers": []}))

    def start_server(self) -> None:
        """Start the server as soon as its router is there."""
        place = self.places[self._host]
        wait_until(lambda: place.succeeds("ip", "link", "show", "mesh0"), what="the router", seconds=20)
        command = ["env", f"HOME={self._log.parent}", "RUST_LOG=info", os.environ["DEX_ROUTE_SERVER"]]
        command += ["--config", str(self._log.parent / "route server.json")]
        with self._log.open("a") as log:
            self._server = place.start(*command, log=log)

    def kill_server(self) -> None:
        """End the server without a word; its router goes on."""
        assert self._server is not None
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        subprocess.run(["kill", "-9", *children], check=True)
        self._server.wait(timeout=10)

    def complaints(self) -> list[str]:
        """What the server has warned of: announcements that it refused."""
        return [line for line in self._log.read_text().splitlines() if " WARN " in line]

    def known(self) -> int:
        """How many nodes have announced themselves to the server."""
        with contextlib.suppress(CommandError):
            return int(json.loads(self._ask_server(""))["nodesByIp"])
        return 0

    def knows_way(self, one: int, other: int) -> bool:
        """Whether the server computes a path from one to the other."""
        with contextlib.suppress(CommandError, ValueError):
            return "label" in json.loads(self._ask_server(f"path/{self.address(one)}/{self.address(other)}"))
        return False

    def know_all(self) -> bool:
        """Whether the server computes a path for every pair."""
        return self.known() == len(self.kinds) and all(self.knows_way(*pair) for pair in self.pairs)

    def wait_for_told_path(self, one: int, other: int, *, seconds: float) -> None:
        """Wait until one of our nodes pings another over a path that the server has told."""
        wait_until(
            lambda: self.reaches(one, other) and self._uses_told_path(one, other),
            what=f"a path of the server from {one} to {other}",
            seconds=seconds,
        )

    def _uses_told_path(self, one: int, other: int) -> bool:
        reply = self._call(one, "SessionManager_sessionStatsByIP", f"--ip6={self.address(other)}")
        return int(reply.get("metric", 0)) in _TOLD_BY_SERVER

    def server_in_use(self, number: int) -> str:
        """The route server that one of our nodes uses, NONE without."""
        return str(self._call(number, "SupernodeHunter_status").get("activeSnode"))

    def _call(self, number: int, *words: str) -> dict[str, Any]:
        command = ["env", f"PYTHONPATH={_ROUTER}", sys.executable, "-m", "dexrouter.cli.control", "call"]
        reply: dict[str, Any] = json.loads(self.places[number].run(*command, *words, allowed=(0, 1)))
        return reply

    def _ask_server(self, path: str) -> str:
        return self.places[self._host].run(sys.executable, "-c", _GET, _SERVER_URL + path)
