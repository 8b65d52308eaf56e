"""`.pinerc`: lines of `key=value` with continuation lines and lists (protocol notes 10 §3.1).

Rules:

- A variable is its `key=` line and the lines behind it that begin with a space or tab. Of several, the
  program uses the last one.
- A value is set where its first line stands, and later lines of the same key go. A list gets items added
  behind those it has, in the last variable of the key; each item on a line of its own, as the program does.
- What is missing comes to the end of the file, below a comment that says who put it there.
- Taking out what was put in gives the original bytes back: a line with our comment above goes, in any
  other line only the value goes. Values that somebody has changed since stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dexsetup.edit._lines import LineFile, encoded
from dexsetup.edit.spans import Edit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["edits", "items", "present", "removal"]

_MARK: Final = b"# set by dexsetup:"


@dataclass(frozen=True, slots=True)
class _Variable:
    """One occurrence of a key: its lines, and where its value is."""

    key: bytes
    first: int
    last: int
    value_start: int
    value_end: int


def edits(data: bytes, wanted: Mapping[str, str], lists: Collection[str] = ()) -> tuple[Edit, ...]:
    """Return what it takes for the keys to have these values; nothing if they do.

    For a key in `lists`, the value names items, separated by commas, that the list must hold among others.
    """
    file = LineFile(data)
    variables = tuple(_variables(file))
    changes: list[Edit] = []
    missing: list[bytes] = []
    for key, text in wanted.items():
        value = encoded(text)
        found = [variable for variable in variables if variable.key == encoded(key)]
        if not found:
            shown = (b"," + file.newline + b"\t").join(_items(value)) if key in lists else value
            missing += (_MARK, encoded(key) + b"=" + shown)
        elif key in lists:
            changes += _additions(file, found[-1], _items(value))
        else:
            if _joined(file, found[0]) != value:
                is_empty = not _raw(file, found[0]).strip()
                end = found[0].value_start if is_empty else found[0].value_end
                changes.append(Edit(found[0].value_start, end, value))
            for duplicate in found[1:]:
                changes += file.remove(range(duplicate.first, duplicate.last + 1))
    if missing:
        changes.append(file.insert_behind(-1, missing))
    return tuple(changes)


def removal(data: bytes, wanted: Mapping[str, str], lists: Collection[str] = ()) -> tuple[Edit, ...]:
    """Return what it takes for these values to be gone; others under the same keys stay."""
    file = LineFile(data)
    variables = tuple(_variables(file))
    changes: list[Edit] = []
    gone: set[int] = set()
    for key, text in wanted.items():
        value = encoded(text)
        found = [variable for variable in variables if variable.key == encoded(key)]
        if not found:
            continue
        last = found[-1]
        is_ours = last.first > 0 and file.content(last.first - 1) == _MARK
        is_whole = set(_items(_joined(file, last))) <= set(_items(value))
        if key not in lists:
            is_whole = _joined(file, last) == value
        if is_ours and is_whole:
            gone.update(range(last.first - 1, last.last + 1))
        elif key in lists:
            changes += _subtractions(file, last, _items(value))
        elif is_whole:
            raw = _raw(file, last)
            start = last.value_start + len(raw) - len(raw.lstrip())
            changes.append(Edit(start, start + len(raw.strip()), b""))
    return (*(edit for edit in changes if edit.start < edit.end), *file.remove(gone))


def present(data: bytes) -> dict[str, str]:
    """Return the value of every key that is in force, continuation lines joined."""
    file = LineFile(data)
    return {
        variable.key.decode("utf-8", "surrogateescape"): _joined(file, variable).decode(
            "utf-8", "surrogateescape"
        )
        for variable in _variables(file)
    }


def items(value: str) -> tuple[str, ...]:
    """Return the items of a list value."""
    return tuple(
        item.decode("utf-8", "surrogateescape") for item in _items(value.encode("utf-8", "surrogateescape"))
    )


def _variables(file: LineFile) -> Iterator[_Variable]:
    index = 0
    while index < len(file.lines):
        first = index
        content = file.content(first)
        index += 1
        key, equals, _ = content.partition(b"=")
        if not equals or not key.strip() or content[:1] in b"# \t":
            continue
        while index < len(file.lines) and file.content(index)[:1] in (b" ", b"\t"):
            index += 1
        start = file.lines[first].start + len(key) + 1
        yield _Variable(key.strip(), first, index - 1, start, file.lines[index - 1].content_end)


def _raw(file: LineFile, variable: _Variable) -> bytes:
    return file.data[variable.value_start : variable.value_end]


def _joined(file: LineFile, variable: _Variable) -> bytes:
    return b"".join(line.strip() for line in _raw(file, variable).split(b"\n"))


def _items(value: bytes) -> tuple[bytes, ...]:
    return tuple(item for part in value.split(b",") if (item := part.strip()))


def _additions(file: LineFile, variable: _Variable, wanted: Collection[bytes]) -> list[Edit]:
    """Put the items that are missing at the end of a list, with a comma at the end if it had one there."""
    raw = _raw(file, variable)
    has = _items(raw)
    missing = [item for item in wanted if item not in has]
    if not missing:
        return []
    lead = file.newline + b"\t"
    if not raw.strip():
        text = (b"," + lead).join(missing)
    elif raw.rstrip().endswith(b","):
        text = b"".join(lead + item + b"," for item in missing)
    else:
        text = b"".join(b"," + lead + item for item in missing)
    return [Edit(variable.value_end, variable.value_end, text)]


def _subtractions(file: LineFile, variable: _Variable, unwanted: Collection[bytes]) -> list[Edit]:
    """Take items out of a list, each with the comma behind it, or the one before it at the end."""
    changes: list[Edit] = []
    parts = _raw(file, variable).split(b",")
    starts = [variable.value_start]
    for part in parts:
        starts.append(starts[-1] + len(part) + 1)
    index = 0
    while index < len(parts):
        first = index
        while index < len(parts) and parts[index].strip() in unwanted:
            index += 1
        if index == first:
            index += 1
            continue
        start, end = starts[first], starts[index]
        blank = parts[first][: len(parts[first]) - len(parts[first].lstrip())]
        if index < len(parts):
            start += max(0, blank.rfind(file.newline))  # only the line that the item stands on
        else:
            start, end = (start + len(blank) if first == 0 else start - 1), end - 1
        changes.append(Edit(start, end, b""))
    return changes
