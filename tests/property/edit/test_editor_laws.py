"""Laws of the editors of other programs' files: what was put in comes out, twice is as once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dexsetup.edit import apply_edits, ini, keyline, marked_block

ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b""])
PIECES = [
    *(
        b"",
        b" ",
        b"\t",
        b"\r",
        b"# note",
        b"; note",
        b"[sip]",
        b" [rtp] ",
        b"[",
        b"]",
        b"=",
        b"\\",
        b"\xff\xfe",
    ),
    *(
        b"a=b",
        b"feature-list=",
        b"feature-list=a,b",
        b"feature-list=a,",
        b"\tc,",
        b"\td",
        b" ,",
        b"k=",
        b"k= ",
    ),
    *(b"k=1", b"mine=", b"# set by dexsetup:", b"# section made by dexsetup", b"set x=y"),
]
files = st.lists(st.tuples(st.sampled_from(PIECES), ENDS).map(b"".join), max_size=12).map(b"".join)
values = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=5)


@settings(max_examples=150)
@given(files.filter(lambda data: not data.rstrip(b"\r\n").endswith(b"\\")), st.text("abc =\n", max_size=12))
def test_a_block_comes_and_goes_without_a_trace(data: bytes, body: str) -> None:
    after = apply_edits(data, marked_block.edits(data, body))
    assert marked_block.edits(after, body) == ()
    assert marked_block.present(after) == body.removesuffix("\n") + "\n"
    assert apply_edits(after, marked_block.removal(after)) == data
    other = apply_edits(after, marked_block.edits(after, "other"))
    assert apply_edits(other, marked_block.removal(other)) == data


@settings(max_examples=100)
@given(files, st.text("abc =", min_size=1, max_size=12))
def test_a_block_at_the_beginning_comes_and_goes_without_a_trace(data: bytes, body: str) -> None:
    after = apply_edits(data, marked_block.edits(data, body, is_first=True))
    assert after.startswith(marked_block.BEGIN.encode())
    assert after.endswith(data)
    assert marked_block.edits(after, body, is_first=True) == ()
    assert apply_edits(after, marked_block.removal(after)) == data


@settings(max_examples=250)
@given(files, values, values.filter(lambda value: "," not in value))
def test_settings_of_alpine_come_and_go_without_a_trace(data: bytes, value: str, item: str) -> None:
    """For keys that are missing or empty, and for lists that do not have the item."""
    before = keyline.present(data)
    wanted = {"mine": value, "feature-list": f"{item}-item"}
    after = apply_edits(data, keyline.edits(data, wanted, ["feature-list"]))
    assert keyline.edits(after, wanted, ["feature-list"]) == ()
    assert keyline.present(after)["mine"] == value
    assert f"{item}-item" in keyline.items(keyline.present(after)["feature-list"])
    if data.count(b"mine=") <= 1 and not before.get("mine") and b"# set by dexsetup" not in data:
        assert apply_edits(after, keyline.removal(after, wanted, ["feature-list"])) == data


@settings(max_examples=250)
@given(files, values, values)
def test_settings_of_linphone_come_and_go_without_a_trace(data: bytes, first: str, second: str) -> None:
    """For keys that are missing; sections that were there empty stay."""
    wanted = {"sip": {"x": first, "y": second}, "rtp": {"x": second}, "new": {"z": first}}
    after = apply_edits(data, ini.edits(data, wanted))
    assert ini.edits(after, wanted) == ()
    found = ini.present(after)
    assert all(found[section].items() >= keys.items() for section, keys in wanted.items())
    undone = apply_edits(after, ini.removal(after, wanted))
    if b"# section made" not in data:
        assert undone == data


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    """Whatever a home holds, looking at it does not fail and editing keeps what was there."""
    keyline.present(data)
    ini.present(data)
    after = apply_edits(data, keyline.edits(data, {"k": "v"}))
    assert apply_edits(after, keyline.removal(after, {"k": "v"})) == data or b"k" in data
