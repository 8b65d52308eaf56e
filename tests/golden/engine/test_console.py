"""What a person reads while dexsetup works, as text: one file per story in expected/.

DEX_WRITE_GOLDEN=1 writes them anew; the difference is then looked at like any other change.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dexsetup.errors import AnswersError, LockedError, MachineError
from dexsetup.host.fake import FakeHost
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.model import (
    FirewallOpening,
    ManagedFile,
    PackageSet,
    PeerEstablished,
    Plan,
    Risk,
    StepPlan,
    Unit,
    UnitActive,
)
from dexsetup.plan.undo import undo_run
from dexsetup.report.console import Console, Style
from dexsetup.report.redact import Redactor

EXPECTED = Path(__file__).parent / "expected"
RUN = "20261122T140211Z-3f"
UNIT = "/etc/systemd/system/dexrouter.service"
ADDRESS = "fcbc:b27:be6f:94dd:4225:792:c988:8ace"
OLD = b'// mine\n{ "privateKey": "' + b"ab" * 32 + b'", "connectTo": {} }\n'
NEW = OLD.replace(b"{} }", b'{ "192.0.2.1:26041": { "password": "sesame-sesame" } } }')


def plan() -> Plan:
    """A small node: packages, a router with its peers, the firewall, mail with a risk."""
    return Plan(
        (
            StepPlan("packages", "Packages of the distribution", (PackageSet(("opensmtpd", "s-nail")),)),
            StepPlan(
                "router",
                "Router and mesh interface",
                (
                    ManagedFile("/etc/cjdroute.conf", NEW, 0o600, secret=True),
                    ManagedFile(UNIT, b"[Service]\nExecStart=/opt/dexsetup/bin/dexrouter\n"),
                    Unit("dexrouter.service", restart_on=(UNIT,)),
                ),
                waits=(PeerEstablished(2.0),),
                verifications=(UnitActive("dexrouter.service"), PeerEstablished(2.0)),
                needs=("packages",),
                notes=("Whoever has /etc/cjdroute.conf has the address: keep a copy of it.",),
            ),
            StepPlan("firewall", "Firewall", (FirewallOpening(26041, "udp"),), needs=("router",)),
            StepPlan(
                "mail",
                "Mail server",
                (ManagedFile("/etc/smtpd.conf", b"listen on lo\n", foreign="ask"), Unit("opensmtpd.service")),
                needs=("router",),
                risks=(Risk("mesh-mail", "Everybody on the mesh can reach port 25 of this address."),),
            ),
        ),
        ADDRESS,
    )


def machine() -> FakeHost:
    host = FakeHost({"/etc/cjdroute.conf": OLD})
    host.packages.brings["opensmtpd"] = {"/etc/systemd/system/opensmtpd.service": b"[Service]\n"}
    host.network.peers = (("192.0.2.1:26041", "ESTABLISHED"), ("192.0.2.2:1", "UNRESPONSIVE"))
    return host


def story(host: FakeHost, tell: Callable[[Console], None], style: Style, *, shows_diffs: bool = False) -> str:
    """Return what standard output and standard error say, in the order in which they say it."""
    stream = io.StringIO()
    console = Console(stream, stream, Redactor(), style, clock=host.now, shows_diffs=shows_diffs)
    tell(console)
    return stream.getvalue()


def engine(host: FakeHost, console: Console, **options: object) -> Engine:
    return Engine(host, plan, console, run=RUN, options=Options(**options))  # type: ignore[arg-type]  # test values


ACCEPTED = {"accepted_risks": frozenset({"mesh-mail"})}


def first_run(console: Console, host: FakeHost) -> None:
    engine(host, console, **ACCEPTED).run()


def dry_run(console: Console, host: FakeHost) -> None:
    engine(host, console, **ACCEPTED).dry_run()


def second_run(console: Console, host: FakeHost) -> None:
    Engine(host, plan, lambda _: None, run=RUN, options=Options(**ACCEPTED)).run()  # type: ignore[arg-type]  # as above
    engine(host, console).run()


def risk(console: Console, host: FakeHost) -> None:
    engine(host, console).run()


def dry_risk(console: Console, host: FakeHost) -> None:
    engine(host, console).dry_run()


def conflict(console: Console, host: FakeHost) -> None:
    host.put("/etc/smtpd.conf", b"listen on 192.0.2.9\n")
    engine(host, console, **ACCEPTED).run()


def failure(console: Console, host: FakeHost) -> None:
    host.services.refuses_to_start["opensmtpd.service"] = "smtpd: bind: Cannot assign requested address"
    engine(host, console, **ACCEPTED).run()


def no_peer(console: Console, host: FakeHost) -> None:
    host.network.peers = (("192.0.2.1:26041", "HANDSHAKE_1"),)
    engine(host, console, **ACCEPTED).run()


def undone(console: Console, host: FakeHost) -> None:
    Engine(host, plan, lambda _: None, run=RUN, options=Options(**ACCEPTED)).run()  # type: ignore[arg-type]  # as above
    host.put("/etc/smtpd.conf", b"edited since\n")
    undo_run(host, None, console, Redactor())


def errors(console: Console, host: FakeHost) -> None:
    del host
    console.error(
        AnswersError(
            ('my.toml:3: mail.enabel: unknown key. Did you mean "enable"?',), advice="dexsetup answers new"
        )
    )
    console.error(
        MachineError(
            "The package servers cannot be reached, so opensmtpd cannot be installed.",
            why="Temporary failure resolving 'deb.example.org'",
            done="Nothing was changed.",
            advice="Connect to the Internet for the installation, then start again.",
        )
    )
    console.error(LockedError("Another run of dexsetup is under way.", why="run 20261122T140211Z-3f"))


PIPE = Style()
TERMINAL = Style(is_terminal=True, has_colour=True, has_unicode=True)
CASES: tuple[tuple[str, Callable[[Console, FakeHost], None], Style, bool], ...] = (
    ("first-run", first_run, PIPE, False),
    ("first-run-terminal", first_run, TERMINAL, False),
    ("dry-run", dry_run, PIPE, True),
    ("second-run", second_run, PIPE, False),
    ("risk", risk, PIPE, False),
    ("dry-run-risk", dry_risk, PIPE, False),
    ("conflict", conflict, PIPE, False),
    ("failure", failure, PIPE, False),
    ("no-peer", no_peer, PIPE, False),
    ("undo-kept", undone, PIPE, False),
    ("errors", errors, PIPE, False),
)


@pytest.mark.parametrize(("name", "tell", "style", "diffs"), CASES, ids=[case[0] for case in CASES])
def test_what_a_person_reads(
    name: str, tell: Callable[[Console, FakeHost], None], style: Style, *, diffs: bool
) -> None:
    """The text is as agreed, 79 columns wide at most, and holds no secret."""
    host = machine()
    text = story(host, lambda console: tell(console, host), style, shows_diffs=diffs)
    assert "sesame" not in text
    assert "abab" not in text
    if style is PIPE:
        assert text.isascii()
        assert "\x1b" not in text
    place = EXPECTED / f"{name}.txt"
    if os.environ.get("DEX_WRITE_GOLDEN"):
        place.write_text(text, newline="")
    assert text == place.read_bytes().decode()


def test_hostile_text_does_not_reach_the_terminal() -> None:
    """Escape codes in what a program said are dropped; colour is only ours."""
    host = FakeHost()
    error = MachineError("bad \x1b]0;title\x07 name", why="\x1b[31mred\u202e")
    text = story(host, lambda console: console.error(error), TERMINAL)
    assert text == "\x1b[31mFAIL\x1b[0m bad ]0;title name\n  said: [31mred\n"


def test_text_that_a_terminal_cannot_show_is_spelt_out() -> None:
    """Without UTF-8, letters beyond ASCII become escapes, and typographic marks plain ones."""
    host = FakeHost()
    text = story(host, lambda console: console.text("J\u00f6 \u2026 a \u2192 b"), PIPE)
    assert text == "J\\xf6 ... a -> b\n"
