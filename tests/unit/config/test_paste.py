"""Peers from text as people send it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import ConnectTo, PeerProblem, parse_peers

VECTORS = Path(__file__).parents[2] / "vectors" / "conf"
FRAGMENTS: list[dict[str, Any]] = json.loads((VECTORS / "edit-cases.json").read_text())["fragments"]
KEY = "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"
OTHER_KEY = "m2d3dc8l3vkjulrgpvyvsbwwrukq3m9jbvz3nkt4hqn5hvdnljp0.k"
PEER = ConnectTo("203.0.113.7:9123", KEY, "s3cret", "public", "stash")
FIELDS = f'"login": "public", "password": "s3cret", "publicKey": "{KEY}", "peerName": "stash"'
ENTRY = f'"203.0.113.7:9123": {{ {FIELDS} }}'


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=[fragment["why"][:40] for fragment in FRAGMENTS])
def test_the_fragments_that_people_hand_out_are_read(fragment: dict[str, Any]) -> None:
    pasted = parse_peers(fragment["text"])
    assert pasted.problems == ()
    assert {peer.address: peer for peer in pasted.peers} == {
        address: ConnectTo(
            address, fields["publicKey"], fields["password"], fields.get("login"), fields.get("peerName")
        )
        for address, fields in fragment["peers"].items()
    }


@pytest.mark.parametrize(
    "text",
    [
        ENTRY,
        "{" + ENTRY + "}",
        "{{" + ENTRY + ",}",
        ENTRY + "},\n}",
        ENTRY.replace("\n", "\r\n").replace(", ", ",\r\n"),
        ENTRY.replace(", ", " "),
        ENTRY.replace(", ", ",,"),
        ENTRY.replace(": {", " {"),
        f'"203.0.113.7:9123":\n{FIELDS}',
        f'"203.0.113.7:9123": {FIELDS}\nThat is all.',
        ENTRY.replace('"', "”"),
        re.sub(r'"([^"]*)"', r"“\1”", ENTRY),
        re.sub(r'"([^"]*)"', r"„\1“", ENTRY),
        ENTRY.replace('"', "„"),
        ENTRY.replace(" ", "\u00a0"),
        ENTRY.replace(" ", "&nbsp;"),
        ENTRY.replace('"', "&quot;"),
        "\ufeff" + ENTRY.replace('": ', '"\u200b: \u2060'),
        ENTRY.replace("s3cret", "\\u0073\\x33cret").replace("public", "\\p\\u0075blic", 1),
        ENTRY.replace(
            '"peerName"', '"contact": "a@b", "gpg": ["x", {"y": 1}], "n": 5, "b": true, "peerName"'
        ),
        f'My node (a 5" box, see http://example.org/x): {ENTRY} - have fun, it\'s "free".',
        f'// the old one: "192.0.2.1:1": {{}}\n/* "192.0.2.1:2": {{}} */ {ENTRY} // Jo',
        (
            f'{{"admin": {{"bind": "127.0.0.1:11234", "password": "NONE"}}, "interfaces": {{"UDPInterface": '
            f'[{{"bind": "0.0.0.0:1", "connectTo": {{ {ENTRY} }} }}]}}}}'
        ),
        f'Put this below "connectTo": {{\n{ENTRY}\n',
        f"/* from the sample\n{ENTRY}",
        f"{ENTRY}\n{{ {ENTRY} }}",
        ENTRY.replace("203.0.113.7:9123", " 203.0.113.7:9123 "),
        ENTRY.replace(KEY, KEY + " "),
    ],
)
def test_form_is_forgiven(text: str) -> None:
    """Braces, commas, quotation marks, spaces, escapes and the words around do not matter."""
    pasted = parse_peers(text)
    assert pasted.problems == ()
    assert pasted.peers == (PEER,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ENTRY.replace("203.0.113.7", "nyc.example.org"), "is a host name"),
        (ENTRY.replace("203.0.113.7", "[2001:db8::x]"), "is not an IP address"),
        (ENTRY.replace("203.0.113.7", "224.0.0.1"), "no address that can be called"),
        (ENTRY.replace(":9123", ""), "has no port"),
        (ENTRY.replace(":9123", ":99999"), "is not a number up to 65535"),
        (ENTRY.replace("203.0.113.7", "2001:db8::7"), "without brackets"),
        (ENTRY.replace(KEY, "d6bn"), 'The key "d6bn" is too short'),
        (ENTRY.replace(KEY, "0" * 52 + ".k"), "is not a key of this network"),
        (ENTRY.replace(f'"{KEY}"', "5"), "There is no publicKey"),
        (ENTRY.replace("s3cret", ""), "There is no password"),
        (ENTRY.replace('"s3cret"', "1234"), "There is no password"),
        ('"203.0.113.7:9123": {}', "There is no publicKey"),
        (ENTRY[:-20], "ends before its closing brace"),
        (f'"connectTo": {{ {ENTRY[:-1]}', "ends before its closing brace"),
    ],
)
def test_content_is_not_forgiven_and_says_why(text: str, why: str) -> None:
    """The one bad entry is named with its number and address; a good one beside it is kept."""
    pasted = parse_peers('{"203.0.113.8:1": {"publicKey": "' + OTHER_KEY + '", "password": "p"}}\n' + text)
    assert pasted.peers == (ConnectTo("203.0.113.8:1", OTHER_KEY, "p"),)
    (problem,) = pasted.problems
    assert problem.index == 2
    assert problem.address
    assert why in problem.why
    assert problem.why.endswith(".")


def test_entries_without_any_braces_end_where_the_next_begins() -> None:
    """As they come out of a letter whose program has eaten the braces."""
    other = FIELDS.replace(KEY, OTHER_KEY)
    pasted = parse_peers(f'"203.0.113.7:9123": {FIELDS}\n"[2001:db8::7]:1": {other}\nthat "is" all')
    assert pasted.problems == ()
    assert pasted.peers == (PEER, ConnectTo("[2001:db8::7]:1", OTHER_KEY, "s3cret", "public", "stash"))


def test_the_same_address_with_other_credentials_is_a_problem() -> None:
    pasted = parse_peers(ENTRY + ENTRY.replace("s3cret", "other"))
    assert pasted.peers == (PEER,)
    assert pasted.problems == (
        PeerProblem(
            2,
            "203.0.113.7:9123",
            "The same address stands here twice with different credentials. The first one is used.",
        ),
    )


@pytest.mark.parametrize(
    "text",
    ["", "hello", '"', '"a": {', "}" * 5, '{"a": {"password": "x"}}', '"a": {' * 100, '"x"\n: {', '"\\'],
)
def test_a_text_without_peers_gives_none(text: str) -> None:
    assert parse_peers(text).peers == ()
    assert parse_peers(text).problems == ()


def test_secrets_of_pasted_peers_do_not_show() -> None:
    assert "s3cret" not in repr(parse_peers(ENTRY))
