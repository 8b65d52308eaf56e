"""The audit: which sockets the mesh leads to, and what the firewall makes of them."""

from __future__ import annotations

import pytest

from dexsetup.audit import Reach, judge, listeners, open_ports
from dexsetup.facts import Listener

ADDRESS = "fc9a:0:0:1234::7"
SHOWN = """\
udp   UNCONN 0 0       0.0.0.0:26041      0.0.0.0:*     users:(("dexrouter",pid=3,fd=7))
udp   UNCONN 0 0             *:5353             *:*     users:(("avahi-daemon",pid=4,fd=12))
udp   UNCONN 0 0  [fe80::1]%eth0:546        [::]:*
tcp   LISTEN 0 128   127.0.0.1:25         0.0.0.0:*     users:(("smtpd",pid=5,fd=9))
tcp   LISTEN 0 128 [fc9a:0:0:1234::7]:25    [::]:*     users:(("smtpd",pid=5,fd=10))
tcp   LISTEN 0 128        [::]:22           [::]:*     users:(("sshd",pid=6,fd=4))
tcp   LISTEN 0 128    [::]%eth0:8080        [::]:*
tcp   LISTEN 0 128       [::1]:631          [::]:*     users:(("cupsd",pid=7,fd=6))
tcp   LISTEN 0 128   [fc00::9]:80           [::]:*
tcp   LISTEN 0 128           *:*               *:*
nonsense
"""
SMTP = Listener("tcp", "[fc9a:0:0:1234::7]", 25, "smtpd")
SSH = Listener("tcp", "[::]", 22, "sshd")
MDNS = Listener("udp", "*", 5353, "avahi-daemon")


def test_sockets_on_all_addresses_or_on_the_mesh_address_are_within_reach() -> None:
    """IPv4, loopback and other addresses are not; the address counts in every spelling."""
    expected = (SSH, SMTP, MDNS, Listener("tcp", "[::]%eth0", 8080, ""))
    assert listeners(SHOWN, ADDRESS) == expected
    assert listeners(SHOWN, "fc9a:0000:0000:1234:0000:0000:0000:0007") == expected
    assert listeners("", ADDRESS) == ()
    assert listeners(SHOWN) == tuple(one for one in expected if one is not SMTP)


def test_ranges_count_as_every_port_in_them() -> None:
    assert open_ports((("25", "tcp"), ("7078-7079", "udp"))) == {(25, "tcp"), (7078, "udp"), (7079, "udp")}


@pytest.mark.parametrize(
    ("let_in", "reaches"),
    [
        (frozenset({(25, "tcp")}), [Reach.SHUT, Reach.CHOSEN, Reach.SHUT]),
        (frozenset({(25, "tcp"), (22, "tcp")}), [Reach.SURPRISE, Reach.CHOSEN, Reach.SHUT]),
        (frozenset(), [Reach.SHUT, Reach.SHUT, Reach.SHUT]),
        (None, [Reach.SURPRISE, Reach.CHOSEN, Reach.SURPRISE]),
    ],
    ids=["as_chosen", "opened_by_hand", "all_shut", "no_firewall"],
)
def test_open_and_not_chosen_is_a_surprise(
    let_in: frozenset[tuple[int, str]] | None, reaches: list[Reach]
) -> None:
    exposures = judge((SSH, SMTP, MDNS), let_in=let_in, chosen=frozenset({(25, "tcp")}))
    assert [exposure.reach for exposure in exposures] == reaches
    for exposure in exposures:
        assert bool(exposure.advice) == (exposure.reach is Reach.SURPRISE)


def test_ssh_has_an_advice_of_its_own() -> None:
    (exposure,) = judge((SSH,), let_in=None, chosen=frozenset())
    assert "AllowUsers" in exposure.advice
    assert "PermitRootLogin no" in exposure.advice
