"""Friend cards: writing and reading are each other's inverse, and nothing in a link is trusted."""

from __future__ import annotations

import json
import re
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.config import ConnectTo
from dexrouter.crypto.keys import address_of, parse_public_key
from dexsetup.answers.load import load_answers
from dexsetup.card import Card, card_link, card_text, read_card
from dexsetup.commands.card import card
from dexsetup.commands.session import Flags, Session
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.invitation import own_card
from dexsetup.ui.cards import qr_lines
from step_inputs import ADDRESS, DRAWN, OTHER_KEY, SPARE_KEY, debian
from tui_rig import debian_host

THEIRS = str(IPv6Address(address_of(parse_public_key(SPARE_KEY))))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(name=TEXT, login=TEXT, password=TEXT.filter(bool), peer_login=TEXT)
def test_reading_gives_what_was_written(name: str, login: str, password: str, peer_login: str) -> None:
    """Whatever characters the names and passwords have."""
    peer = ConnectTo("192.0.2.1:26041", SPARE_KEY, password, peer_login or None, name or None)
    written = Card(THEIRS, name, login, peer)
    assert read_card(card_link(written)) == written


@pytest.mark.parametrize(("has_mail", "has_calls"), [(True, False), (False, True)])
def test_a_card_names_only_what_is_set_up(*, has_mail: bool, has_calls: bool) -> None:
    """In its words and, for who reads it, in its link."""
    written = Card(THEIRS, "Ann", "ann", has_mail=has_mail, has_calls=has_calls)
    text = card_text(written)
    assert ("mail  " in text, "calls  " in text) == (has_mail, has_calls)
    assert read_card(card_link(written)) == written


@given(text=st.text(max_size=200))
def test_any_text_is_a_card_or_an_error_with_a_sentence(text: str) -> None:
    """Never another exception."""
    try:
        found = read_card(f"dex:{text}")
    except AnswersError as error:
        said = error.problems
    else:
        said = (found.address,)
        assert IPv6Address(found.address).packed[0] == 0xFC
    assert said[0]


@pytest.mark.parametrize(
    ("link", "what"),
    [
        ("hello", 'no link that begins with "dex:"'),
        ("dex:nowhere", '"nowhere" in the link is not an address'),
        ("dex:2001:db8::1", "not an address of the mesh"),
        (f"dex:{THEIRS}?peer=example.org:1&key={SPARE_KEY}&password=x", "cannot be used"),
        (f"dex:{THEIRS}?peer=192.0.2.1:1&key={OTHER_KEY}&password=x", "does not belong to its address"),
        (f"dex:{THEIRS}?peer=192.0.2.1:1&key={SPARE_KEY}", "has no password"),
        (f"dex:{THEIRS}?name={'x' * 3000}", "longer than 2048"),
    ],
)
def test_what_is_wrong_with_a_link_is_said(link: str, what: str) -> None:
    """A key that is somebody else's is refused like a broken one."""
    with pytest.raises(AnswersError, match=re.escape(what)):
        read_card(link)


def test_the_text_names_the_password_nowhere_but_in_the_link() -> None:
    """Somebody who reads it aloud gives nothing away but the address."""
    peer = ConnectTo("192.0.2.1:26041", SPARE_KEY, "hunter2", None, None)
    *lines, link = card_text(Card(THEIRS, "Ann", "ann", peer)).splitlines()
    assert "hunter2" not in "".join(lines)
    assert "hunter2" in link


def test_the_command_prints_this_node_s_card(capsys: pytest.CaptureFixture[str]) -> None:
    """Address, mail, calls and link of the first person of the answers that were applied."""
    answers = b'schema = 1\n[mail]\n[phone]\n[[user]]\nlogin = "jo"\nfiles = ["baresip"]\n'
    host = debian_host(files={"/etc/cjdroute.conf": DRAWN, "/etc/dexsetup/answers.toml": answers})
    assert card(Session(Flags(), host), None) is ExitCode.OK
    shown = capsys.readouterr().out
    assert f"jo@[IPv6:{ADDRESS}]" in shown
    assert f"sip:jo@[{ADDRESS}]" in shown
    assert f"dex:{ADDRESS}?name=Jo%20Doe&user=jo\n" in shown


@pytest.mark.parametrize(
    ("sections", "mail", "calls"),
    [
        ('[mail]\n[[user]]\nlogin = "jo"\n', True, False),
        ('[mail]\n[phone]\n[[user]]\nlogin = "jo"\n', True, False),
        ('[phone]\n[[user]]\nlogin = "jo"\nfiles = ["linphonerc"]\n', False, True),
        ('[phone]\nenable = false\n[[user]]\nlogin = "jo"\nfiles = ["baresip"]\n', False, False),
    ],
)
def test_this_node_s_card_names_what_was_set_up(sections: str, *, mail: bool, calls: bool) -> None:
    """Mail with the mail server, calls with a phone of that person."""
    answers = load_answers(f"schema = 1\n{sections}".encode(), "answers.toml").answers
    found = own_card(ADDRESS, answers, debian())
    assert (bool(found.mail), bool(found.sip)) == (mail, calls)


def test_the_command_reads_a_friend_s_card(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON as well; a password stays in the link it came in."""
    peer = ConnectTo("192.0.2.1:26041", SPARE_KEY, "hunter2hunter2", None, None)
    link = card_link(Card(THEIRS, "Ann", "ann", peer))
    assert card(Session(Flags(is_json=True), debian_host()), link) is ExitCode.OK
    shown = capsys.readouterr().out
    assert json.loads(shown)["sip"] == f"sip:ann@[{THEIRS}]"
    assert "hunter2" not in shown


def test_a_code_has_two_rows_of_modules_a_line() -> None:
    """Every line is as wide as the first, and half as many lines as columns."""
    lines = qr_lines(card_link(Card(THEIRS, "Ann", "ann")))
    assert {len(line) for line in lines} == {len(lines[0])}
    assert abs(len(lines) * 2 - len(lines[0])) <= 1
    assert set("".join(lines)) <= set(" \u2580\u2584\u2588")
