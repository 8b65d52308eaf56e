"""Facts: what is found on a machine, by family of distributions; and recorded machines as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dexsetup.detect import detect, facts_from_json, facts_to_json
from dexsetup.errors import AnswersError, HostError
from dexsetup.facts import Baresip, FileFact
from dexsetup.host.base import Completed, FirewallState, UnitState
from dexsetup.host.fake import FakeHost, FakeServices
from dexsetup.report.redact import Redactor

FIXTURES = Path(__file__).resolve().parents[2] / "data" / "facts"

DPKG = ("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}")
PASSWD = (
    b"root:x:0:0:root:/root:/bin/bash\n"
    b"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    b"jo:x:1000:1000:Jo Doe,,,:/home/jo:/bin/bash\n"
    b"guest:x:1001:1001::/home/guest:/usr/sbin/nologin\n"
    b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
GROUP = b"root:x:0:\njo:x:1000:\n"


def answer(host: FakeHost, *argv: str, status: int = 0, out: str = "", err: str = "") -> None:
    host.programs[argv] = Completed(argv, status, out, err)


def debian() -> FakeHost:
    """A Debian 12 with systemd, opensmtpd running, s-nail, no firewall."""
    release = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
    host = FakeHost({"/etc/os-release": release, "/etc/passwd": PASSWD, "/etc/group": GROUP})
    host.put("/dev/net/tun", b"")
    host.put("/run/systemd/system/.keep", b"")
    for program in ("/usr/bin/python3", "/usr/sbin/smtpd", "/usr/bin/s-nail", "/usr/bin/ip"):
        host.put(program, b"")
    host.firewall.state = FirewallState.NONE
    answer(host, "id", "-u", out="0\n")
    answer(host, "uname", "-n", out="host\n")
    answer(host, "smtpd", "-h", status=1, err="version: OpenSMTPD 6.8.0p2\nusage: smtpd [-dFhnv]\n")
    answer(
        host,
        *("ss", "-ltnHp", "sport = :25"),
        out='LISTEN 0 5 127.0.0.1:25 0.0.0.0:* users:(("smtpd",pid=512,fd=6))\n',
    )
    answer(host, "s-nail", "--version", out="s-nail v14.9.24, 2022-03-27 (built for Linux)\n")
    answer(host, "ip", "-V", out="ip utility, iproute2-6.1.0, libbpf 1.1.0\n")
    return host


def fedora() -> FakeHost:
    """A Fedora Workstation with firewalld and the distribution's cjdns running, no mail server."""
    release = b'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43"\n'
    host = FakeHost({"/etc/os-release": release, "/etc/passwd": PASSWD, "/etc/group": GROUP})
    host.put("/dev/net/tun", b"")
    host.put("/run/systemd/system/.keep", b"")
    for program in ("/usr/bin/python3", "/usr/bin/mailx", "/usr/sbin/cjdroute", "/usr/sbin/ip"):
        host.put(program, b"")
    host.services.units["cjdns.service"] = UnitState(True, True, True)
    answer(host, "id", "-u", out="0\n")
    answer(host, "uname", "-n", out="host\n")
    answer(host, "mailx", "-V", out="s-nail v14.9.25, 2024-06-27\n")
    answer(host, "cjdroute", "--version", out="Cjdns version: cjdns-v21.1-16.fc41\n")
    answer(host, "ip", "-V", out="ip utility, iproute2-6.14.0\n")
    host.firewall.uplink = "FedoraWorkstation"
    host.firewall.openings["FedoraWorkstation"] = (
        ("dhcpv6-client", ("546/udp",)),
        ("ssh", ("22/tcp",)),
        ("", ("1025-65535/tcp", "1025-65535/udp")),
    )
    answer(
        host,
        *("ss", "-H", "-lntup"),
        out='tcp LISTEN 0 128 *:22 *:* users:(("sshd",pid=6,fd=4))\n'
        'tcp LISTEN 0 128 127.0.0.1:631 *:* users:(("cupsd",pid=7,fd=4))\n',
    )
    return host


@pytest.mark.parametrize(("name", "machine"), [("debian12", debian), ("fedora43", fedora)])
def test_a_machine_is_described_as_recorded(name: str, machine: type[FakeHost]) -> None:
    """What is detected equals the recorded machine, people and names left out."""
    found = facts_to_json(detect(machine(), program_tree="/tree"), redactor=Redactor())
    assert found == (FIXTURES / f"{name}.json").read_text()


@pytest.mark.parametrize("name", ["debian12", "fedora43"])
def test_recorded_machines_load_and_have_their_familys_places(name: str) -> None:
    """A fixture gives facts, and writing them again gives the fixture."""
    text = (FIXTURES / f"{name}.json").read_text()
    facts = facts_from_json(text)
    assert facts_to_json(facts) == text
    places = {"debian": "/etc/smtpd.conf", "fedora": "/etc/opensmtpd/smtpd.conf", "other": ""}
    assert facts.mail_server.config == places[facts.family]


def test_a_firewall_that_refuses_to_say_leaves_its_zones_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not ask it, learns nothing, and everything else is found."""

    def refused(zone: str) -> None:
        raise HostError("firewalld refused.", why=f"NOT_AUTHORIZED: {zone}")

    host = fedora()
    monkeypatch.setattr(type(host.firewall), "zone_openings", lambda _, zone: refused(zone))
    facts = detect(host)
    assert facts.zones == ()
    assert [listener.program for listener in facts.listening] == ["sshd"]


def test_people_are_those_who_log_in() -> None:
    """System accounts and accounts without a shell are not people; the comment's first part is the name."""
    facts = detect(debian())
    assert [(account.login, account.real_name) for account in facts.accounts] == [
        ("root", "root"),
        ("jo", "Jo Doe"),
    ]
    assert facts.account("jo") == facts.accounts[1]


def test_facts_with_files_survive_json() -> None:
    """Contents of files, which may be any bytes, come back as they were."""
    facts = detect(debian())
    facts.files["/etc/x"] = FileFact(b"\xff\x00", 0o600, "root", "root")
    facts.files["/etc/y"] = FileFact(None, problem="a link")
    assert facts_from_json(facts_to_json(facts)) == facts
    assert "Jo Doe" not in facts_to_json(facts, redactor=Redactor())


def test_what_is_no_machine_is_refused() -> None:
    """A text that is no recording is an error of the input."""
    for text in ("{", "[]", '{"os_id": 1}'):
        with pytest.raises(AnswersError):
            facts_from_json(text)


def test_containers_without_systemd_are_direct() -> None:
    """Where /run/systemd/system is not, units are run directly; an unknown distribution is `other`."""
    host = FakeHost({"/etc/os-release": b"ID=arch\n"})
    facts = detect(host)
    assert (facts.init, facts.family, facts.package_manager, facts.is_root) == (
        "direct",
        "other",
        "none",
        False,
    )
    assert facts.mail_server.unit == "smtpd.service"


def test_public_addresses_that_stay_are_found() -> None:
    """Not those of a day, not those on their way out, not those of the mesh or of the local network."""
    host = debian()
    lines = (
        "2: eth0    inet6 2001:db8::5/64 scope global dynamic mngtmpaddr noprefixroute \\ valid_lft 86391sec",
        "2: eth0    inet6 2001:db8::dead/64 scope global temporary dynamic \\ valid_lft 86391sec",
        "2: eth0    inet6 2001:db8:1::5/64 scope global deprecated dynamic \\ valid_lft 0sec",
        "2: eth0    inet6 fd00::5/64 scope global \\ valid_lft forever",
        "3: cjdns0    inet6 fc00::5/8 scope global \\ valid_lft forever",
        "nonsense",
    )
    command = ("ip", "-6", "-o", "addr", "show", "scope", "global")
    host.programs[command] = Completed(command, 0, "\n".join(lines), "")
    assert detect(host).stable_addresses == ("2001:db8::5",)


@pytest.mark.parametrize(
    ("argv", "version", "expected"),
    [
        ((*DPKG, "linphone-desktop"), "ii 4.4.10-3", "linphone-desktop"),
        (("rpm", "-q", "--qf", "%{VERSION}", "linphone-desktop"), "5.2.6", "linphone-desktop"),
        (
            ("flatpak", "info", "com.belledonnecommunications.linphone"),
            "Linphone\n\n   ID: com.belledonnecommunications.linphone\n  Version: 5.2.6\n",
            "linphone-flatpak",
        ),
    ],
    ids=["dpkg", "rpm", "flatpak"],
)
def test_linphone_with_windows_is_asked_of_its_package(
    argv: tuple[str, ...], version: str, expected: str
) -> None:
    """It cannot be asked itself without a display; a package that is not installed is not there."""
    host = debian()
    answer(host, *argv, out=version)
    found = detect(host).programs
    assert {name for name in found if name.startswith("linphone")} == {expected}
    assert found[expected].version in version
    answer(host, *argv, status=1, out=version)
    assert expected not in detect(host).programs


def test_a_linphone_that_was_removed_is_not_there() -> None:
    """Debian's package manager still knows the version of what left its settings behind."""
    host = debian()
    answer(host, *DPKG, "linphone-desktop", out="rc 4.4.10-3")
    assert "linphone-desktop" not in detect(host).programs


@pytest.mark.parametrize("place", ["/usr/lib/baresip/modules", "/usr/lib64/baresip/modules"])
def test_modules_of_baresip_are_found_where_the_family_puts_them(place: str) -> None:
    host = debian()
    assert detect(host).baresip is None
    for name in ("opus.so", "alsa.so", "README"):
        host.put(f"{place}/{name}", b"")
    facts = detect(host)
    assert facts.baresip == Baresip(place, ("alsa", "opus"))
    assert facts_from_json(facts_to_json(facts)) == facts


def test_a_service_manager_that_says_nothing_keeps_nobody_from_looking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without D-Bus, systemd tells its state to root alone; a dry run of anybody else goes on."""

    def silent(_: object, unit: str) -> UnitState:
        raise HostError(f"systemd does not say how {unit} is.")

    monkeypatch.setattr(FakeServices, "state", silent)
    assert detect(debian()).running_router == "none"


def test_logins_are_taken_as_distributions_make_them() -> None:
    """With dots; one that no address could name is no person to set up, and no reason to fail."""
    host = debian()
    odd = b"jo.doe:x:1005:1005::/home/jo.doe:/bin/sh\nJo:x:1006:1006::/home/Jo:/bin/sh\n"
    host.put("/etc/passwd", PASSWD + odd)
    assert [account.login for account in detect(host).accounts] == ["root", "jo", "jo.doe"]
