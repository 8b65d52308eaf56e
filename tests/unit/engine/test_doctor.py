"""The doctor: each way in which the chain breaks is named with its cause and with what mends it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from dexrouter.crypto.keys import address_of, parse_public_key
from dexsetup.doctor import Finding, Remedy, examine
from dexsetup.host.base import Completed, FirewallState, UnitState
from dexsetup.host.fake import FakeHost
from dexsetup.plan.events import Grade
from dexsetup.steps.configuration import udp_ports, with_peers
from dexsetup.steps.node import parsed
from step_inputs import ADDRESS, DRAWN, SPARE_KEY, answers, debian, peer

FACTS = debian()
NAMED = DRAWN.replace(b'"type": "TUNInterface"', b'"type": "TUNInterface", "tunDevice": "cjdns0"')
CONFIG = with_peers(NAMED, answers(peer=(peer(),)).peer)
(PORT,) = udp_ports(parsed(CONFIG))
DROP_IN = "/etc/systemd/system/opensmtpd.service.d/10-dexsetup.conf"
FRIEND = str(IPv6Address(bytes(address_of(parse_public_key(SPARE_KEY)))))
PING = ("ping", "-6", "-c", "2", "-i", "0.3", "-W", "5", FRIEND)
RUNS = UnitState(exists=True, enabled=True, active=True)


def healthy() -> FakeHost:
    """Return a machine on which everything works."""
    host = FakeHost()
    host.put("/etc/cjdroute.conf", CONFIG, mode=0o600)
    for unit in ("dexrouter.service", "cjdns-wait-online.service", "opensmtpd.service"):
        host.services.units[unit] = RUNS
    host.put(DROP_IN, b"[Unit]\nWants=cjdns-wait-online.service\nAfter=cjdns-wait-online.service\n")
    host.put("/etc/smtpd.conf", f"listen on {ADDRESS}\n".encode())
    host.put("/etc/mailname", f"[IPv6:{ADDRESS}]\n".encode())
    host.network.bound.add(ADDRESS)
    host.network.uplink = ("1.2.3.4",)
    host.network.peers = (("192.0.2.1:2000", "ESTABLISHED"),)
    host.network.greetings[(ADDRESS, 25)] = "220 here ESMTP"
    host.firewall.open_port("public", PORT, "udp")
    host.firewall.zones["cjdns"] = (frozenset({"smtp"}), frozenset({"cjdns0"}))
    host.programs[("ss", "-lunH")] = Completed(("ss",), 0, f"UNCONN 0 0 0.0.0.0:{PORT} 0.0.0.0:*\n", "")
    host.programs[PING] = Completed(PING, 0, "", "")
    return host


def breaks(host: FakeHost, *, is_mail_wanted: bool = True) -> list[Finding]:
    """Return everything that is not as it should be."""
    found = examine(host, FACTS, is_mail_wanted=is_mail_wanted, is_phone_wanted=False)
    return [finding for finding in found if finding.grade not in {Grade.OK, Grade.NOTE}]


def only(host: FakeHost, link: str) -> Finding:
    (finding,) = breaks(host)
    assert finding.link == link
    assert finding.cause
    assert finding.fix
    return finding


def test_a_healthy_machine_has_no_break_and_every_link_is_looked_at() -> None:
    found = list(examine(healthy(), FACTS, is_mail_wanted=True, is_phone_wanted=False))
    assert [finding for finding in found if finding.grade is not Grade.OK] == []
    assert {finding.link for finding in found} == {
        "key", "service", "boot", "address", "uplink", "port", "peers", "route", "mail", "firewall",
    }  # fmt: skip


def test_without_a_key_nothing_else_is_looked_at() -> None:
    host = healthy()
    host.remove("/etc/cjdroute.conf")
    assert only(host, "key").fix == "sudo dexsetup"
    host.put("/etc/cjdroute.conf", b"{ nonsense")
    assert "cannot be understood" in only(host, "key").text


def test_a_key_that_others_can_read_is_a_warning() -> None:
    host = healthy()
    host.put("/etc/cjdroute.conf", CONFIG, mode=0o644)
    finding = only(host, "key")
    assert (finding.grade, finding.fix) == (Grade.WARN, "sudo chmod 600 /etc/cjdroute.conf")


def test_a_router_that_does_not_run_is_told_in_its_own_words() -> None:
    """Address, peers and mail hang on it: they are not complained about as well."""
    host = healthy()
    host.services.units["dexrouter.service"] = replace(RUNS, active=False, detail="exit status 3")
    finding = only(host, "service")
    assert (finding.cause, finding.fix) == ("exit status 3", "sudo systemctl start dexrouter.service")
    del host.services.units["dexrouter.service"]
    assert [finding.text for finding in breaks(host) if finding.link == "service"] == [
        "no router is installed"
    ]


def test_the_distributions_router_is_as_good() -> None:
    host = healthy()
    host.services.units["cjdns.service"] = host.services.units.pop("dexrouter.service")
    assert breaks(host) == []


def test_a_missing_address_ends_the_walk_to_the_peers() -> None:
    host = healthy()
    host.network.bound.clear()
    assert only(host, "address").fix == "sudo systemctl restart dexrouter.service"


def test_what_is_not_started_at_boot_breaks_the_chain_at_the_next_one() -> None:
    """This is how readers' mail was gone after a reboot."""
    host = healthy()
    host.services.units["opensmtpd.service"] = replace(RUNS, enabled=False)
    assert only(host, "boot").fix == "sudo systemctl enable opensmtpd.service"
    host = healthy()
    host.put(DROP_IN, b"[Unit]\nAfter=cjdns-wait-online.service\n")
    assert "does not wait" in only(host, "boot").text
    host = healthy()
    del host.services.units["cjdns-wait-online.service"]
    assert only(host, "boot").cause == "it was removed"


def test_without_systemd_the_missing_boot_is_a_note() -> None:
    host = healthy()
    host.services.name = "direct"
    assert breaks(host) == []


def test_ports_are_looked_at_in_the_kernel_and_in_the_firewall() -> None:
    host = healthy()
    host.firewall.close_port("public", PORT, "udp")
    assert only(host, "port").grade is Grade.WARN
    host.programs[("ss", "-lunH")] = Completed(("ss",), 0, "", "")
    assert "nothing listens" in only(host, "port").text
    host = healthy()
    host.firewall.state = FirewallState.NONE
    host.firewall.runtime.clear()
    assert breaks(host) == []


@pytest.mark.parametrize(
    ("states", "words"),
    [((), "does not tell"), ((("192.0.2.1:2000", "UNRESPONSIVE"),), "192.0.2.1:2000 UNRESPONSIVE")],
)
def test_peers_that_do_not_answer_are_named_with_their_state(
    states: tuple[tuple[str, str], ...], words: str
) -> None:
    host = healthy()
    host.network.peers = states
    assert words in only(host, "peers").cause


def test_a_node_without_peers_is_told_where_to_find_some() -> None:
    host = healthy()
    host.network.peers = ()
    host.put("/etc/cjdroute.conf", DRAWN, mode=0o600)
    (finding,) = [finding for finding in breaks(host) if finding.link == "peers"]
    assert finding.fix == "dexsetup peers list --public"


def test_a_neighbour_found_by_itself_cannot_be_asked_for_an_answer() -> None:
    host = healthy()
    host.put("/etc/cjdroute.conf", DRAWN, mode=0o600)
    (finding,) = [
        item
        for item in examine(host, FACTS, is_mail_wanted=False, is_phone_wanted=False)
        if item.link == "route"
    ]
    assert finding.grade is Grade.NOTE


def test_silence_over_the_mesh_is_a_warning_with_the_next_thing_to_try() -> None:
    host = healthy()
    host.programs[PING] = Completed(PING, 1, "", "")
    finding = only(host, "route")
    assert finding.grade is Grade.WARN
    assert finding.fix.startswith(f"dexctl ping {FRIEND}")


def test_files_of_an_older_key_are_found() -> None:
    host = healthy()
    host.put("/etc/mailname", b"[IPv6:fc00::1]\n")
    assert "/etc/mailname does not carry" in only(host, "mail").text


def test_a_mail_server_that_is_down_silent_or_somebody_else_is_told() -> None:
    host = healthy()
    host.services.units["opensmtpd.service"] = replace(RUNS, active=False, detail="bind: no address")
    assert only(host, "mail").cause == "bind: no address"
    host = healthy()
    host.network.greetings.clear()
    assert "Connection refused" in only(host, "mail").cause
    host.network.greetings[(ADDRESS, 25)] = "500 go away"
    assert "go away" in only(host, "mail").text


def test_mail_that_is_shut_out_by_the_firewall_is_found() -> None:
    """The author's readers had ping, and no letters."""
    host = healthy()
    host.firewall.zones["cjdns"] = (frozenset(), frozenset({"cjdns0"}))
    assert "does not let mail in" in only(host, "firewall").text
    host.firewall.zones.clear()
    assert "is not in the zone" in only(host, "firewall").text
    assert breaks(host, is_mail_wanted=False) == []


@pytest.mark.parametrize(
    ("answer", "grade", "words"),
    [
        ("200 Ok", Grade.OK, "answers: 200 Ok"),
        (ConnectionRefusedError(111, "Connection refused"), Grade.NOTE, "no phone listens on"),
        (TimeoutError(110, "no answer within 5 s"), Grade.WARN, "does not answer"),
    ],
    ids=["answers", "refused", "silent"],
)
def test_a_phone_is_asked_whether_it_answers(answer: str | OSError, grade: Grade, words: str) -> None:
    """None that runs is no break: people start phones."""
    host = healthy()
    host.network.phones[ADDRESS] = answer
    found = examine(host, FACTS, is_mail_wanted=False, is_phone_wanted=True)
    (phone,) = [finding for finding in found if finding.link == "phone"]
    assert (phone.grade, words in phone.text) == (grade, True)
    assert bool(phone.cause) == bool(phone.fix) == (grade is not Grade.OK)


def test_calls_that_are_shut_out_by_the_firewall_are_found() -> None:
    host = healthy()
    found = examine(host, FACTS, is_mail_wanted=True, is_phone_wanted=True)
    (broken,) = [finding for finding in found if finding.is_break]
    assert "does not let calls in" in broken.text
    host.firewall.zones["cjdns"] = (frozenset({"smtp", "cjdns-sip"}), frozenset({"cjdns0"}))
    again = examine(host, FACTS, is_mail_wanted=True, is_phone_wanted=True)
    assert [finding for finding in again if finding.is_break] == []


def test_what_dexsetup_can_mend_itself_is_named() -> None:
    """A file of another key is put right by applying again; a router without its address by a restart."""
    host = healthy()
    host.put("/etc/mailname", b"[IPv6:fc00::1]\n")
    assert only(host, "mail").remedy is Remedy.APPLY
    host = healthy()
    host.network.bound.clear()
    assert (only(host, "address").remedy, only(host, "address").unit) == (Remedy.RESTART, "dexrouter.service")
    host = healthy()
    host.network.peers = ()
    assert only(host, "peers").remedy is Remedy.NONE


@pytest.mark.parametrize(
    ("addresses", "grade", "words"),
    [
        (("1.2.3.4",), Grade.OK, "others can call this node at 1.2.3.4"),
        (("192.168.1.5", "2a00:1450::1"), Grade.OK, "at 2a00:1450::1"),
        (("192.168.1.5",), Grade.NOTE, "behind NAT (192.168.1.5)"),
        (("100.64.3.1",), Grade.NOTE, "behind the provider's NAT (100.64.3.1)"),
        ((), Grade.WARN, "no way to the Internet"),
    ],
)
def test_the_kind_of_uplink_is_told(addresses: tuple[str, ...], grade: Grade, words: str) -> None:
    host = healthy()
    host.network.uplink = addresses
    found = examine(host, FACTS, is_mail_wanted=False, is_phone_wanted=False)
    (uplink,) = [finding for finding in found if finding.link == "uplink"]
    assert (uplink.grade, words in uplink.text) == (grade, True)


def test_mail_at_a_public_address_needs_no_node() -> None:
    """Its own links are looked at; with a node as well, the node's come after them, without mail."""
    public = "2001:db8::5"
    host = healthy()
    host.put(DROP_IN, b"[Unit]\nWants=network-online.target\nAfter=network-online.target\n")
    host.put("/etc/smtpd.conf", f"listen on {public}\n".encode())
    host.put("/etc/mailname", f"[IPv6:{public}]\n".encode())
    host.network.bound.add(public)
    host.network.greetings[(public, 25)] = "220 here ESMTP"
    both = list(examine(host, FACTS, is_mail_wanted=True, is_phone_wanted=False, public=public))
    assert [finding for finding in both if finding.grade is not Grade.OK] == []
    host.remove("/etc/cjdroute.conf")
    alone = list(examine(host, FACTS, is_mail_wanted=True, is_phone_wanted=False, public=public))
    assert [finding.link for finding in alone] == ["address", "boot", "boot", "mail"]
    host.network.bound.remove(public)
    (broken,) = examine(host, FACTS, is_mail_wanted=True, is_phone_wanted=False, public=public)
    assert (broken.link, broken.is_break) == ("address", True)
