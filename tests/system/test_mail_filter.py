"""What a stranger on the mesh can do to a mail server of ours, and what becomes of letters from alpine.

Two homes behind NAT and a public node, which is the stranger: a third node of the mesh with an address of its
own, that speaks SMTP by hand. Real dexrouter, opensmtpd, our filter in it, and s-nail.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from neighbourhood import wait_until
from two_homes import ANN, BEN, TwoHomes

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail")),
]

_DIALOGUE = """
import json, smtplib, sys
host, port, letters = json.load(sys.stdin)
answers = []
for sender, recipient, text in letters:
    with smtplib.SMTP(host, port, local_hostname="[IPv6:fc00::1]", timeout=90) as server:
        server.ehlo()
        code, words = server.docmd("MAIL FROM:" + sender)
        if code == 250:
            code, words = server.docmd("RCPT TO:" + recipient)
        if code == 250:
            code, words = server.data(text)
        answers.append([code, words.decode()])
print(json.dumps(answers))
"""
"""Speaks SMTP word by word; each letter is [what stands behind MAIL FROM:, behind RCPT TO:, text]."""

Letter = tuple[str, str, str]


SILENT = "192.0.2.53"
"""A name server to which questions go, and from which nothing comes."""
_SILENCE = f"""
table ip silent {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    ip daddr {SILENT} drop
  }}
}}
"""
PATIENCE = 40.0
"""Seconds within which a letter is taken; opensmtpd greets after 75 when the name server is silent."""


def let_the_name_server_be_silent(two_homes: TwoHomes) -> None:
    """Give Ben's home a name server whose answers get lost at his gateway."""
    gateway = two_homes.neighbourhood.gateways[BEN.home]
    gateway.ip(f"route add {SILENT}/32 dev wan0")
    gateway.run("nft", "-f", "-", stdin=_SILENCE)
    two_homes.home_of(BEN).write("/etc/resolv.conf", f"nameserver {SILENT}\n")


@pytest.fixture(scope="module")
def scenario() -> Iterator[TwoHomes]:
    with TwoHomes() as two_homes:
        two_homes.start_public_node()
        for person in (ANN, BEN):
            two_homes.add_home(person)
        let_the_name_server_be_silent(two_homes)
        for person in (ANN, BEN):
            two_homes.set_up(person)
        two_homes.ping(ANN, BEN)
        yield two_homes


@pytest.fixture(scope="module")
def stranger(scenario: TwoHomes) -> str:
    """Return the public node's mesh address, once it reaches Ben's home."""
    public = scenario.neighbourhood.public
    ben = scenario.address_of(BEN)
    wait_until(
        lambda: public.succeeds("ping", "-6", "-c", "1", "-W", "1", ben),
        what="the stranger reaches home b",
        seconds=60,
    )
    shown = re.search(
        r"inet6 (fc[0-9a-f:]+)/", public.run("ip", "-6", "-o", "addr", "show", "scope", "global")
    )
    assert shown is not None
    return shown[1]


def speak(place_run: object, host: str, *letters: Letter) -> list[tuple[int, str]]:
    """Send letters from a place; gives the last answer to each."""
    assert callable(place_run)
    answer = place_run(sys.executable, "-c", _DIALOGUE, stdin=json.dumps([host, 25, letters]), timeout=300)
    return [(code, words) for code, words in json.loads(answer)]


def test_a_stranger_cannot_use_the_server_as_a_relay(scenario: TwoHomes, stranger: str) -> None:
    """Eight tries with the stranger's own, honest sender: each ends with a refusal, and nothing is queued."""
    ben, home = scenario.address_of(BEN), scenario.home_of(BEN)
    sender = f"<x@[IPv6:{stranger}]>"
    tries = [
        "<someone@gmail.com>",
        f"<ann@[IPv6:{scenario.address_of(ANN)}]>",
        f"<someone%gmail.com@[IPv6:{ben}]>",
        f"<@[IPv6:{ben}]:someone@gmail.com>",
        f"<gmail.com!someone@[IPv6:{ben}]>",
        f'<"someone@gmail.com"@[IPv6:{ben}]>',
        f"<root@[IPv6:{ben}]>",
        "<someone@[8.8.8.8]>",
    ]
    answers = speak(
        scenario.neighbourhood.public.run, ben, *((sender, recipient, "x") for recipient in tries)
    )
    for recipient, (code, words) in zip(tries, answers, strict=True):
        assert 500 <= code <= 559, f"{recipient}: {code} {words}"
    assert home.run("smtpctl", "show", "queue").strip() == ""


def test_letters_are_taken_in_every_spelling_of_the_address_up_to_a_size(
    scenario: TwoHomes, stranger: str
) -> None:
    """For Ben and postmaster; one of more than 20 MB is refused, also from this machine itself.

    The server greets at once, although its machine's name server is silent.
    """
    public, ben = scenario.neighbourhood.public, IPv6Address(scenario.address_of(BEN))
    sender, text = f"<x@[IPv6:{stranger}]>", "Subject: spelled\r\n\r\nhello\r\n"
    forms = (str(ben), ben.exploded, ben.exploded.upper())
    spelled = [f"<{BEN.login}@[{mark}{form}]>" for form in forms for mark in ("IPv6:", "")]
    recipients = [*spelled, f"<BEN+tag@[ipv6:{ben}]>", f"<postmaster@[IPv6:{ben}]>"]
    start = time.monotonic()
    answers = speak(public.run, str(ben), *((sender, recipient, text) for recipient in recipients))
    assert [code for code, _ in answers] == [250] * len(recipients), answers
    assert time.monotonic() - start < PATIENCE
    large = "Subject: large\r\n\r\n" + f"{'x' * 900}\r\n" * 24_000
    own = f"<{scenario.mail_address(BEN)}>"
    ((code, words),) = speak(scenario.home_of(BEN).run, "127.0.0.1", (own, own, large))
    assert 550 <= code <= 559, words
    assert "Subject: large" not in scenario.mailbox(BEN)


def test_a_forged_sender_is_refused_and_an_honest_one_gets_through(scenario: TwoHomes, stranger: str) -> None:
    """The mesh vouches for the stranger's address, so no other stands behind MAIL FROM; bounces pass."""
    ben = scenario.address_of(BEN)
    recipient = f"<{scenario.mail_address(BEN)}>"
    text = "Subject: {}\r\n\r\nhello\r\n"
    forged = [f"<{scenario.mail_address(ANN)}>", f"<{scenario.mail_address(BEN)}>", "<boss@example.org>"]
    letters = [(sender, recipient, text.format("forged")) for sender in forged]
    honest = (f"<me@[IPv6:{stranger}]>", recipient, text.format("honest"))
    bounce = ("<>", recipient, text.format("bounce"))
    answers = speak(scenario.neighbourhood.public.run, ben, *letters, honest, bounce)
    for code, words in answers[:3]:
        assert code == 550
        assert words.startswith(f"5.7.1 You are [IPv6:{stranger}]")
    assert [code for code, _ in answers[3:]] == [250, 250], answers
    scenario.wait_for_letter(BEN, "Subject: honest")
    scenario.wait_for_letter(BEN, "Subject: bounce")
    assert "Subject: forged" not in scenario.mailbox(BEN)


def test_a_letter_as_alpine_writes_it_is_answered_with_s_nail(scenario: TwoHomes) -> None:
    """Its quotes around the mesh addresses are gone when it arrives; the answer finds its way back."""
    ann, ben = (scenario.mail_address(person) for person in (ANN, BEN))
    quoted = [re.sub(r"@(\[.*\])", r'@"\1"', address) for address in (ann, ben)]
    text = (
        f"From: Ann Ash <{quoted[0]}>\r\nTo: Nobody <{quoted[1]}>,\r\n {quoted[1]}\r\n"
        f"Subject: as alpine\r\n\r\nsee {quoted[0]}\r\n"
    )
    scenario.home_of(BEN).run("rm", "-f", f"/var/mail/{BEN.login}")
    answers = speak(scenario.home_of(ANN).run, "127.0.0.1", (f"<{ann}>", f"<{ben}>", text))
    assert answers[0][0] == 250, answers
    scenario.wait_for_letter(BEN, "Subject: as alpine")
    letter = scenario.mailbox(BEN)
    assert f"From: Ann Ash <{ann}>" in letter
    assert f"\n {ben}\n" in letter
    assert f"see {quoted[0]}" in letter
    scenario.answer_letter(BEN, text="an answer to alpine.")
    scenario.wait_for_letter(ANN, "an answer to alpine.")


def test_smtpd_lives_on_with_the_filter_in_it(scenario: TwoHomes) -> None:
    """After all of that: the same filter process serves, as opensmtpd's own user."""
    shown = scenario.home_of(BEN).run("ps", "-eo", "user,args")
    (line,) = [line for line in shown.splitlines() if "dex-mailfilter" in line and "-IS" in line]
    assert not line.startswith("root")
