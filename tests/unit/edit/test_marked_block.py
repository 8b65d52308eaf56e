"""The block in .mailrc: ours between its marks, everything else somebody else's."""

from __future__ import annotations

import pytest

from dexsetup.edit import EditError, apply_edits, marked_block

BODY = "set v15-compat\nset mta=smtp://localhost:25\n"
BLOCK = b"# BEGIN dexsetup\nset v15-compat\nset mta=smtp://localhost:25\n# END dexsetup"


def edited(data: bytes, body: str = BODY) -> bytes:
    return apply_edits(data, marked_block.edits(data, body))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", BLOCK + b"\n"),
        (b"set ask\n", b"set ask\n" + BLOCK + b"\n"),
        (b"set ask", b"set ask\n" + BLOCK),
        (b"\n", b"\n" + BLOCK + b"\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n" + BLOCK.replace(b"\n", b"\r\n") + b"\r\n"),
        (b"\xff latin", b"\xff latin\n" + BLOCK),
    ],
)
def test_the_block_comes_to_the_end_and_goes_again(before: bytes, after: bytes) -> None:
    """Line ends and a missing last newline are kept both ways."""
    assert edited(before) == after
    assert marked_block.present(after) == BODY
    assert marked_block.edits(after, BODY) == ()
    assert apply_edits(after, marked_block.removal(after)) == before


def test_the_block_is_replaced_where_it_stands() -> None:
    before = b"one\n# BEGIN dexsetup  \nold\nolder\n# END dexsetup\ntwo\n"
    assert edited(before, "new\n") == b"one\n# BEGIN dexsetup\nnew\n# END dexsetup\ntwo\n"
    assert apply_edits(before, marked_block.removal(before)) == b"one\ntwo\n"


def test_an_empty_body_keeps_its_place() -> None:
    assert marked_block.present(edited(b"", "")) == "\n"


def test_a_file_without_a_block_has_none_and_needs_no_removal() -> None:
    assert marked_block.present(b"set ask\n") is None
    assert marked_block.removal(b"set ask\n") == ()


@pytest.mark.parametrize(
    "data",
    [
        b"# BEGIN dexsetup\nx\n",
        b"x\n# END dexsetup\n",
        b"# END dexsetup\n# BEGIN dexsetup\n",
        b"# BEGIN dexsetup\n# END dexsetup\n# BEGIN dexsetup\n# END dexsetup\n",
    ],
)
def test_half_a_block_or_two_are_refused_with_their_lines(data: bytes) -> None:
    with pytest.raises(EditError, match=r"do not make one block \(lines [0-9, ]+\)"):
        marked_block.edits(data, BODY)
    with pytest.raises(EditError, match="do not make one block"):
        marked_block.removal(data)


def test_a_last_line_that_goes_on_is_refused() -> None:
    """The first line of the block would become part of somebody's command."""
    with pytest.raises(EditError, match="ends with a backslash"):
        marked_block.edits(b"set a=b \\\n", BODY)


@pytest.mark.parametrize("body", ["a\r\nb", "# END dexsetup", "x\n# BEGIN dexsetup \n"])
def test_a_body_that_would_break_the_block_is_a_fault_of_the_caller(body: str) -> None:
    with pytest.raises(ValueError, match="carriage return or one of the marks"):
        marked_block.edits(b"", body)
