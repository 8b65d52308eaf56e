"""Cards with a credential of the friend's own: made by the engine, shown again, taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dexrouter.config import load_config
from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Allow
from dexsetup.card import Card, card_link, find_card, read_card
from dexsetup.commands import peers
from dexsetup.commands.card import card_for
from dexsetup.commands.session import Flags, Session
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.fake import FakeHost
from dexsetup.invitation import invite, reachable_address
from dexsetup.plan.places import ANSWERS
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor
from step_inputs import ADDRESS, DRAWN
from tui_rig import debian_host

CONFIG = load_config(DRAWN)
PORT = CONFIG.udp_interfaces[0].bind.port
LOGIN = CONFIG.authorized_passwords[0].user or ""
OWN = Card(ADDRESS, "Jo Doe", "jo")
PUBLIC, PUBLIC_SIX = "5.6.7.8", "2a01:4f8::5"


def node(uplink: tuple[str, ...] = (PUBLIC,)) -> FakeHost:
    host = debian_host(files={"/etc/cjdroute.conf": DRAWN})
    host.network.uplink = uplink
    return host


def session_at(host: FakeHost, **flags: Any) -> Session:
    return Session(Flags(**flags), host)


def users(host: FakeHost) -> list[str | None]:
    config = load_config(host.read("/etc/cjdroute.conf") or b"")
    return [entry.user for entry in config.authorized_passwords]


@pytest.mark.parametrize(
    ("uplink", "expected"),
    [
        ((), ""),
        (("192.168.1.2",), "192.168.1.2"),
        (("192.168.1.2", PUBLIC_SIX), PUBLIC_SIX),
        ((PUBLIC, PUBLIC_SIX), PUBLIC),
        (("10.0.0.1", "fd00::1"), "10.0.0.1"),
    ],
)
def test_the_address_that_reaches_furthest_is_taken(uplink: tuple[str, ...], expected: str) -> None:
    assert reachable_address(CONFIG, uplink) == expected


def test_a_router_without_ipv6_is_not_named_by_ipv6() -> None:
    config = replace(CONFIG, udp_interfaces=CONFIG.udp_interfaces[:1])
    assert reachable_address(config, ("192.168.1.2", PUBLIC_SIX)) == "192.168.1.2"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (None, f"{PUBLIC}:{PORT}"),
        ("192.0.2.9", f"192.0.2.9:{PORT}"),
        ("192.0.2.9:77", "192.0.2.9:77"),
        ("2001:db8::9", f"[2001:db8::9]:{PORT}"),
        ("[2001:db8::9]:77", "[2001:db8::9]:77"),
    ],
)
def test_the_card_says_where_this_node_is_found(address: str | None, expected: str) -> None:
    """Named or found, with the router's port where none is named; read again it is the same card."""
    found = invite(OWN, CONFIG, Allow.model_construct(login=LOGIN, address=address), (PUBLIC,))
    assert found is not None
    assert found.note == ""
    assert found.card.peer is not None
    assert found.card.peer.address == expected
    assert read_card(card_link(found.card)) == found.card


def test_behind_a_gateway_the_card_says_what_to_do() -> None:
    """It works in the local network, and the note names the port to forward."""
    found = invite(OWN, CONFIG, Allow.model_construct(login=LOGIN), ("192.168.1.2",))
    assert found is not None
    assert found.card.peer is not None
    assert found.note.startswith("192.168.1.2 is reached from the local network alone. ")
    assert f"UDP port {PORT}" in found.note
    assert "call them" in found.note


def test_without_any_address_the_card_has_no_credential() -> None:
    """Half a credential would help nobody."""
    found = invite(OWN, CONFIG, Allow.model_construct(login=LOGIN), ())
    assert found is not None
    assert found.card == OWN
    assert found.note.startswith("No address is known")


def test_somebody_who_may_not_call_has_no_card() -> None:
    assert invite(OWN, CONFIG, Allow(login="stranger"), (PUBLIC,)) is None


def test_a_card_is_made_shown_again_and_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The first time changes the configuration, the second nothing; undo gives the bytes back."""
    host = node()
    assert card_for(session_at(host), "Ann", "") is ExitCode.OK
    link = find_card(capsys.readouterr().out)
    peer = read_card(link).peer
    assert peer is not None
    assert (peer.address, peer.login, len(peer.password)) == (f"{PUBLIC}:{PORT}", "Ann", 31)
    assert users(host)[-1] == "Ann"
    after = host.snapshot()
    assert card_for(session_at(host), "Ann", "") is ExitCode.OK
    assert find_card(capsys.readouterr().out) == link
    assert host.snapshot() == after
    assert undo_run(host, None, lambda _: None, Redactor()) is ExitCode.OK
    assert host.read("/etc/cjdroute.conf") == DRAWN


def test_where_a_friend_reaches_us_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    """Named once, it is in the card that is asked for later."""
    host = node(("192.168.1.2",))
    card_for(session_at(host), "Ann", "192.0.2.9:77")
    first = find_card(capsys.readouterr().out)
    card_for(session_at(host), "Ann", "")
    assert find_card(capsys.readouterr().out) == first
    peer = read_card(first).peer
    assert peer is not None
    assert peer.address == "192.0.2.9:77"


def test_the_password_is_in_the_link_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Not in what is told, not in the answers, not in log or journal."""
    host = node()
    card_for(session_at(host), "Ann", "")
    captured = capsys.readouterr()
    peer = read_card(captured.out).peer
    assert peer is not None
    assert captured.out.count(peer.password) == 1
    assert peer.password not in captured.err
    assert b"Ann" in (host.read(ANSWERS) or b"")
    for path, entry in host.nodes.items():
        if path != "/etc/cjdroute.conf":
            assert peer.password.encode() not in entry.content, path
    assert host.nodes["/etc/cjdroute.conf"].mode == 0o600


def test_a_dry_run_makes_no_card(capsys: pytest.CaptureFixture[str]) -> None:
    """The plan and the diff are shown, the password is not."""
    host = node()
    assert card_for(session_at(host, is_dry=True), "Ann", "") is ExitCode.CHANGES
    shown = capsys.readouterr()
    assert '"user": "Ann"' in shown.out + shown.err
    assert "dex:" not in shown.out
    assert host.read("/etc/cjdroute.conf") == DRAWN


def test_the_card_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line, behind the events."""
    host = node(("192.168.1.2",))
    card_for(session_at(host, is_json=True), "Ann", "")
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["for"] == "Ann"
    assert read_card(last["card"]).peer is not None
    assert "local network alone" in last["note"]


@pytest.mark.parametrize(
    ("friend", "place", "sentence"),
    [
        ("", "", "--for: "),
        ("a\nb", "", "--for: "),
        ("Ann", "example.org", '--at: "example.org" is not an IP address'),
    ],
)
def test_a_card_that_cannot_be_made_says_why(friend: str, place: str, sentence: str) -> None:
    host = node()
    with pytest.raises(AnswersError) as caught:
        card_for(session_at(host), friend, place)
    assert sentence in caught.value.problems[0]
    assert host.read("/etc/cjdroute.conf") == DRAWN


def test_who_may_call_is_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    """Both the friends and who was there before; revoking one gives the bytes back and forgets the answer."""
    host = node()
    card_for(session_at(host), "Ann", "")
    capsys.readouterr()
    assert peers.list_allowed(session_at(host)) is ExitCode.OK
    shown = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["Ann", "has", "a", "card", "from", "here"] for line in shown)
    assert any(line.startswith(LOGIN) and line.endswith("was in the configuration") for line in shown)
    assert peers.revoke(session_at(host), "Ann") is ExitCode.OK
    assert host.read("/etc/cjdroute.conf") == DRAWN
    assert load_answers(host.read(ANSWERS), ANSWERS).answers.allow == ()


def test_the_list_as_json_has_no_passwords(capsys: pytest.CaptureFixture[str]) -> None:
    host = node()
    peers.list_allowed(session_at(host, is_json=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"login": LOGIN, "is_friend": False} in lines
    assert all(set(line) == {"login", "is_friend"} for line in lines)


def test_revoking_somebody_unknown_changes_nothing() -> None:
    host = node()
    with pytest.raises(AnswersError, match='nobody named "Eve"'):
        peers.revoke(session_at(host), "Eve")
    assert host.read("/etc/cjdroute.conf") == DRAWN
