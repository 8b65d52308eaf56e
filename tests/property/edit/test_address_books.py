"""Laws of the address books of alpine and linphone: ours come and go, everybody else stays byte for byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dexsetup.edit import ini
from dexsetup.edit.addressbook import Entry, nicknames, with_entries
from dexsetup.edit.friends import with_friends

ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b""])
ENTRIES = [
    b"bob\tBob\tbob@example.org",
    b"ann\tAnn A\tann@example.org\t\tdexsetup",
    b"zoe\t\xff\tz@example.org\tfcc\tmine",
    b"list\tA list\t(bob,",
    b"   ann)",
    b"\tmore",
    b"",
    b"#DELETED-26/01/01#x\ty\tz",
]
books = st.lists(st.tuples(st.sampled_from(ENTRIES), ENDS).map(b"".join), max_size=8).map(b"".join)
nicks = st.text("abcnoz", min_size=1, max_size=3)
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8).map(str.strip)
contacts = st.dictionaries(nicks, st.builds(Entry, names, st.just("x@[IPv6:fc00::1]")), max_size=4)


@settings(max_examples=200)
@given(books.filter(lambda data: b"dexsetup" not in data), contacts, contacts)
def test_entries_of_alpine_come_and_go_without_a_trace(
    data: bytes, wanted: dict[str, Entry], others: dict[str, Entry]
) -> None:
    """Whatever stood there stays; ours are exactly those that are wanted and whose nickname was free."""
    taken = nicknames(data)
    free = {nick: entry for nick, entry in wanted.items() if nick not in taken}
    after = with_entries(data, free)
    assert with_entries(after, free) == after
    assert nicknames(after) == taken
    for nick, entry in free.items():
        assert f"{nick}\t{entry.full_name}\t{entry.address}\t\tdexsetup".encode() in after
    rest = {nick: entry for nick, entry in others.items() if nick not in taken}
    assert with_entries(with_entries(after, rest), {}) == with_entries(after, {}) == data


def test_an_entry_stands_where_alpine_would_sort_it() -> None:
    book = b"bob\tBob\tb@x\nzed\tZed\tz@x\n"
    after = with_entries(book, {"jo": Entry("Jo", "j@x"), "al": Entry("al", "a@x")})
    assert [line.split(b"\t")[0] for line in after.splitlines()] == [b"al", b"bob", b"jo", b"zed"]


def test_an_entry_of_somebody_keeps_its_nickname() -> None:
    book = b"Jo\tOther Jo\tjo@example.org\n"
    assert with_entries(book, {"jo": Entry("Jo", "j@x")}) == book
    assert nicknames(book) == {"jo"}


def sections(count: int) -> bytes:
    return b"[sip]\na=b\n" + b"".join(
        b'\n[friend_%d]\nurl="F%d" <sip:f%d@example.org>\npol=accept\n' % (n, n, n) for n in range(count)
    )


friend_sets = st.sets(st.sampled_from(["a", "b", "c", "d"])).map(
    lambda letters: {f"sip:{one}@[fc00::1]": f'"{one}" <sip:{one}@[fc00::1]>' for one in sorted(letters)}
)


@settings(max_examples=100)
@given(st.integers(0, 3), friend_sets, friend_sets)
def test_friends_of_linphone_come_and_go_and_their_numbers_have_no_gap(
    count: int, first: dict[str, str], second: dict[str, str]
) -> None:
    """Linphone stops reading at the first number that is missing."""
    data = sections(count)
    after = with_friends(with_friends(data, first), second)
    assert with_friends(after, second) == after
    found = {name: values["url"] for name, values in ini.present(after).items() if name.startswith("friend_")}
    assert set(found) == {f"friend_{number}" for number in range(count + len(second))}
    assert {url for url in found.values() if "fc00" in url} == set(second.values())
    assert with_friends(after, {}) == data


def test_a_friend_whom_the_person_added_is_neither_doubled_nor_taken_away() -> None:
    theirs = b'[friend_0]\nurl="Mine" <sip:jo@[fc00::1]>\n'
    wanted = {"sip:jo@[fc00::1]": '"Jo" <sip:jo@[fc00::1]>'}
    assert with_friends(theirs, wanted) == with_friends(theirs, {}) == theirs


def test_a_friend_gets_a_new_name_in_its_place() -> None:
    before = with_friends(sections(1), {"sip:jo@[fc00::1]": '"Jo" <sip:jo@[fc00::1]>'})
    after = with_friends(before, {"sip:jo@[fc00::1]": '"Joan" <sip:jo@[fc00::1]>'})
    assert after == before.replace(b'"Jo"', b'"Joan"')
