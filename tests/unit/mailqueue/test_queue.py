"""Letters that wait: who is asked, when, and what smtpctl is told. Lines as opensmtpd 6.8 shows them."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from ipaddress import IPv6Address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dexsetup.mailqueue.main as program
from dexsetup.mailqueue.main import answering, main, serve_once
from dexsetup.mailqueue.rules import MACHINES_MAX, Patience, routes_to, waiting_letters

BEN = IPv6Address("fc4d:3b82:981:625c:bbc2:8dab:1aa2:a640")
JO = IPv6Address("fc00::7")
START = 1000.0


def line(letter: str, destination: str, *, kind: str = "mta", state: str = "pending") -> str:
    return (
        f"{letter}|inet6|{kind}||ann@[IPv6:fc00::1]|{destination}|{destination}"
        f"|1795406611|1795406611|0|1|{state}|230|Network error on destination MXs"
    )


def test_letters_that_wait_are_known_by_the_address_they_go_to() -> None:
    """In any spelling; letters on their way, for people here, or for the ordinary Internet are not ours."""
    shown = "\n".join(
        (
            line("f7ef5f395647e3c7", f"ben@[IPv6:{BEN}]"),
            line("f7ef5f395647e3c8", f"ben@[ipv6:{BEN.exploded.upper()}]"),
            line("f7ef5f395647e3c9", "jo@[fc00:0::7]"),
            line("a", f"ben@[IPv6:{BEN}]", state="inflight"),
            line("b", "ann@[IPv6:fc00::1]", kind="mda"),
            line("c", "x@example.org"),
            line("d", "x@[IPv6:2001:db8::1]"),
            line("e", "x@[192.0.2.1]"),
            "smtpctl: something else",
            "",
        )
    )
    assert waiting_letters(shown) == {
        BEN: ("f7ef5f395647e3c7", "f7ef5f395647e3c8"),
        JO: ("f7ef5f395647e3c9",),
    }


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0b"])
def test_a_sender_cannot_write_lines_of_the_queue(sign: str) -> None:
    """Only opensmtpd's own line ends part letters, and only an id of one letter is handed back to it."""
    forged = line("all", f"ben@[IPv6:{BEN}]")
    honest = line("f7ef5f395647e3c7", f"ben@[IPv6:{BEN}]").replace("ann@", f"x{sign}{forged}{sign}@")
    assert waiting_letters(f"{honest}\n{forged}\n") == {}
    assert waiting_letters(line("f7ef5f395647e3c7", f"ben@[IPv6:{BEN}]")) == {BEN: ("f7ef5f395647e3c7",)}


def test_ways_to_an_address_are_found_by_it() -> None:
    shown = (
        f"2. [] <-> [{BEN}] ({BEN}) D--- nconn=0 nerror=1 penalty=1 timeout=14s\n"
        f"3. [{JO}] <-> [{JO}] (jo) ---- nconn=1 nerror=0 penalty=0 timeout=-\n"
        f"14. [] <-> {JO} (jo) ---- nconn=1 nerror=0 penalty=0 timeout=-\n"
        "4. [] <-> [192.0.2.1] (mx.example.org) ---- nconn=0\nnonsense\n"
    )
    assert routes_to(BEN, shown) == ("2",)
    assert routes_to(JO, shown) == ("3", "14")


@given(st.text(alphabet=st.sampled_from("|[]@:.fc07IPv6 \nmtapending-<>D"), max_size=200))
def test_whatever_smtpctl_prints_is_read_or_passed_over(shown: str) -> None:
    for address in waiting_letters(shown):
        routes_to(address, shown)


def test_a_machine_is_asked_often_at_first_and_seldom_later() -> None:
    """Every 10 seconds in the first minutes, every two minutes after 40; a new letter starts anew."""
    patience, asked, now = Patience(), [], START
    while now < START + 6 * 3600:
        if patience.due([BEN], now):
            asked.append(now - START)
        now += 5.0
    gaps = [after - before for before, after in pairwise(asked)]
    assert asked[0] == 5.0
    assert set(gaps[:18]) == {10.0}
    assert max(gaps) == 120.0
    assert gaps == sorted(gaps)
    assert patience.due([], now) == ()
    assert patience.due([BEN], now) == ()
    assert patience.due([BEN], now + 5) == (BEN,)


def test_no_more_machines_are_remembered_than_the_bound() -> None:
    patience = Patience()
    many = [IPv6Address(int(JO) + number) for number in range(MACHINES_MAX + 9)]
    patience.due(many, START)
    assert patience.due(many, START + 5) == tuple(many[:MACHINES_MAX])


def test_a_machine_answers_when_its_port_accepts() -> None:
    """One that refuses does not, and one question does not wait for the other."""
    here = IPv6Address("::1")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert answering([here], port) == (here,)
    assert answering([here], port) == ()
    assert answering([]) == ()


@pytest.fixture
def smtpctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a smtpctl in place that notes what it is told, and has one letter and one way to show."""
    script = tmp_path / "smtpctl"
    script.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/told\n'
        f"case \"$*\" in 'show queue') cat {tmp_path}/queue ;;\n"
        f"'show routes') echo '7. [] <-> [{JO}] (jo) D---' ;; esac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "queue").write_text(line("f7ef5f395647e3c7", f"jo@[IPv6:{JO}]") + "\n")
    monkeypatch.setattr(program, "_DIRECTORIES", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    return tmp_path / "told"


def nobody(_addresses: Iterable[IPv6Address]) -> tuple[IPv6Address, ...]:
    return ()


def test_letters_are_sent_when_the_machine_answers(smtpctl: Path) -> None:
    """Its way is opened again and the letter scheduled; nothing is told while nobody answers."""
    patience = Patience()
    serve_once(patience, START, nobody)
    serve_once(patience, START + 6, nobody)
    assert smtpctl.read_text().splitlines() == ["show queue", "show queue"]
    serve_once(patience, START + 17, tuple)
    assert smtpctl.read_text().splitlines()[2:] == [
        "show queue",
        "show routes",
        "resume route 7",
        "schedule f7ef5f395647e3c7",
    ]


def test_a_mail_server_that_is_away_is_passed_over(smtpctl: Path) -> None:
    """It fails or is not there at all; the program goes on."""
    (smtpctl.parent / "smtpctl").write_text("#!/bin/sh\nexit 1\n")
    serve_once(Patience(), START)
    (smtpctl.parent / "smtpctl").unlink()
    serve_once(Patience(), START)


def test_arguments_are_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 2
    assert "unit" in capsys.readouterr().err


_SLOW = """#!{python} -S
import pathlib, sys, time
pathlib.Path(sys.argv[0] + ".begun").touch()
time.sleep(1)
pathlib.Path(sys.argv[0] + ".done").touch()
"""
_SERVE = """
import sys
import dexsetup.mailqueue.main as program
program._DIRECTORIES = {"PATH": sys.argv[1] + ":/usr/bin:/bin"}
sys.exit(program.main([]))
"""


def test_it_ends_when_told_to_but_never_in_the_middle_of_smtpctl(smtpctl: Path) -> None:
    """A smtpctl that is killed takes opensmtpd down: the program and its smtpctl finish first."""
    place = smtpctl.parent
    (place / "smtpctl").write_text(_SLOW.format(python=sys.executable))
    with subprocess.Popen([sys.executable, "-c", _SERVE, str(place)], start_new_session=True) as running:
        until = time.monotonic() + 30
        while not (place / "smtpctl.begun").exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGTERM)
        assert running.wait(30) == 0
    assert (place / "smtpctl.done").exists()
