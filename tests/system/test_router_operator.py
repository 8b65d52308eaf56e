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
_GATEWAY = generate_key_pair(random.Random("gateway").randbytes)
GATEWAY, GATEWAY_ADDRESS = public_key_text(_GATEWAY.public), address_text(_GATEWAY.address)
SECONDS = 20.0


HANDED = 200
"""Descriptor that a router is started with."""
WITH_TUN = f"""
import fcntl, os, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"handed0", 0x1001))
os.dup2(tun, {HANDED})
os.close(tun)
os.execvp(sys.argv[1], sys.argv[1:])
"""
TRY_ALL = """
import socket
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(10)
for number in (*range(-1, 60), 201, 1 << 40):
    call = b"d4:argsd5:tunfdi%de4:typei1ee1:q14:Core_initTunfd4:txid1:xe" % number
    asking.sendto(call, ("127.0.0.1", 11234))
    print("none" if b"4:none" in asking.recv(2048) else "refused")
"""
ASK_ANYTHING = """
import itertools, socket
from dexrouter.admin.message import decode_reply, encode
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(10)
def ask(function, **arguments):
    asking.sendto(encode({"q": function, "args": arguments, "txid": "t"}), ("127.0.0.1", 11234))
    try:
        return decode_reply(asking.recv(65536))
    except TimeoutError:
        raise SystemExit(f"no answer to {function} {arguments}")
values = {
    "Int": (0, 1, -1, 255, 1 << 31, (1 << 63) - 1, -(1 << 63)),
    "String": ("", "\\0", "a\\0b", "all", "mesh0", "x" * 300, "/" * 200, "[fe80::1%a\\0]:1", "fc00::1/8"),
    "List": ([], ["\\0", "x" * 300, 7, []]),
    "Dict": ({}, {"\\0": 1}),
}
slow = {"SearchRunner_search", "SwitchPinger_ping"}
functions = {}
for page in itertools.count():
    some = ask("Admin_availableFunctions", page=page)["availableFunctions"]
    if not some:
        break
    functions.update(some)
asked = 0
for name, arguments in functions.items():
    if name == "Core_exit" or name.startswith("RouterModule_") or name in slow:
        continue  # the first does what it says, the others answer later
    for turn in range(9 if arguments else 1):
        given = {one: values[of["type"]][turn % len(values[of["type"]])] for one, of in arguments.items()}
        ask(name, **given)
        asked += 1
print(asked)
"""


class Running:
    """A router in a place of its own, and its admin API."""

    def __init__(
        self, directory: Path, interface: dict[str, str], *, user: str | int = 0, before: tuple[str, ...] = ()
    ) -> None:
        """`before`: a command that runs the router."""
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
            *before, *self._command("daemon"), "--config", str(self._path), log=self._log
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

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(
            lambda: self.call("Core_nodeInfo")["error"] == "none", what="the router's answer", seconds=SECONDS
        )

    def close(self) -> None:
        self.place.close()
        self.process.wait(timeout=10)
        self._log.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A router with a device that has become another user."""
    made = Running(tmp_path, {"type": "TUNInterface", "tunDevice": "mesh0"}, user="nobody")
    try:
        made.wait()
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


def test_a_device_can_be_handed_over_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    """What the host sends into it comes to the router; it goes with the router's use of it."""
    made = Running(tmp_path, {}, before=(sys.executable, "-c", WITH_TUN))
    try:
        made.wait()
        assert "none" not in made.place.run(sys.executable, "-c", TRY_ALL).split("\n")
        assert made.call("Core_initTunfd", tunfd=HANDED, type=1) == {"error": "none"}
        assert "in use" in made.call("Core_initTunfd", tunfd=HANDED, type=1)["error"]
        made.place.ip(f"address add {address_text(KEY.address)}/8 dev handed0 nodad", "link set handed0 up")
        assert not made.place.succeeds("ping", "-c", "1", "-W", "1", "-n", GATEWAY_ADDRESS)
        statistics = made.place.run("cat", "/sys/class/net/handed0/statistics/tx_packets")
        assert int(statistics) > 0
        assert made.call("Core_stopTun") == {"error": "none"}
        assert not made.place.succeeds("ip", "link", "show", "handed0")
    finally:
        made.close()


def test_whatever_is_asked_is_answered(running: Running) -> None:
    """By every function, with arguments that no tool would send: the router is there afterwards."""
    asked = running.place.run("env", f"PYTHONPATH={ROUTER}", sys.executable, "-c", ASK_ANYTHING, timeout=60)
    assert int(asked) > 500
    assert running.call("Core_nodeInfo")["myIp6"] == address_text(KEY.address)


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
