"""Package managers, systemd, firewalld and the network: what is asked of them, and what their words mean."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from dexrouter.wire.bencode import Bencoded, encode
from dexrouter.wire.errors import WireError
from dexsetup.errors import HostError, MachineError
from dexsetup.host.base import Completed, ProgressSink, UnitState
from dexsetup.host.commands import run_command
from dexsetup.host.firewall import Firewalld, FirewalldCommands, choose_firewall, connect, uplink_interface
from dexsetup.host.network import LiveNetwork, admin_place, peers_of_reply
from dexsetup.host.packages import Apt, Dnf, explain_apt, explain_dnf, progress_of_apt, progress_of_dnf
from dexsetup.host.services import Systemd
from dexsetup.host.stoppedfirewalld import StoppedFirewalld


class Commands:
    """Answers commands from a table of (words that must occur, status, output, errors)."""

    def __init__(self, *table: tuple[str, int, str, str]) -> None:
        self.table = list(table)
        self.seen: list[str] = []

    def __call__(
        self, argv: Sequence[str], /, *, timeout: float, progress: ProgressSink | None = None
    ) -> Completed:
        assert timeout > 0
        line = " ".join(argv)
        self.seen.append(line)
        for words, status, out, err in self.table:
            if words in line:
                if progress is not None:
                    for text in out.splitlines():
                        progress(text)
                return Completed(tuple(argv), status, out, err)
        return Completed(tuple(argv), 0, "", "")


def apt(
    commands: Commands,
    lists: Sequence[str] = ("debian_main_Packages.lz4",),
    files: dict[str, bytes] | None = None,
) -> Apt:
    return Apt(commands, (files or {}).get, lambda _: lists)


@pytest.mark.parametrize(
    ("err", "expected"),
    [
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend.",
            "Another program has held the package database",
        ),
        ("Err:1 http://deb Temporary failure resolving 'deb'", "The package servers cannot be reached"),
        ("E: Unable to locate package opensmtpd", "This distribution has no package named opensmtpd."),
        (
            "E: Packages need to be removed but remove is disabled.",
            "Installing opensmtpd would remove another package",
        ),
        (
            "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
            "An earlier installation was interrupted",
        ),
        (
            "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages.",
            "An earlier installation was interrupted",
        ),
        ("E: Sub-process dpkg returned an error code (1)", "Installing opensmtpd failed."),
    ],
)
def test_each_way_in_which_apt_fails_has_its_own_sentence(err: str, expected: str) -> None:
    """The sentence is ours, the reason is apt's own words, and the code is 3: the machine cannot."""
    error = explain_apt(Completed(("apt-get",), 100, "", err), ["opensmtpd"])
    assert error.what.startswith(expected)
    assert error.why == err
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("err", "expected"),
    [
        ("No match for argument: alpine", "This distribution has no package named alpine."),
        ("Error: Curl error (6): Could not resolve host: mirrors", "The package servers cannot be reached"),
        (
            "Error: Failed to download metadata for repo 'x'\nError: Unable to find a match: alpine",
            "The package servers cannot be reached",
        ),
        (
            "problem with installed package sendmail (use --allowerasing)",
            "Installing alpine would remove another",
        ),
        ("Error: something else", "Installing alpine failed."),
    ],
)
def test_each_way_in_which_dnf_fails_has_its_own_sentence(err: str, expected: str) -> None:
    """As with apt."""
    assert explain_dnf(Completed(("dnf",), 1, "", err), ["alpine"]).what.startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("(1/2): alpine-2.26-9.fc41.x86_64.rpm  4.1 MB/s | 2.9 MB  00:00", "fetched alpine-2.26-9"),
        ("Installing       : alpine-2.26-9.fc41.x86_64                   1/1 ", "installing alpine-2.26-9"),
        (
            "[3/3] Installing alpine-0:2.26-9.fc41.x86_64  100% |  18.0 KiB/s | 1 B",
            "Installing alpine-0:2.26",
        ),
        ("Waiting for process with pid 812 to finish.", "Waiting for process with pid 812 to finish (the"),
        ("Dependencies resolved.", ""),
    ],
)
def test_progress_of_dnf_is_what_happens_to_packages(line: str, expected: str) -> None:
    """Both generations of dnf; tables and summaries are left out."""
    shown = progress_of_dnf(line)
    assert shown.startswith(expected)
    assert bool(shown) is bool(expected)


def test_a_dnf_that_waited_too_long_says_for_what() -> None:
    done = Completed(("dnf",), 124, "Waiting for process with pid 812 to finish.", "dnf did not end")
    assert (
        explain_dnf(done, ["alpine"]).what == "Another program has held the package database for 30 minutes."
    )


def test_apt_installs_without_questions_and_without_removing() -> None:
    """The command waits for the lock, asks nothing, removes nothing; progress is in a person's words."""
    commands = Commands(("install", 0, "pmstatus:opensmtpd:50.0:Unpacking opensmtpd (amd64)\nnoise\n", ""))
    said: list[str] = []
    apt(commands).install(["opensmtpd"], said.append)
    (line,) = commands.seen
    for word in (
        "DEBIAN_FRONTEND=noninteractive",
        "--no-remove",
        "DPkg::Lock::Timeout=300",
        "--force-confold",
    ):
        assert word in line
    assert said == ["Unpacking opensmtpd (amd64) (50 %)"]
    assert progress_of_apt("Reading package lists...") == ""


def test_apt_removes_only_what_can_go_alone() -> None:
    """A rehearsal tells; with another package in the way, nothing is removed."""
    alone = Commands(("-s remove", 0, "Remv s-nail [14.9.24]\nRemv opensmtpd [6.8.0p2]\n", ""))
    apt(alone).remove(("opensmtpd", "s-nail"), lambda _: None)
    assert alone.seen[-1].endswith(" remove opensmtpd s-nail")
    assert "purge" not in alone.seen[-1]
    needed = Commands(("-s remove", 0, "Remv bsd-mailx [8]\nRemv opensmtpd [6.8.0p2]\n", ""))
    with pytest.raises(MachineError, match="opensmtpd cannot be removed alone: bsd-mailx needs it"):
        apt(needed).remove(("opensmtpd",), lambda _: None)
    assert len(needed.seen) == 1
    broken = Commands(("-s remove", 0, "", ""), (" -y ", 100, "", "E: Sub-process dpkg"))
    with pytest.raises(MachineError, match="Removing alpine failed"):
        apt(broken).remove(("alpine",), lambda _: None)


def test_dnf_removes_only_what_can_go_alone() -> None:
    """The same; what the package needed is left for the distribution's own cleaning."""
    alone = Commands()
    Dnf(alone).remove(("alpine",), lambda _: None)
    assert alone.seen[0] == "rpm -e --test alpine"
    assert alone.seen[1].endswith("--setopt=clean_requirements_on_remove=False remove alpine")
    words = "error: Failed dependencies:\n\topensmtpd is needed by (installed) mailer-1.0-1.noarch\n"
    needed = Commands(("--test", 1, "", words))
    with pytest.raises(MachineError, match=r"mailer-.* needs it"):
        Dnf(needed).remove(("opensmtpd",), lambda _: None)
    broken = Commands(("dnf -y", 1, "", "Error: disk"))
    with pytest.raises(MachineError, match="Removing alpine failed"):
        Dnf(broken).remove(("alpine",), lambda _: None)


def test_apt_fetches_lists_that_are_missing_or_old() -> None:
    """No lists: update first. A package that is not in them: update, then try once more."""
    commands = Commands()
    apt(commands, lists=()).install(["opensmtpd"], lambda _: None)
    assert [line.split()[-1] for line in commands.seen] == ["update", "opensmtpd"]
    commands = Commands(("install", 100, "", "E: Unable to locate package nosuch"))
    with pytest.raises(MachineError, match="no package named nosuch"):
        apt(commands).install(["nosuch"], lambda _: None)
    assert [line.split()[-1] for line in commands.seen] == ["nosuch", "update", "nosuch"]


def test_a_configuration_file_is_pristine_when_dpkgs_sum_says_so() -> None:
    """The md5 that dpkg keeps of a package's configuration file decides."""
    commands = Commands(
        ("-S", 0, "opensmtpd: /etc/smtpd.conf\n", ""),
        ("Conffiles", 0, " /etc/smtpd.conf 900150983cd24fb0d6963f7d28e17f72\n", ""),
    )
    assert apt(commands, files={"/etc/smtpd.conf": b"abc"}).is_pristine("/etc/smtpd.conf")
    assert not apt(commands, files={"/etc/smtpd.conf": b"abd"}).is_pristine("/etc/smtpd.conf")
    assert not apt(Commands(("-S", 1, "", "no path found"))).is_pristine("/etc/other")


def test_installed_packages_are_those_that_are_configured() -> None:
    """A package that is only half there does not count."""
    shown = Commands(("dpkg-query", 1, "alpine installed\ns-nail half-configured\n", "no packages found"))
    assert apt(shown).installed(["alpine", "s-nail", "opensmtpd"]) == {"alpine"}
    assert Dnf(Commands(("--whatprovides b", 1, "", ""))).installed(["a", "b"]) == {"a"}


def test_rpm_says_whether_a_file_was_changed() -> None:
    """A line of rpm -V with the path means that it was."""
    assert Dnf(Commands(("rpm -V", 1, "S.5....T.  c /etc/other\n", ""))).is_pristine("/etc/f")
    assert not Dnf(Commands(("rpm -V", 1, "S.5....T.  c /etc/f\n", ""))).is_pristine("/etc/f")
    assert not Dnf(Commands(("rpm -q -f", 1, "", "not owned"))).is_pristine("/etc/f")


def test_systemd_is_asked_for_properties() -> None:
    """State comes from `systemctl show`; a failed unit or command brings the last words of its log."""
    shown = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n"
    assert Systemd(Commands(("show", 0, shown, ""))).state("x.service") == UnitState(
        True, True, True, "running"
    )
    failed = "LoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=disabled\n"
    log = ("journalctl", 0, "Started x\nsmtpd: bind: Cannot assign requested address\n", "")
    state = Systemd(Commands(("show", 0, failed, ""), log)).state("x.service")
    assert state == UnitState(True, False, False, "smtpd: bind: Cannot assign requested address")
    missing = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n"
    assert not Systemd(Commands(("show", 0, missing, ""))).state("x.service").exists
    with pytest.raises(HostError, match=r"systemctl start x\.service failed"):
        Systemd(Commands(("start", 1, "", "Job failed."), log)).start("x.service")


def test_a_systemd_that_does_not_answer_is_no_machine_without_the_unit() -> None:
    """Undo would pass over a unit that it believes gone, and call that undone."""
    late = Commands(("show", 124, "", "systemctl did not end within 20 s"))
    with pytest.raises(HostError) as caught:
        Systemd(late).state("x.service")
    assert caught.value.what == "systemd does not say how x.service is."
    assert caught.value.why == "systemctl did not end within 20 s"


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where Debian's scripts look whether they may start daemons."""
    place = tmp_path / "policy-rc.d"
    monkeypatch.setattr("dexsetup.host.packages._POLICY", place)
    return place


class Installing(Commands):
    """Remembers what the policy was while packages were installed."""

    def __init__(self, policy: Path) -> None:
        super().__init__()
        self._policy = policy
        self.during = b""

    def __call__(
        self, argv: Sequence[str], /, *, timeout: float, progress: ProgressSink | None = None
    ) -> Completed:
        if "install" in argv:
            self.during = self._policy.read_bytes()
        return super().__call__(argv, timeout=timeout, progress=progress)


def held(commands: Commands) -> Apt:
    """Return the apt of a machine without systemd."""
    return Apt(commands, lambda _: None, lambda _: ["x_Packages"], holds_services=True)


def test_without_systemd_packages_start_no_daemon_while_they_are_installed(policy: Path) -> None:
    """And may again afterwards."""
    commands = Installing(policy)
    held(commands).install(["opensmtpd"], lambda _: None)
    assert commands.during.endswith(b"exit 101\n")
    assert not policy.exists()


def test_a_policy_of_somebody_else_stays_in_force(policy: Path) -> None:
    """Before, during and after."""
    policy.write_bytes(b"#!/bin/sh\nexit 0\n")
    commands = Installing(policy)
    held(commands).install(["opensmtpd"], lambda _: None)
    held(commands).clear_leftovers()
    assert commands.during == policy.read_bytes() == b"#!/bin/sh\nexit 0\n"


@pytest.mark.parametrize("is_next", [True, False])
def test_a_policy_that_a_crash_of_ours_has_left_goes(policy: Path, *, is_next: bool) -> None:
    """With the next installation or with undo: else no package would ever start its daemon again."""
    commands = Installing(policy)
    held(commands).install(["opensmtpd"], lambda _: None)
    policy.write_bytes(commands.during)
    if is_next:
        held(commands).install(["s-nail"], lambda _: None)
    else:
        held(commands).clear_leftovers()
    assert not policy.exists()


class Service:
    """Settings of a service, as the bindings give them."""

    def __init__(self, ports: list[tuple[str, str]]) -> None:
        self.ports = ports

    def getPorts(self) -> list[tuple[str, str]]:  # noqa: N802 - the bindings' name
        return self.ports


class FakeClient:
    """Behaves as spec 11 §2.1 says of firewall.client.FirewallClient."""

    connected = True

    def __init__(self) -> None:
        self.runtime: set[tuple[str, str, str]] = set()
        self.kept: set[tuple[str, str]] = set()
        self.rules: set[tuple[str, str]] = set()
        self.kept_rules: set[str] = set()
        self.zones = {"eth0": "home"}
        self.log: list[str] = []

    def getZoneOfInterface(self, interface: str) -> str:  # noqa: N802 - the bindings' names
        return self.zones.get(interface, "")

    def getDefaultZone(self) -> str:  # noqa: N802 - as above
        return "public"

    def queryPort(self, zone: str, port: str, protocol: str) -> bool:  # noqa: N802 - as above
        return (zone, port, protocol) in self.runtime

    def addPort(self, zone: str, port: str, protocol: str) -> str:  # noqa: N802 - as above
        if (zone, port, protocol) in self.runtime:
            raise BusError("ALREADY_ENABLED: '26041:udp' already in 'public'")
        self.runtime.add((zone, port, protocol))
        return zone

    def removePort(self, zone: str, port: str, protocol: str) -> str:  # noqa: N802 - as above
        if (zone, port, protocol) not in self.runtime:
            raise BusError("NOT_ENABLED: '26041:udp' not in 'public'")
        self.runtime.discard((zone, port, protocol))
        return zone

    def getActiveZones(self) -> dict[str, dict[str, list[str]]]:  # noqa: N802 - as above
        return {"home": {"interfaces": ["eth0"]}}

    def getZones(self) -> list[str]:  # noqa: N802 - as above
        return ["home", "public"]

    def getInterfaces(self, zone: str) -> list[str]:  # noqa: N802 - as above
        return [name for name, place in self.zones.items() if place == zone]

    def getPorts(self, zone: str) -> list[list[str]]:  # noqa: N802 - as above
        return [[port, protocol] for place, port, protocol in sorted(self.runtime) if place == zone]

    def getServiceSettings(self, name: str) -> Service:  # noqa: N802 - as above
        return Service({"ssh": [("22", "tcp")]}[name])

    def getRichRules(self, zone: str) -> list[str]:  # noqa: N802 - as above
        return [rule for place, rule in sorted(self.rules) if place == zone]

    def getServices(self, zone: str) -> list[str]:  # noqa: N802 - as above
        return [] if zone in self.getZones() else ["nonsense"]

    def getProtocols(self, zone: str) -> list[str]:  # noqa: N802 - as above
        return [] if zone in self.getZones() else ["nonsense"]

    getSources = getProtocols  # noqa: N815 - as above

    def queryRichRule(self, zone: str, rule: str) -> bool:  # noqa: N802 - as above
        return (zone, rule) in self.rules

    def addRichRule(self, zone: str, rule: str) -> str:  # noqa: N802 - as above
        self.rules.add((zone, rule))
        return zone

    def removeRichRule(self, zone: str, rule: str) -> str:  # noqa: N802 - as above
        self.rules.discard((zone, rule))
        return zone

    def removeInterface(self, zone: str, interface: str) -> str:  # noqa: N802 - as above
        del self.zones[interface]
        return zone

    def reload(self) -> None:
        self.log.append("reload")
        self.runtime = {(zone, *port) for zone in self.getZones() for port in self.kept}
        self.rules = {(zone, rule) for zone in self.getZones() for rule in self.kept_rules}

    def config(self) -> FakeClient:
        return self

    def getZoneByName(self, name: str) -> FakeZone:  # noqa: N802 - as above
        if name not in {"home", "public"}:
            raise BusError(f"INVALID_ZONE: {name}")
        return FakeZone(self)


class FakeZone:
    """Permanent settings of a zone."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client

    def queryPort(self, port: str, protocol: str) -> bool:  # noqa: N802 - the bindings' names
        return (port, protocol) in self.client.kept

    def addPort(self, port: str, protocol: str) -> None:  # noqa: N802 - as above
        self.client.kept.add((port, protocol))

    def removePort(self, port: str, protocol: str) -> None:  # noqa: N802 - as above
        self.client.kept.discard((port, protocol))

    def queryRichRule(self, rule: str) -> bool:  # noqa: N802 - as above
        return rule in self.client.kept_rules

    def addRichRule(self, rule: str) -> None:  # noqa: N802 - as above
        self.client.kept_rules.add(rule)

    def getPorts(self) -> list[list[str]]:  # noqa: N802 - as above
        return [list(port) for port in sorted(self.client.kept)]

    def getRichRules(self) -> list[str]:  # noqa: N802 - as above
        return sorted(self.client.kept_rules)

    def getServices(self) -> list[str]:  # noqa: N802 - as above
        return []

    def getTarget(self) -> str:  # noqa: N802 - as above
        return "ACCEPT"

    def getProtocols(self) -> list[str]:  # noqa: N802 - as above
        return []

    getSources = getProtocols  # noqa: N815 - as above


class BusError(Exception):
    """As dbus.exceptions.DBusException."""

    def get_dbus_message(self) -> str:
        return str(self)


def test_firewalld_opens_now_and_permanently_each_on_its_own() -> None:
    """Both settings are made one by one, and doing it twice is as doing it once."""
    client = FakeClient()
    firewall = Firewalld(client, lambda: "eth0")
    zone = firewall.zone_of_uplink()
    assert zone == "home"
    firewall.open_port(zone, 26041, "udp")
    firewall.open_port(zone, 26041, "udp")
    assert firewall.is_open(zone, 26041, "udp") == (True, True)
    firewall.close_port(zone, 26041, "udp", permanently=False)
    firewall.close_port(zone, 26041, "udp", permanently=False)
    assert firewall.is_open(zone, 26041, "udp") == (False, True)


def test_firewalld_errors_are_told_in_its_words_and_no_zone_means_the_default() -> None:
    """A refusal carries firewalld's code; an interface in no zone is in the default zone."""
    firewall = Firewalld(FakeClient(), lambda: "wlan0")
    assert firewall.zone_of_uplink() == "public"
    with pytest.raises(HostError) as caught:
        firewall.is_open("nozone", 1, "udp")
    assert caught.value.why == "INVALID_ZONE: nozone"


def test_a_reload_keeps_what_somebody_set_in_the_running_firewall_alone() -> None:
    """Ports and rules that are only there now are there afterwards; those taken away for now stay away."""
    client = FakeClient()
    firewall = Firewalld(client, lambda: "eth0")
    firewall.add_rule("public", "rule drop", permanently=False)
    firewall.open_port("public", 9999, "tcp", permanently=False)
    firewall.open_port("public", 25, "tcp", now=False)
    assert firewall.has_rule("public", "rule drop") == (True, False)
    assert firewall.zones_in_use() == ("home", "public")
    firewall.reload("cjdns")
    assert client.log == ["reload"]
    assert firewall.has_rule("public", "rule drop") == (True, False)
    assert firewall.is_open("public", 9999, "tcp") == (True, False)
    assert firewall.is_open("public", 25, "tcp") == (False, True)


def test_a_zone_is_seen_with_its_services_and_interfaces() -> None:
    """One that the running firewall does not have is no zone, whatever the files say."""
    client = FakeClient()
    firewall = Firewalld(client, lambda: "eth0")
    assert firewall.zone_members("cjdns") is None
    assert firewall.zone_members("home") == (frozenset(), frozenset({"eth0"}))
    firewall.release_interface("home", "eth0")
    assert firewall.zone_members("home") == (frozenset(), frozenset())
    firewall.add_rule("home", "rule drop")
    firewall.remove_rule("home", "rule drop", permanently=False)
    assert firewall.has_rule("home", "rule drop") == (False, True)


def test_a_zone_is_seen_with_everything_it_lets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services with their ports, ports of its own, and what becomes of the rest."""
    client = FakeClient()
    firewall = Firewalld(client, lambda: "eth0")
    assert firewall.default_zone() == "public"
    assert firewall.zone_openings("cjdns") is None
    monkeypatch.setattr(client, "getServices", lambda zone: ["ssh"] if zone == "home" else [])
    firewall.open_port("home", 8080, "tcp")
    assert firewall.zone_openings("home") == ("ACCEPT", (("ssh", ("22/tcp",)), ("", ("8080/tcp",))))
    assert firewall.zone_openings("public") == ("ACCEPT", ())


def test_firewall_cmd_tells_what_a_zone_lets_in() -> None:
    """The same, by the commands."""
    commands = Commands(
        ("--get-zones", 0, "cjdns public\n", ""),
        ("--zone=public --list-services", 0, "ssh dhcpv6-client\n", ""),
        ("--zone=public --list-ports", 0, "8080/tcp 1025-65535/udp\n", ""),
        ("--permanent --service=ssh --get-ports", 0, "22/tcp\n", ""),
        ("--permanent --service=dhcpv6-client --get-ports", 0, "546/udp\n", ""),
        ("--permanent --zone=public --get-target", 0, "default\n", ""),
        ("--get-default-zone", 0, "public\n", ""),
    )
    firewall = FirewalldCommands(commands, lambda: "")
    assert firewall.default_zone() == "public"
    assert firewall.zone_openings("other") is None
    openings = (
        ("dhcpv6-client", ("546/udp",)),
        ("ssh", ("22/tcp",)),
        ("", ("1025-65535/udp", "8080/tcp")),
    )
    assert firewall.zone_openings("public") == ("default", openings)


def test_firewall_cmd_reloads_and_sets_again_what_was_passing() -> None:
    """Lists are asked for in the form for programs; a service that was taken away for now stays away."""
    commands = Commands(
        ("--permanent --zone=public --list-services", 0, "ssh dhcpv6-client\n", ""),
        ("--zone=public --list-services", 0, "ssh\n", ""),
        ("--permanent --zone=public --list-rich-rules", 0, "", ""),
        ("--zone=public --list-rich-rules", 0, 'rule family="ipv6" drop\n', ""),
        ("--get-default-zone", 0, "public\n", ""),
        ("--get-active-zones", 0, "cjdns\n  interfaces: cjdns0\npublic (default)\n  interfaces: eth0\n", ""),
        ("--get-zones", 0, "cjdns public\n", ""),
        ("--zone=cjdns --list-services", 0, "smtp\n", ""),
        ("--zone=cjdns --list-interfaces", 0, "cjdns0\n", ""),
    )
    firewall = FirewalldCommands(commands, lambda: "")
    assert firewall.zones_in_use() == ("cjdns", "public")
    assert firewall.zone_members("cjdns") == (frozenset({"smtp"}), frozenset({"cjdns0"}))
    assert firewall.zone_members("other") is None
    firewall.reload("cjdns")
    last = commands.seen[commands.seen.index("firewall-cmd --reload") + 1 :]
    assert last == [
        "firewall-cmd --zone=public --remove-service=dhcpv6-client",
        'firewall-cmd --zone=public --add-rich-rule=rule family="ipv6" drop',
    ]
    firewall.release_interface("cjdns", "cjdns0")
    assert commands.seen[-1] == "firewall-cmd --zone=cjdns --remove-interface=cjdns0"


def test_bindings_that_are_not_connected_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a daemon raises nothing by itself: `connected` is asked first."""

    class Unconnected:
        connected = False

    package, module = ModuleType("firewall"), ModuleType("firewall.client")
    module.FirewallClient = Unconnected  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "firewall", package)
    monkeypatch.setitem(sys.modules, "firewall.client", module)
    assert connect() is None
    module.FirewallClient = FakeClient  # type: ignore[attr-defined]  # as above
    assert isinstance(connect(), FakeClient)


def test_the_firewall_is_chosen_by_what_answers() -> None:
    """Without firewall-offline-cmd there is none; without an answer it is stopped, and its files count."""
    absent = Commands(("firewall-offline-cmd", 127, "", ""))
    assert choose_firewall(absent, str, lambda _: None, lambda _: ()) is None
    stopped = Commands(("firewall-cmd --state", 252, "", "not running"))
    assert isinstance(choose_firewall(stopped, str, lambda _: None, lambda _: ()), StoppedFirewalld)


def test_firewall_cmd_is_used_where_the_bindings_are_not() -> None:
    """Runtime and permanent are two commands; a refusal is an error with its words."""
    commands = Commands(("--query-port", 1, "no", ""))
    firewall = FirewalldCommands(commands, lambda: "")
    firewall.open_port("public", 26041, "udp")
    assert commands.seen == [
        "firewall-cmd --permanent --zone=public --add-port=26041/udp",
        "firewall-cmd --zone=public --add-port=26041/udp",
    ]
    refusing = FirewalldCommands(Commands(("--add-port", 112, "", "Error: INVALID_ZONE")), lambda: "")
    with pytest.raises(HostError, match="failed"):
        refusing.open_port("nozone", 1, "udp")


def test_uplink_is_the_default_route_with_the_lowest_metric() -> None:
    """As /proc/net/route shows it; none without a default route."""
    header = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    routes = (
        "wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0\n"
        "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n"
        "eth1 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    assert uplink_interface((header + routes).encode()) == "eth0"
    assert uplink_interface(header.encode()) == ""


def test_where_there_is_no_ipv4_the_uplink_is_that_of_ipv6() -> None:
    """Else the port would be opened in the default zone, which such a machine may have left."""
    none, gateway = "0" * 32, "fe800000000000000000000000000001"
    table = "".join(
        f"{target} {length} {none} 00 {hop} {metric} 00000001 00000000 00000003     {device}\n"
        for target, length, hop, metric, device in (
            ("fd" + "0" * 30, "40", none, "00000100", "eth0"),
            (none, "00", gateway, "00000400", "wlan0"),
            (none, "00", gateway, "00000064", "eth1"),
            (none, "00", none, "ffffffff", "lo"),
        )
    ).encode()
    header = b"Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    assert uplink_interface(header, table) == "eth1"
    assert uplink_interface(None, None) == ""


def serve(answer: Callable[[bytes], bytes]) -> tuple[socket.socket, int]:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def loop() -> None:
        while True:
            try:
                data, sender = server.recvfrom(4096)
            except OSError:
                return
            if data == b"end":
                return
            server.sendto(answer(data), sender)

    threading.Thread(target=loop, daemon=True).start()
    return server, server.getsockname()[1]


def test_peers_are_asked_page_by_page_at_the_place_the_configuration_names() -> None:
    """All pages are read; the state is the router's own word."""

    def answer(request: bytes) -> bytes:
        page = 1 if b"pagei1e" in request.replace(b"4:page", b"page") else 0
        entry: Bencoded = {
            b"lladdr": f"192.0.2.{page}:1".encode(),
            b"state": b"ESTABLISHED" if page else b"INIT",
        }
        reply: dict[bytes, Bencoded] = {b"peers": [entry], b"txid": b"x"}
        if not page:
            reply[b"more"] = 1
        return encode(reply)

    server, port = serve(answer)
    config = f'{{ "admin": {{ "bind": "127.0.0.1:{port}" }} }}'.encode()
    try:
        states = LiveNetwork(lambda _: config).peer_states()
    finally:
        server.sendto(b"end", ("127.0.0.1", port))
        server.close()
    assert states == (("192.0.2.0:1", "INIT"), ("192.0.2.1:1", "ESTABLISHED"))


def test_no_router_has_no_peers() -> None:
    """Nobody at the admin port: an empty answer, not an error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = f'"admin": {{ "bind": "127.0.0.1:{port}" }}'.encode()
    assert LiveNetwork(lambda _: config).peer_states() == ()


def test_nonsense_of_a_router_is_refused() -> None:
    """A reply that is no dictionary is a WireError; zeros before it are passed over."""
    with pytest.raises(WireError):
        peers_of_reply(b"4:nope")
    assert peers_of_reply(b"d0005:peersle4:txid1:xe"[:0] + b"d5:peersle4:txid1:xe") == ((), False)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, ("127.0.0.1", 11234)),
        (b'{"admin": {"bind": "127.0.0.1:99", "password": "x"}}', ("127.0.0.1", 99)),
        (b'admin: {\n // comment\n password: "x"\n bind: "[::1]:98" }', ("::1", 98)),
        (b'{"admin": {"bind": "nonsense"}}', ("127.0.0.1", 11234)),
        (b'{"admin": {"bind": "127.0.0.1:112340"}}', ("127.0.0.1", 11234)),
        (b'{"admin": {"bind": "127.0.0.1:' + b"9" * 5000 + b'"}}', ("127.0.0.1", 11234)),
    ],
)
def test_admin_address_is_found_in_any_spelling(config: bytes | None, expected: tuple[str, int]) -> None:
    """Lax files are searched, not parsed; without one, cjdns' usual place."""
    assert admin_place(config) == expected


def test_greeting_is_the_first_line_and_silence_is_told() -> None:
    """The line of the server, or an error that says that it was connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            first, _ = server.accept()
            first.sendall(b"220 mail\r\nmore")
            first.close()
            silent.append(server.accept()[0])

        silent: list[socket.socket] = []
        thread = threading.Thread(target=greet)
        thread.start()
        network = LiveNetwork(lambda _: None)
        assert network.tcp_greeting("127.0.0.1", port, 5.0) == "220 mail"
        with pytest.raises(TimeoutError, match="no greeting within 0 s"):
            network.tcp_greeting("127.0.0.1", port, 0.2)
        thread.join()
        silent[0].close()
    with pytest.raises(ConnectionRefusedError):
        network.tcp_greeting("127.0.0.1", port, 1.0)


def test_bound_addresses_are_found_by_binding() -> None:
    """::1 is here; a mesh address of nobody is not."""
    network = LiveNetwork(lambda _: None)
    assert not network.address_is_bound("fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")


def test_commands_end_in_time_and_bring_all_output() -> None:
    """A command that hangs ends with status 124, one that is not there with 127; lines come at once."""
    lines: list[str] = []
    done = run_command(["sh", "-c", "echo one; echo two >&2; exit 3"], timeout=10, progress=lines.append)
    assert (done.status, done.stdout, done.stderr) == (3, "one\n", "two\n")
    assert sorted(lines) == ["one", "two"]
    assert run_command(["sleep", "60"], timeout=0.2).status == 124
    assert run_command(["no-such-program-at-all"], timeout=1).status == 127


def test_programs_that_root_runs_see_roots_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sudo of some distributions leaves the person's: settings there are not for root to read."""
    monkeypatch.setenv("HOME", "/home/jo")
    for euid, home in ((0, "/root"), (1000, "/home/jo")):
        monkeypatch.setattr(os, "geteuid", lambda euid=euid: euid)
        assert run_command(["sh", "-c", 'echo "$HOME"'], timeout=20).stdout.strip() == home
