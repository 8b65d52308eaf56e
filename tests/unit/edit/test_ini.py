"""Settings in .linphonerc: sections, keys, and what linphone itself wrote around them."""

from __future__ import annotations

import pytest

from dexsetup.edit import apply_edits, ini

WANTED = {"sip": {"use_ipv6": "1", "contact": '"Jo" <sip:jo@[fc00::1]>'}, "rtp": {"bind_address": "fc00::1"}}
MARK = b"# section made by dexsetup\n"


def edited(data: bytes, wanted: ini.Settings = WANTED) -> bytes:
    after = apply_edits(data, ini.edits(data, wanted))
    assert ini.edits(after, wanted) == ()
    return after


def removed(data: bytes, wanted: ini.Settings = WANTED) -> bytes:
    return apply_edits(data, ini.removal(data, wanted))


def test_missing_sections_are_made_and_go_again() -> None:
    before = b"[sound]\ndev=x\n"
    after = edited(before)
    assert after == (
        before
        + b"\n[sip]\n"
        + MARK
        + b'use_ipv6=1\ncontact="Jo" <sip:jo@[fc00::1]>\n\n[rtp]\n'
        + MARK
        + b"bind_address=fc00::1\n"
    )
    assert removed(after) == before
    assert ini.present(after) == {**WANTED, "sound": {"dev": "x"}}


@pytest.mark.parametrize(
    "before", [b"", b"[a]", b"[a]\r\nb=c\r\n\r\n", b"\n\n", b"[a]\r", b"# \xff\n[rtp]\n\n\n[sip]"]
)
def test_the_end_of_the_file_is_kept(before: bytes) -> None:
    assert removed(edited(before)) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[s]\nk=1\n", b"[s]\nk=2\n"),
        (b"[s]\nk=2\n", b"[s]\nk=2\n"),
        (b"[s]\r\n k = 1 \r\nx=y", b"[s]\r\n k =2\r\nx=y"),
        (b"[s]\nk=\n[t]\nk=1\n", b"[s]\nk=2\n[t]\nk=1\n"),
        (b"[s]\nk=1\nk=2\n", b"[s]\nk=2\nk=2\n"),
        (b"[s]\na=b\n\n[t]\n", b"[s]\na=b\nk=2\n\n[t]\n"),
        (b"[s]\n\n[t]\n[s]\n", b"[s]\nk=2\n\n[t]\n[s]\n"),
        (b"[s]\n#k=1\n;k=1\n=1", b"[s]\n#k=1\n;k=1\n=1\nk=2"),
        (b"k=1\n[s]", b"k=1\n[s]\nk=2"),
    ],
)
def test_a_value_is_set_where_it_stands_or_behind_its_section(before: bytes, after: bytes) -> None:
    assert edited(before, {"s": {"k": "2"}}) == after


def test_a_key_that_must_not_be_there_goes_with_its_line() -> None:
    before = b"[s]\na=1\nk=x\nk=y\nb=2"
    assert edited(before, {"s": {"k": None, "c": "3"}}) == b"[s]\na=1\nb=2\nc=3"
    assert ini.edits(before, {"t": {"k": None}}) == ()
    assert ini.removal(before, {"s": {"k": None}}) == ()


def test_a_value_that_was_changed_since_stays_and_so_does_its_section() -> None:
    changed = edited(b"").replace(b"bind_address=fc00::1", b"bind_address=fc00::2")
    assert removed(changed) == b"\n[rtp]\n" + MARK + b"bind_address=fc00::2\n"


def test_a_section_of_ours_in_which_somebody_put_something_stays() -> None:
    ours = edited(b"", {"s": {"k": "1"}})
    assert removed(ours + b"x=y\n", {"s": {"k": "1"}}) == b"[s]\n" + MARK + b"x=y\n"


def test_of_a_key_that_stands_twice_the_last_is_in_force() -> None:
    assert ini.present(b"[s]\nk=1\nk= 2\n[s]\nj=\xff") == {"s": {"k": "2", "j": "\udcff"}}
