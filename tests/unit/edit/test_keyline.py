"""Settings in .pinerc: variables over several lines, lists, duplicates."""

from __future__ import annotations

import pytest

from dexsetup.edit import apply_edits, keyline

WANTED = {"user-domain": "[IPv6:fc00::1]", "smtp-server": "localhost", "feature-list": "quell-x"}
LISTS = ("feature-list",)
MARK = b"# set by dexsetup:\n"


def edited(data: bytes, wanted: dict[str, str] | None = None) -> bytes:
    wanted = WANTED if wanted is None else wanted
    after = apply_edits(data, keyline.edits(data, wanted, LISTS))
    assert keyline.edits(after, wanted, LISTS) == ()
    return after


def removed(data: bytes, wanted: dict[str, str] | None = None) -> bytes:
    return apply_edits(data, keyline.removal(data, WANTED if wanted is None else wanted, LISTS))


def test_missing_keys_come_to_the_end_with_a_comment_each() -> None:
    before = b"# my own\npersonal-name=Jo\n"
    after = edited(before)
    assert after == (
        before
        + MARK
        + b"user-domain=[IPv6:fc00::1]\n"
        + MARK
        + b"smtp-server=localhost\n"
        + MARK
        + b"feature-list=quell-x\n"
    )
    assert removed(after) == before
    assert keyline.present(after) == WANTED | {"personal-name": "Jo"}


@pytest.mark.parametrize("before", [b"", b"a=b", b"a=b\r\n", b"\n", b"a=b\r", b"# \xff\n\n"])
def test_the_end_of_the_file_is_kept(before: bytes) -> None:
    assert removed(edited(before)) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"smtp-server=\nx=y\n", b"smtp-server=localhost\nx=y\n"),
        (b"smtp-server=mail.example\n", b"smtp-server=localhost\n"),
        (b"smtp-server=a,\n\tb,\n\tc\nx=y", b"smtp-server=localhost\nx=y"),
        (b"smtp-server=a\r\nx=y\r\nsmtp-server=b\r\n", b"smtp-server=localhost\r\nx=y\r\n"),
        (b"smtp-server=localhost\nsmtp-server=b,\n c\n", b"smtp-server=localhost\n"),
        (
            b"#smtp-server=a\n smtp-server=b\nsmtp-server=c",
            b"#smtp-server=a\n smtp-server=b\nsmtp-server=localhost",
        ),
    ],
)
def test_a_value_is_set_where_it_stands_and_later_ones_go(before: bytes, after: bytes) -> None:
    assert edited(before, {"smtp-server": "localhost"}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"feature-list=\n", b"feature-list=quell-x\n"),
        (b"feature-list=  \n", b"feature-list=  quell-x\n"),
        (b"feature-list=a,b\n", b"feature-list=a,b,\n\tquell-x\n"),
        (b"feature-list=a,\n\tb\nx=y", b"feature-list=a,\n\tb,\n\tquell-x\nx=y"),
        (b"feature-list=a,\r\n\tb,\r\n", b"feature-list=a,\r\n\tb,\r\n\tquell-x,\r\n"),
        (b"feature-list=a,\n \n", b"feature-list=a,\n \n\tquell-x,\n"),
        (b"feature-list=z\nfeature-list=a", b"feature-list=z\nfeature-list=a,\n\tquell-x"),
    ],
)
def test_a_list_gets_one_item_more_and_loses_just_that(before: bytes, after: bytes) -> None:
    wanted = {"feature-list": "quell-x"}
    assert edited(before, wanted) == after
    assert removed(after, wanted) == before


def test_items_that_are_there_are_not_added_again() -> None:
    assert edited(b"feature-list=a, quell-x ,\n\tb\n", {"feature-list": "quell-x"}) == (
        b"feature-list=a, quell-x ,\n\tb\n"
    )
    both = edited(b"feature-list=b\n", {"feature-list": "a,b,c"})
    assert both == b"feature-list=b,\n\ta,\n\tc\n"
    assert removed(both, {"feature-list": "a,c"}) == b"feature-list=b\n"


def test_items_in_the_middle_are_taken_out_with_their_comma() -> None:
    assert removed(b"feature-list=a,b,c,d\n", {"feature-list": "b,d"}) == b"feature-list=a,c\n"
    assert removed(b"feature-list=a,b\n", {"feature-list": "a"}) == b"feature-list=b\n"


def test_a_list_of_ours_to_which_somebody_added_stays_without_our_item() -> None:
    ours = edited(b"", {"feature-list": "quell-x"}).replace(b"quell-x", b"quell-x,theirs")
    assert removed(ours, {"feature-list": "quell-x"}) == MARK + b"feature-list=theirs\n"


def test_several_items_of_a_new_list_stand_on_lines_of_their_own() -> None:
    assert edited(b"", {"feature-list": "a,b"}) == MARK + b"feature-list=a,\n\tb\n"


def test_a_value_that_was_there_before_leaves_an_empty_one_and_a_changed_one_stays() -> None:
    assert removed(b"smtp-server= localhost \n") == b"smtp-server=  \n"
    assert removed(b"smtp-server=mail.example\n") == b"smtp-server=mail.example\n"
    assert removed(MARK + b"smtp-server=mail.example\n") == MARK + b"smtp-server=mail.example\n"


def test_of_duplicates_the_last_is_in_force() -> None:
    assert keyline.present(b"a=1\nb=x,\n\ty\na=2\n") == {"a": "2", "b": "x,y"}
    assert keyline.items("x, y,,") == ("x", "y")


@pytest.mark.parametrize("value", ["a\nb", " a", "a\r", "a\0b"])
def test_a_value_that_a_line_cannot_hold_is_a_fault_of_the_caller(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand on a line"):
        keyline.edits(b"", {"a": value})
