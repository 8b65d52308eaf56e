"""One block of our own in a file that is somebody else's: `.mailrc` (protocol notes 10 §2), baresip's files.

The block stands between two comment lines and is the only part that is ever looked at or changed. It is
replaced where it stands, and put at the end of a file that has none; at its beginning where the program
takes the first of several values.
"""

from __future__ import annotations

from dexsetup.edit._lines import LineFile
from dexsetup.edit.spans import Edit, EditError

__all__ = ["BEGIN", "END", "edits", "present", "removal"]

BEGIN = "# BEGIN dexsetup"
END = "# END dexsetup"


def edits(data: bytes, body: str, *, is_first: bool = False) -> tuple[Edit, ...]:
    """Return what it takes for the block to hold `body`; nothing if it does already.

    `is_first`: a new block goes to the beginning of the file. EditError if there is half a block or more than
    one, or if a new block would follow a line that goes on.
    """
    lines = body.removesuffix("\n").split("\n")
    if any("\r" in line or line.rstrip() in (BEGIN, END) for line in lines):
        raise ValueError("the text for a marked block holds a carriage return or one of the marks")
    block = [line.encode("utf-8", "surrogateescape") for line in (BEGIN, *lines, END)]
    file = LineFile(data)
    found = _find(file)
    if found is None and is_first:
        return (Edit(0, 0, b"".join(line + file.newline for line in block)),)
    if found is None:
        if file.lines and file.content(-1).endswith(b"\\"):
            raise EditError(
                "the last line ends with a backslash, so anything added would become part of it",
                advice="Finish that line, then try again",
            )
        return (file.insert_behind(-1, block),)
    first, last = found
    if [file.content(index) for index in range(first, last + 1)] == block:
        return ()
    return (Edit(file.lines[first].start, file.lines[last].content_end, file.newline.join(block)),)


def removal(data: bytes) -> tuple[Edit, ...]:
    """Return what it takes for the block to be gone."""
    file = LineFile(data)
    found = _find(file)
    return tuple(file.remove(range(found[0], found[1] + 1))) if found is not None else ()


def present(data: bytes) -> str | None:
    """Return the text of the block with a newline behind each line; None if there is no block."""
    file = LineFile(data)
    found = _find(file)
    if found is None:
        return None
    lines = (file.content(index) + b"\n" for index in range(found[0] + 1, found[1]))
    return b"".join(lines).decode("utf-8", "surrogateescape")


def _find(file: LineFile) -> tuple[int, int] | None:
    marks = [file.content(index).rstrip() for index in range(len(file.lines))]
    begins = [index for index, mark in enumerate(marks) if mark == BEGIN.encode()]
    ends = [index for index, mark in enumerate(marks) if mark == END.encode()]
    if not begins and not ends:
        return None
    if len(begins) == len(ends) == 1 and begins[0] < ends[0]:
        return begins[0], ends[0]
    lines = ", ".join(str(index + 1) for index in sorted(begins + ends))
    raise EditError(
        f'the marks "{BEGIN}" and "{END}" do not make one block (lines {lines})',
        advice="Take out all of them but one pair, then try again",
    )
