"""Laws of the mail filter: it outlives anything, answers every question, lets no forged sender in."""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from dexsetup.mailfilter.rules import MailFilter, mended, sender_verdict

WORDS = st.sampled_from(
    [
        b"report", b"filter", b"0.4", b"0.7", b"", b"1.5", b"smtp-in", b"link-connect", b"link-disconnect",
        b"tx-data", b"mail-from", b"data-line", b"s1", b"s2", b"[fc00::1]:25", b"127.0.0.1:9", b"local",
        b'From: a@"[IPv6:fc00::1]"', b"<a@[IPv6:fc00::1]>", b".",
    ]
)  # fmt: skip
NEAR_MISSES = st.lists(WORDS | st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"")), max_size=12)
LINES = st.lists(
    NEAR_MISSES.map(b"|".join) | st.binary(max_size=80).map(lambda text: text.replace(b"\n", b"")),
    max_size=30,
)
ADDRESSES = st.integers(0, (1 << 128) - 1).map(IPv6Address)


@given(LINES)
def test_no_line_ends_the_filter_and_every_line_of_an_answer_is_one_of_the_protocol(
    lines: list[bytes],
) -> None:
    """A server ends when its filter does, and reads answers line by line."""
    rules = MailFilter()
    for line in lines:
        answer = rules.receive(line)
        assert answer is None or all(part.startswith(b"filter-") for part in answer.split(b"\n"))
    assert (rules.receive(b"filter|0.7|1|smtp-in|data-line|s|t|x|y") or b"") == b"filter-dataline|s|t|x|y"


@given(ADDRESSES, st.binary(max_size=60), st.sampled_from([b"", b"<", b"a@", b"<a@"]))
def test_only_the_peers_own_address_passes(peer: IPv6Address, rest: bytes, start: bytes) -> None:
    """Whatever is accepted is empty, or ends in a literal that is the peer."""
    sender = start + rest
    if sender_verdict(peer, sender).is_accepted:
        text = sender.decode("utf-8", "replace").strip(" \t").removeprefix("<").partition(">")[0]
        literal = text.rpartition("@")[2].strip("[]").lower().removeprefix("ipv6:")
        assert text == "" or IPv6Address(literal) == peer


@given(ADDRESSES, ADDRESSES)
def test_one_address_passes_in_every_spelling_and_another_in_none(
    peer: IPv6Address, other: IPv6Address
) -> None:
    for spelling in (str(other), other.exploded, other.exploded.upper()):
        verdict = sender_verdict(peer, f"<ann@[IPv6:{spelling}]>".encode())
        assert verdict.is_accepted == (peer == other)


@given(st.binary(max_size=120))
def test_mending_twice_is_mending_once_and_takes_off_quotes_alone(line: bytes) -> None:
    once = mended(line)
    assert mended(once) == once
    assert once.replace(b'"', b"") == line.replace(b'"', b"")
