"""A whole machine under systemd: set up, switched off and on, its router restarted, undone.

The home of the other scenarios, with the distribution's systemd as its process 1, and firewalld and opensmtpd
as its services. What it comes up with by itself after a reboot is the subject; nothing is started by hand.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

import pytest

from booted import BOOTS, BootedHome
from dexsetup.render.jinja import JinjaRenderer
from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from neighbourhood import wait_until
from two_homes import BEN, TwoHomes, differences

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(
        ROOT, TUN, NAMESPACES, OVERLAY, BOOTS, program("nft"), program("smtpd"), program("s-nail"),
        program("firewalld"),
    ),
]  # fmt: skip

DROP_IN = "/etc/systemd/system/opensmtpd.service.d/10-dexsetup.conf"
SLOW_ROUTER = "/etc/systemd/system/dexrouter.service.d/90-slow.conf"
OURS = ("dexrouter.service", "cjdns-wait-online.service")
OFF = """\
schema = 1
mail = { enable = false }
firewall = { enable = false }
user = [{ login = "ben", files = ["mailrc"] }]
"""
OF_THE_NODE = (
    "/etc/cjdroute.conf", "/etc/dexsetup", "/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow",
    "/etc/systemd/system", "/opt/dexsetup", "/usr/local/bin",
)  # fmt: skip
"""Where the node itself has something, which stays when mail and firewall are switched off."""
GUARD = "dexsetup-guard.service"
EXPOSURE_MAX = {"dexrouter.service": 1.8, "cjdns-wait-online.service": 1.8, "dexsetup-mailqueue.service": 1.8}
"""What `systemd-analyze security` may say of each of our units, of 10."""
_DELIVER = """
import smtplib, sys
address, sender, text = sys.argv[1:]
with smtplib.SMTP(address, 25, local_hostname=f"[IPv6:{sender}]", timeout=20) as server:
    server.sendmail(f"stranger@[IPv6:{sender}]", [f"ben@[IPv6:{address}]"], f"Subject: knock\\n\\n{text}\\n")
"""
_TAKE_LETTERS = """
import socket, socketserver
class Letters(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 hello\\r\\n")
        is_text = False
        for line in self.rfile:
            is_text = is_text and line != b".\\r\\n"
            if not is_text:
                is_text = line.upper().startswith(b"DATA")
                self.wfile.write(b"354 go on\\r\\n" if is_text else b"250 well\\r\\n")
class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address = socket.AF_INET6, True
Server(("::", 25), Letters).serve_forever()
"""
"""Says yes to everything, as a mail server does that has come back."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The scenario, and what the machine was like before it was set up."""

    scenario: TwoHomes
    home: BootedHome
    before: str
    zones_before: str
    routes_before: str


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Build the machine and set it up. Each test leaves it as it found it: set up, and switched on."""
    with TwoHomes() as scenario:
        scenario.start_public_node()
        home = scenario.add_home(BEN, BootedHome)
        assert isinstance(home, BootedHome)
        assert home.run("systemctl", "is-system-running").strip() == "running"
        before, zones_before, routes_before = scenario.fingerprint(BEN), settings(home), blackholes(home)
        scenario.set_up(BEN)
        yield Machine(scenario, home, before, zones_before, routes_before)


def is_active(home: BootedHome, unit: str) -> bool:
    """Whether systemd says that the unit is active."""
    return home.run("systemctl", "is-active", unit, allowed=range(256)).strip() == "active"


def pid_of(home: BootedHome, unit: str) -> str:
    """Return the unit's main process."""
    return home.run("systemctl", "show", "--property=MainPID", "--value", unit).strip()


def started_at(home: BootedHome, unit: str) -> int:
    """Return when the unit became active, in microseconds since the kernel's start."""
    shown = home.run("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", unit)
    return int(shown)


def queue_of(home: BootedHome) -> str:
    """Return the letters on their way, or a word of smtpctl's failure."""
    look = 'shown=$(smtpctl show queue 2>&1) && printf %s "$shown" || echo failed'
    return home.run("sh", "-c", look).strip()


def deliver(machine: Machine, text: str) -> None:
    """Leave a letter over the mesh, as a stranger on the public node does, and wait until it is there."""
    public = machine.scenario.neighbourhood.public
    shown = public.run("ip", "-6", "-o", "addr", "show", "scope", "global")
    sender = re.search(r"inet6 (fc[0-9a-f:]+)/", shown)
    assert sender is not None, shown
    address = machine.scenario.address_of(BEN)
    wait_until(
        lambda: public.succeeds("ping", "-6", "-c", "1", "-W", "1", address),
        what="the stranger reaches the machine",
        seconds=60,
    )
    wait_until(
        lambda: public.succeeds("bash", "-c", f"exec 3<>/dev/tcp/{address}/25"),
        what="the mail server listens",
        seconds=60,
    )
    public.run(sys.executable, "-c", _DELIVER, address, str(IPv6Address(sender[1])), text)
    machine.scenario.wait_for_letter(BEN, text)


def settings(home: BootedHome) -> str:
    """Return everything that firewalld says of its zones, as it runs and as it is kept."""
    return "\n".join(
        home.run("firewall-cmd", *option, "--list-all-zones") for option in ((), ("--permanent",))
    )


def blackholes(home: BootedHome) -> str:
    """Return the kernel's routes at which packets end."""
    return home.run("ip", "-6", "route", "show", "type", "blackhole")


def breaks(machine: Machine) -> set[str]:
    """Return the links of the chain that the doctor finds broken."""
    shown = machine.scenario.dexsetup(BEN, "doctor", "--json", allowed=(0, 6))
    findings = json.loads(shown.strip().splitlines()[-1])["findings"]
    return {finding["link"] for finding in findings if finding["grade"] == "FAIL"}


@contextlib.contextmanager
def slow_router(home: BootedHome) -> Iterator[None]:
    """Let the router take its time at boot, as it does on a slow machine."""
    home.write(SLOW_ROUTER, "[Service]\nExecStartPre=sleep 3\n")
    yield
    home.run("rm", "-r", SLOW_ROUTER.rpartition("/")[0])


def test_after_a_reboot_the_machine_takes_letters_without_a_hand(machine: Machine) -> None:
    """Router, address, zone and mail server come up in order, however long the router takes."""
    home = machine.home
    address, zones = machine.scenario.address_of(BEN), settings(home)
    with slow_router(home):
        home.reboot()
        assert home.run("systemctl", "is-system-running").strip() == "running"
        assert machine.scenario.address_of(BEN) == address
        order = [started_at(home, unit) for unit in (*OURS, "opensmtpd.service")]
        assert order == sorted(order)
        assert differences(zones, settings(home)) == []
        assert home.run("firewall-cmd", "--get-zone-of-interface=cjdns0").strip() == "cjdns"
        deliver(machine, "after the reboot")
        assert breaks(machine) == set()
        assert "is on this machine" in machine.scenario.dexsetup(BEN, "verify")


def test_without_the_drop_in_the_mail_server_is_gone_after_a_reboot(machine: Machine) -> None:
    """So the drop-in is what keeps mail; the doctor names its absence."""
    home = machine.home
    with slow_router(home):
        home.run("mv", DROP_IN, "/root/kept")
        home.reboot()
        assert not is_active(home, "opensmtpd.service")
        assert home.run("systemctl", "is-failed", "opensmtpd.service").strip() == "failed"
        assert {"boot", "mail"} <= breaks(machine)
        home.run("mv", "/root/kept", DROP_IN)
        home.run("systemctl", "daemon-reload")
        home.run("systemctl", "restart", "opensmtpd.service")


def test_the_mail_server_outlives_a_restart_of_the_router(machine: Machine) -> None:
    """It keeps its process, and takes letters as soon as the address is back."""
    home = machine.home
    before = pid_of(home, "opensmtpd.service")
    home.run("systemctl", "restart", "cjdns.service")
    deliver(machine, "after the restart")
    assert pid_of(home, "opensmtpd.service") == before
    home.run("systemctl", "reload", "dexrouter.service")
    assert is_active(home, "dexrouter.service")


def test_a_letter_that_waits_is_sent_by_the_unit_that_is_shut_in(machine: Machine) -> None:
    """It may do what it is for: see the queue, ask the other machine, and tell opensmtpd."""
    home, public = machine.home, machine.scenario.neighbourhood.public
    deliver(machine, "before the letter waits")
    addresses = public.run("ip", "-6", "-o", "addr", "show", "scope", "global")
    shown = re.search(r"inet6 (fc[0-9a-f:]+)/", addresses)
    assert shown is not None
    home.run("s-nail", "-s", "wait", f"jo@[IPv6:{shown[1]}]", stdin="for you\n", login=BEN.login)
    server_pid = pid_of(home, "opensmtpd.service")
    wait_until(lambda: "|pending|" in queue_of(home), what="the letter waits", seconds=60)
    with tempfile.TemporaryFile("w+") as log:
        server = public.start(sys.executable, "-c", _TAKE_LETTERS, log=log)
        try:
            wait_until(lambda: not queue_of(home), what="it is sent", seconds=120)
        finally:
            server.terminate()
    assert pid_of(home, "opensmtpd.service") == server_pid
    assert "waiting letters are sent" in home.run(
        "journalctl", "-u", "dexsetup-mailqueue.service", "-o", "cat"
    )


def test_the_units_are_as_systemd_likes_them(machine: Machine) -> None:
    """No word that systemd does not know, and programs that are shut in."""
    home = machine.home
    for unit in (*EXPOSURE_MAX, "opensmtpd.service"):
        assert home.run("systemd-analyze", "verify", "--man=no", unit).strip() == ""
    for unit, most in EXPOSURE_MAX.items():
        shown = home.run("systemd-analyze", "security", "--no-pager", unit)
        level = re.search(rf"Overall exposure level for {unit}: ([\d.]+)", shown)
        assert level is not None, shown
        assert float(level[1]) <= most


def test_the_guard_can_do_its_work_shut_in(machine: Machine) -> None:
    """For machines without firewalld: its unit loads the table, loads it again, and takes it away."""
    home, renderer = machine.home, JinjaRenderer()
    rules = renderer.render("nftables/guard.nft.j2", device="cjdns0", ports=(("25", "tcp"),))
    home.write("/etc/dexsetup/guard.nft", rules.decode())
    home.write(f"/etc/systemd/system/{GUARD}", renderer.render(f"units/{GUARD}.j2").decode())
    home.run("systemctl", "daemon-reload")
    assert home.run("systemd-analyze", "verify", "--man=no", GUARD).strip() == ""
    home.run("systemctl", "start", GUARD)
    home.run("systemctl", "reload", GUARD)
    assert "tcp dport 25 accept" in home.run("nft", "list", "table", "inet", "dexsetup_guard")
    deliver(machine, "past the guard")
    home.run("systemctl", "stop", GUARD)
    assert "dexsetup_guard" not in home.run("nft", "list", "tables")
    home.run("rm", "/etc/dexsetup/guard.nft", f"/etc/systemd/system/{GUARD}")
    home.run("systemctl", "daemon-reload")


def test_the_same_answers_again_change_nothing(machine: Machine) -> None:
    """Neither a file, nor a zone, nor a process."""
    home = machine.home
    units = (*OURS, "opensmtpd.service", "firewalld.service")
    before = (machine.scenario.fingerprint(BEN), settings(home), [pid_of(home, unit) for unit in units])
    assert "Nothing to do" in machine.scenario.set_up(BEN)
    assert before == (
        machine.scenario.fingerprint(BEN),
        settings(home),
        [pid_of(home, unit) for unit in units],
    )


def test_parts_that_are_switched_off_give_back_what_was_there(machine: Machine) -> None:
    """The distribution's mail server serves with its own configuration; zones and homes are as before."""
    home, scenario = machine.home, machine.scenario
    during, zones = scenario.fingerprint(BEN), settings(home)
    home.write("/root/off.toml", OFF)
    scenario.dexsetup(BEN, "--answers", "/root/off.toml")
    assert differences(machine.zones_before, settings(home)) == []
    left = {path_of(line) for line in differences(machine.before, scenario.fingerprint(BEN))}
    assert {path for path in left if not path.startswith(OF_THE_NODE)} == set()
    assert f"{DROP_IN.rpartition('/')[0]}" not in left
    assert is_active(home, "opensmtpd.service")
    assert is_active(home, "dexrouter.service")
    assert scenario.address_of(BEN) not in home.run("ss", "-ltnH")
    scenario.undo(BEN)
    assert differences(during, scenario.fingerprint(BEN)) == []
    assert differences(zones, settings(home)) == []
    deliver(machine, "switched on again")


def path_of(line: str) -> str:
    """Return the path in a line of a fingerprint."""
    return next(word for word in line.split() if word.startswith("/"))


def test_undo_gives_back_the_machine_that_was_there(machine: Machine) -> None:
    """Bytes, zones, routes, what starts at boot: then the distribution's mail server serves alone."""
    home, scenario = machine.home, machine.scenario
    assert "blackhole fc00::/8" in blackholes(home)
    said = scenario.undo(BEN)
    assert "took the route blackhole fc00::/8 metric 500 away" in said
    assert blackholes(home) == machine.routes_before
    assert differences(machine.before, scenario.fingerprint(BEN)) == []
    assert differences(machine.zones_before, settings(home)) == []
    home.reboot()
    assert home.run("systemctl", "is-system-running").strip() == "running"
    assert differences(machine.before, scenario.fingerprint(BEN)) == []
    assert scenario.address_of(BEN) == ""
    assert is_active(home, "opensmtpd.service")
    scenario.set_up(BEN)
