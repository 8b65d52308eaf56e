"""Laws of the grammar and the editors, over files with any layout that people and programs make."""

from __future__ import annotations

import random
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.config import (
    ConfigError,
    ConnectTo,
    add_authorized_password,
    apply_edits,
    cleanconf,
    genconf,
    load_config,
    parse,
    remove_authorized_password,
    remove_peer,
    remove_value,
    set_value,
    upsert_peer,
)
from dexrouter.config.jsonc import content_of
from dexsetup.answers.model import Allow
from dexsetup.steps.configuration import with_allowed

KEYS = (
    "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k",
    "m2d3dc8l3vkjulrgpvyvsbwwrukq3m9jbvz3nkt4hqn5hvdnljp0.k",
    "u8wqf969fmj8lcz6t4mr82dt37gdgd99rus0s5vk6bhmp2lhbc80.k",
)
GENERATED = genconf(random.Random(1).randbytes)
WHOLE = (GENERATED.encode(), cleanconf(GENERATED.encode()).encode(), GENERATED.replace("\n", "\r\n").encode())
BLANKS = [
    "",
    "",
    " ",
    "  ",
    "\n",
    "\n    ",
    "\r\n",
    "\t",
    "\n\t\t",
    ' // } " {\n',
    "/* , } */",
    "\n/*\n*/",
    "\r",
]
blank = st.sampled_from(BLANKS)


@st.composite
def containers(draw: st.DrawFn, brackets: str, members: list[str], *, strict: bool) -> str:
    """Put members between brackets, with odd spacing and the commas that the dialect allows."""
    text = brackets[0] + draw(blank)
    for index, member in enumerate(members):
        last = index == len(members) - 1
        comma = ("" if last else ",") if strict else draw(st.sampled_from([",", ",", "", ",,"]))
        text += member + draw(blank) + comma + draw(blank)
    return text + brackets[1]


@st.composite
def configurations(draw: st.DrawFn) -> bytes:
    """Draw a file as an operator may have left it: interfaces, peers, passwords, a router section."""
    strict = draw(st.booleans())

    def dictionary(members: list[str]) -> str:
        return draw(containers("{}", members, strict=strict))

    def pair(key: str, value: str) -> str:
        return f'"{key}"{draw(blank)}:{draw(blank)}{value}'

    def peers(addresses: list[str]) -> str:
        return dictionary([pair(a, dictionary([pair("password", '"x"')])) for a in addresses])

    entries = []
    for bind, addresses in (("0.0.0.0:1", ["192.0.2.1:1", "192.0.2.2:2"]), ("[::]:1", ["[2001:db8::1]:1"])):
        members = [pair("bind", f'"{bind}"')]
        if draw(st.booleans()):
            members.append(pair("connectTo", peers(addresses[: draw(st.integers(0, 2))])))
        if draw(st.booleans()):
            members.append(pair("dscp", "7"))
        entries.append(dictionary(members))
    udp = draw(containers("[]", entries, strict=strict))
    root = [pair("interfaces", dictionary([pair("UDPInterface", udp)]))]
    if draw(st.booleans()):
        passwords = [dictionary([pair("password", '"p"')])] * draw(st.integers(0, 2))
        root.append(pair("authorizedPasswords", draw(containers("[]", passwords, strict=strict))))
    if draw(st.booleans()):
        root.append(pair("router", dictionary([pair("interface", dictionary([pair("type", '"x"')]))])))
    if strict and draw(st.booleans()):
        root.append(pair("version", "2"))
    return (draw(st.sampled_from(["", "\n", "// {\n"])) + dictionary(root) + draw(blank)).encode()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
new_peers = st.builds(
    ConnectTo,
    st.sampled_from(["198.51.100.1:1", "198.51.100.2:65535", "[2001:db8:5::1]:1", "[2001:db8:5::2]:9"]),
    st.sampled_from(KEYS),
    texts,
    st.none() | texts,
    st.none() | texts,
)


@settings(max_examples=150)
@given(configurations(), st.lists(new_peers, max_size=4, unique_by=lambda peer: peer.address), st.randoms())
def test_peers_come_and_go_without_a_trace(data: bytes, peers: list[ConnectTo], order: object) -> None:
    """In whatever order they are taken out, the original bytes are back at the end; twice is as once."""
    after = data
    for peer in peers:
        after = apply_edits(after, upsert_peer(after, peer))
        assert upsert_peer(after, peer) == ()
    assert hasattr(order, "shuffle")
    order.shuffle(peers)
    for peer in peers:
        after = apply_edits(after, remove_peer(after, peer.address))
    assert after == data


@settings(max_examples=100)
@given(configurations(), texts, texts)
def test_passwords_and_values_come_and_go_without_a_trace(data: bytes, user: str, text: str) -> None:
    with_password = apply_edits(data, add_authorized_password(data, text, user))
    assert add_authorized_password(with_password, text, user) == ()
    both = apply_edits(with_password, set_value(with_password, "router.interface.tunDevice", text))
    assert set_value(both, "router.interface.tunDevice", text) == ()
    without = apply_edits(both, remove_authorized_password(both, user))
    assert apply_edits(without, remove_value(without, "router.interface.tunDevice")) == data


@settings(max_examples=50)
@given(st.sampled_from(WHOLE), st.lists(texts, max_size=3, unique=True), st.binary(min_size=32, max_size=32))
def test_friends_of_the_answers_come_and_go_without_a_trace(
    data: bytes, logins: list[str], secret: bytes
) -> None:
    """Each gets an entry, twice is as once whatever is drawn then, and without them the bytes are back."""
    friends = [Allow.model_construct(login=login) for login in logins]
    after = with_allowed(data, friends, secret)
    assert with_allowed(after, friends, b"another draw") == after
    before = load_config(data).authorized_passwords
    assert [entry.user for entry in load_config(after).authorized_passwords[len(before) :]] == logins
    gone = [Allow.model_construct(login=login, state="absent") for login in logins]
    assert with_allowed(after, gone, secret) == data


@settings(max_examples=60)
@given(configurations())
def test_cleanconf_is_read_as_the_same_content(data: bytes) -> None:
    before = content_of(parse(data).root)
    after = content_of(parse(cleanconf(data).encode()).root)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert {**before, "version": 2} == after


FRAGMENTS = [
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"-", b"1", b" ", b"\n", b"\xff"),
    *(b"//", b"/*", b"*/", b"\\x4", b'"a":'),
]
ALMOST = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join)


@settings(max_examples=300)
@given(st.binary(max_size=60) | ALMOST | ALMOST.map(lambda data: b"{" + data + b"}"))
def test_any_bytes_give_a_value_or_a_config_error(data: bytes) -> None:
    """Hostile files never raise anything else, neither from reading nor from editing."""
    for work in (
        parse,
        load_config,
        cleanconf,
        lambda data: remove_value(data, "a"),
        lambda data: set_value(data, "a.b", "x"),
        lambda data: remove_peer(data, KEYS[0]),
        lambda data: add_authorized_password(data, "p", "u"),
    ):
        with suppress(ConfigError):
            work(data)
