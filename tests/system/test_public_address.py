"""Mail at public addresses, without a mesh: two machines with an address each, real opensmtpd and s-nail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, needs, program
from neighbourhood import Home, Neighbourhood, wait_until
from two_homes import program as module

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    needs(ROOT, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail")),
]

_CHECKOUT = Path(__file__).resolve().parents[2]
ANN, BEN = "2001:db8::a", "2001:db8::b"
_ANSWERS = """\
schema = 1

[public]
address = "{address}"

[mail]

[firewall]
accept_risk = ["public-mail"]

[[user]]
login = "{login}"
"""
_FORGE = """
import json, smtplib, sys
answers = []
for sender, recipient in json.load(sys.stdin):
    with smtplib.SMTP(sys.argv[1], 25, local_hostname="stranger", timeout=60) as server:
        server.ehlo()
        code, words = server.docmd("MAIL FROM:" + sender)
        if code == 250:
            code, words = server.docmd("RCPT TO:" + recipient)
        answers.append(code)
print(json.dumps(answers))
"""


def furnished(street: Neighbourhood, name: str, login: str, address: str) -> Home:
    home = street.add_home(name)
    home.add_person(login, login.title())
    home.write("/root/answers.toml", _ANSWERS.format(address=address, login=login), mode="0600")
    return home


def dexsetup(home: Home, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
    return home.run(*module("dexsetup.cli"), *arguments, timeout=200, allowed=allowed)


def test_letters_and_answers_travel_between_public_addresses_and_nothing_is_relayed() -> None:
    """Both are set up from a file without a node; twice is once; a stranger's forgery is refused."""
    with Neighbourhood((_CHECKOUT, Path(sys.prefix))) as street:
        a, b = furnished(street, "a", "ann", ANN), furnished(street, "b", "ben", BEN)
        a.ip(f"link add line type veth peer name line netns {b.pid}")
        for home, address in ((a, ANN), (b, BEN)):
            home.ip(f"addr add {address}/64 dev line nodad", "link set line up")
        for home in (a, b):
            told = dexsetup(home, "--answers", "/root/answers.toml")
            assert "2001:db8" in told
            again = dexsetup(home, "--answers", "/root/answers.toml")
            assert "Nothing to do" in again, again
            assert not home.succeeds("test", "-e", "/etc/cjdroute.conf")
        a.run("s-nail", "-s", "hello", f"ben@[IPv6:{BEN}]", stdin="over the line\n", login="ann")
        wait_until(lambda: "over the line" in b.read("/var/mail/ben"), what="the letter", seconds=60)
        b.run(
            "s-nail", "-#", "-f", "/var/mail/ben", stdin="reply 1\nand back\n~.\nexit\n", login="ben"
        )  # fmt: skip
        wait_until(lambda: "and back" in a.read("/var/mail/ann"), what="the answer", seconds=60)
        tries = [
            (f"<ann@[IPv6:{ANN}]>", f"<ben@[IPv6:{BEN}]>"),
            (f"<ann@[IPv6:{BEN}]>", f"<ben@[IPv6:{BEN}]>"),
            (f"<ann@[IPv6:{ANN}]>", f"<root@[IPv6:{BEN}]>"),
            (f"<ann@[IPv6:{ANN}]>", "<somebody@example.org>"),
            (f"<ann@[IPv6:{ANN}]>", f"<ann@[IPv6:{ANN}]>"),
        ]
        codes = json.loads(a.run(sys.executable, "-c", _FORGE, BEN, stdin=json.dumps(tries)))
        assert codes == [250, 550, 550, 550, 550]
