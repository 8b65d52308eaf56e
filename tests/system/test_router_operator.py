"""What the operator of a running router asks of it: a socket for the device, routes by hand, rights."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.keys import address_text, generate_key_pair, public_key_text
from dexrouter.wire.ipv6 import TUN_PREFIX_IPV6, rebuild
from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import Place, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

ROUTER = Path(__file__).resolve().parents[2] / "router"
KEY = generate_key_pair(random.Random("operator").randbytes)
GATEWAY = public_key_text(generate_key_pair(random.Random("gateway").randbytes).public)
SECONDS = 20.0


class Running:
    """A router in a place of its own, and its admin API."""

    def __init__(self, directory: Path, interface: dict[str, str], *, user: str | int = 0) -> None:
        self._path = directory / "cjdroute.conf"
        self._path.write_text(
            json.dumps(
                {
                    "privateKey": KEY.private.reveal().hex(),
                    "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
                    "interfaces": {"UDPInterface": [{"bind": "0.0.0.0:4001"}]},
                    "router": {"interface": interface, "ipTunnel": {"outgoingConnections": [GATEWAY]}},
                    "security": [{"setuser": user, "keepNetAdmin": 1}],
                }
            )
        )
        self._log = (directory / "log").open("w")
        self.place = Place("operator")
        self.process: subprocess.Popen[str] = self.place.start(
            *self._command("daemon"), "--config", str(self._path), log=self._log
        )

    @staticmethod
    def _command(name: str) -> tuple[str, ...]:
        return ("env", f"PYTHONPATH={ROUTER}", sys.executable, "-m", f"dexrouter.cli.{name}")

    def call(self, function: str, **arguments: object) -> dict[str, Any]:
        """Call a function of the admin API; an error is the text of the reply."""
        words = [f"--{name}={value}" for name, value in arguments.items()]
        text = self.place.run(*self._command("control"), "call", function, *words, allowed=(0, 1))
        reply: dict[str, Any] = json.loads(text) if text.startswith("{") else {"error": text.strip()}
        return reply

    def close(self) -> None:
        self.place.close()
        self.process.wait(timeout=10)
        self._log.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A router with a device that has become another user."""
    made = Running(tmp_path, {"type": "TUNInterface", "tunDevice": "mesh0"}, user="nobody")
    try:
        wait_until(
            lambda: made.call("Core_nodeInfo")["error"] == "none", what="the router's answer", seconds=SECONDS
        )
        yield made
    finally:
        made.close()


def test_a_program_stands_in_for_the_device(tmp_path: Path) -> None:
    """It is told address and MTU; a packet to the node's own address comes back to it."""
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(SECONDS)
        waiting.bind(str(tmp_path / "tun.sock"))
        waiting.listen()
        made = Running(tmp_path, {"type": "SocketInterface", "socketFullPath": str(tmp_path / "tun.sock")})
        try:
            program, _ = waiting.accept()
            with program, program.makefile("rwb") as stream:
                program.settimeout(SECONDS)
                assert stream.read(22) == b"\1" + KEY.address + b"\2" + (1304).to_bytes(4, "big")
                packet = TUN_PREFIX_IPV6 + rebuild(KEY.address, KEY.address, 17, b"to myself")
                message = b"\0" + len(packet).to_bytes(4, "big") + packet
                stream.write(message)
                stream.flush()
                assert stream.read(len(message)) == message
        finally:
            made.close()


def test_routes_by_hand_are_set_on_the_device_and_taken_away(running: Running) -> None:
    """Around what is left out; with the rights that the router has kept."""

    def routes() -> set[str]:
        shown = running.place.run("ip", "-j", "route", "show", "dev", "mesh0")
        return {entry["dst"] for entry in json.loads(shown)}

    assert running.call("RouteGen_addPrefix", route="198.51.100.0/30")["error"] == "none"
    assert running.call("RouteGen_addException", route="198.51.100.1")["error"] == "none"
    assert routes() == set()
    assert running.call("RouteGen_commit", tunName="mesh0")["error"] == "none"
    assert routes() == {"198.51.100.0", "198.51.100.2/31"}
    running.call("RouteGen_removePrefix", route="198.51.100.0/30")
    running.call("RouteGen_commit", tunName="mesh0")
    assert routes() == set()
    assert "No such device" in running.call("RouteGen_commit", tunName="nosuch0")["error"]


def test_a_router_that_has_given_up_its_rights_says_so_and_gets_none_back(running: Running) -> None:
    """It is who it became; that, again, is granted, and nothing else is."""
    own = running.call("Security_getUser")
    assert own["name"] != "root"
    assert running.call("Security_checkPermissions")["userId"] == own["uid"]
    again = running.call("Security_setUser", uid=own["uid"], keepNetAdmin=1, gid=own["gid"])
    assert again["error"] == "none"
    assert "not permitted" in running.call("Security_setUser", uid=0, keepNetAdmin=1)["error"]
    assert running.call("Core_nodeInfo")["myIp6"] == address_text(KEY.address)
