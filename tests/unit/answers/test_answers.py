"""Saving, merging, explaining answers; secrets that are references."""

from __future__ import annotations

import pytest

from dexsetup.answers.load import load_answers, parse_answers
from dexsetup.answers.merge import merge_answers
from dexsetup.answers.model import Allow, Answers, Mail, Node, Peer, User
from dexsetup.answers.origin import Origin, Shown, show_answers
from dexsetup.answers.save import save_answers
from dexsetup.answers.secrets import resolve_secrets
from dexsetup.errors import AnswersError
from dexsetup.host.fake import FakeHost
from dexsetup.report.redact import Redactor
from dexsetup.secret import Secret

KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"
OTHER = "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k"


def peer(key: str = KEY, **more: object) -> Peer:
    return Peer(public_key=key, **more)  # type: ignore[arg-type]  # keyword values of a test


def test_merge_keeps_what_is_not_mentioned() -> None:
    """New answers go over the last ones key by key; peers are found by key, users by login."""
    last = Answers(
        schema=1,
        node=Node(udp_port=5),
        peer=(peer(name="a", address="192.0.2.1:1"), peer(OTHER, name="b")),
        user=(User(login="jo"),),
    )
    new = Answers(schema=1, node=Node(device="mesh0"), mail=Mail(), peer=(peer(name="c"),))
    merged = merge_answers(last, new)
    assert merged.node == Node(udp_port=5, device="mesh0")
    assert merged.peer == (peer(name="c", address="192.0.2.1:1"), peer(OTHER, name="b"))
    assert (merged.mail, merged.user) == (Mail(), (User(login="jo"),))


def test_merge_forgets_a_peer_that_shall_be_absent() -> None:
    """A removed peer does not come back with the next run of the saved answers."""
    last = Answers(schema=1, peer=(peer(), peer(OTHER)))
    merged = merge_answers(last, Answers(schema=1, peer=(peer(state="absent"),)))
    assert merged.peer == (peer(OTHER),)


def test_merge_finds_friends_by_their_login_and_forgets_the_absent() -> None:
    """Like peers."""
    last = Answers(schema=1, allow=(Allow(login="ann", address="192.0.2.1"), Allow(login="ben")))
    new = Answers(schema=1, allow=(Allow(login="ann"), Allow(login="ben", state="absent")))
    assert merge_answers(last, new).allow == (Allow(login="ann", address="192.0.2.1"),)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('login = ""', "allow[1].login: "),
        ('login = " ann"', "allow[1].login: "),
        ('login = "a\\nb"', "allow[1].login: "),
        ('login = "ann"\naddress = "example.org"', 'allow[1].address: "example.org" is not an IP address'),
        ('login = "ann"\naddress = "192.0.2.1:0"', 'allow[1].address: "192.0.2.1:0" is not an IP address'),
        ('login = "ann"\n[[allow]]\nlogin = "ann"', 'allow[2].login: "ann" is named twice'),
        ('login = "ann"\nname = "Ann"', "allow[1].name: unknown key"),
    ],
)
def test_what_is_wrong_with_a_friend_is_said(lines: str, sentence: str) -> None:
    """With entry and key."""
    with pytest.raises(AnswersError) as caught:
        parse_answers(f"schema = 1\n[[allow]]\n{lines}\n", "x")
    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1:5", "2001:db8::1", "[2001:db8::1]:5"])
def test_addresses_of_this_node_with_and_without_a_port(address: str) -> None:
    """Both families."""
    text = f'schema = 1\n[[allow]]\nlogin = "ann"\naddress = "{address}"\n'
    assert parse_answers(text, "x").answers.allow[0].address == address


def test_merging_the_same_again_changes_nothing() -> None:
    """What was applied, applied again, gives the same file."""
    answers = Answers(schema=1, node=Node(), peer=(peer(password=Secret("file:/x")),))
    once = merge_answers(None, answers)
    assert save_answers(merge_answers(once, answers)) == save_answers(once)


def test_secrets_are_taken_from_files_and_variables_when_a_plan_is_made() -> None:
    """References become the secrets; literals stay; the answers themselves keep the references."""
    host = FakeHost({"/run/secrets/a": b"from a file\n"})
    answers = Answers(
        schema=1,
        peer=(
            peer(password=Secret("file:/run/secrets/a")),
            peer(OTHER, password=Secret("env:PEER_PASSWORD")),
            peer(password=Secret("literal")),
        ),
    )
    resolved = resolve_secrets(answers, host, {"PEER_PASSWORD": "from the environment"})
    revealed = [found.password.reveal() for found in resolved.peer if found.password]
    assert revealed == ["from a file", "from the environment", "literal"]
    assert "file:/run/secrets/a" in save_answers(answers)


def test_every_secret_that_is_missing_is_told() -> None:
    """Missing, empty, unset: all in one error, in words that are not taken for a password."""
    host = FakeHost({"/empty": b"\n"})
    references = ("file:/nowhere", "file:/empty", "env:UNSET", "file:secrets/a")
    answers = Answers(schema=1, peer=tuple(peer(password=Secret(text)) for text in references))
    with pytest.raises(AnswersError) as caught:
        resolve_secrets(answers, host, {})
    assert caught.value.problems == (
        "peer[1].password is to come from /nowhere, and there is no such file",
        "peer[2].password is to come from /empty, and that file is empty",
        "peer[3].password is to come from the environment, and UNSET is not set there",
        "peer[4].password is to come from file:secrets/a, no whole path (write it from the first / on)",
    )
    assert Redactor().lines(caught.value.problems) == caught.value.problems


def test_a_secret_that_is_missing_is_told_with_file_and_line() -> None:
    """Like any other mistake in the file."""
    entry = f'[[peer]]\npublic_key = "{KEY}"\naddress = "192.0.2.1:1"\npassword = "file:/nowhere"\n'
    friend = '[[allow]]\nlogin = "ann"\npassword = "env:UNSET"\n'
    loaded = load_answers(f"schema = 1\n{entry}{friend}".encode(), "my.toml")
    with pytest.raises(AnswersError) as caught:
        resolve_secrets(loaded.answers, FakeHost(), {}, loaded.place_of)
    assert caught.value.problems == (
        "my.toml:5: peer[1].password is to come from /nowhere, and there is no such file",
        "my.toml:8: allow[1].password is to come from the environment, and UNSET is not set there",
    )
    assert Redactor().lines(caught.value.problems) == caught.value.problems


def test_each_value_is_shown_with_its_origin() -> None:
    """Flag before answers, before last applied, before detected, before default; secrets are masked."""
    shown = list(
        show_answers(
            Answers(schema=1, node=Node(device="mesh0"), peer=(peer(password=Secret("sesame-sesame")),)),
            Answers(schema=1, node=Node(device="old0", lan_peering=False)),
            flags={"firewall.accept_risk": ("mesh-mail",)},
            detected={"node.udp_port": 26041, "node.device": "tun0"},
        )
    )
    assert Shown("node.device", "mesh0", Origin.ANSWERS) in shown
    assert Shown("node.lan_peering", "false", Origin.LAST_APPLIED) in shown
    assert Shown("node.udp_port", "26041", Origin.DETECTED) in shown
    assert Shown("node.backend", "embedded", Origin.DEFAULT) in shown
    assert Shown("firewall.accept_risk", "[mesh-mail]", Origin.FLAG) in shown
    assert Shown("peer[1].password", "***", Origin.ANSWERS) in shown
    assert Shown("public", "(left out: left alone)", Origin.DEFAULT) in shown
    assert not [one.name for one in shown if one.name.startswith("phone.")], "nobody asked for calls"
    assert "sesame" not in str(shown)


def test_saved_text_is_what_a_person_would_write() -> None:
    """Only what was answered is saved, section by section."""
    answers = Answers(schema=1, node=Node(udp_port=5), user=(User(login="jo", files=("mailrc", "pinerc")),))
    text = save_answers(answers, header=())
    assert (
        text == 'schema = 1\n\n[node]\nudp_port = 5\n\n[[user]]\nlogin = "jo"\nfiles = ["mailrc", "pinerc"]\n'
    )
    assert parse_answers(text, "x").answers == answers
