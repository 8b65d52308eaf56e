"""alpine's `.addressbook`: one entry a person, its fields between tabs (alpine 2.26).

    nickname TAB full name TAB address TAB file-copy TAB comment

Rules:

- An entry is a line and the lines behind it that begin with a space or tab.
- Ours are those whose comment is the mark. Only they are changed or taken out; somebody's own entry keeps its
  nickname, and ours of that name is left out.
- A new entry comes before the first one whose full name sorts behind it, as alpine orders them.
- Taking out what was put in gives the original bytes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dexsetup.edit._lines import LineFile, encoded
from dexsetup.edit.spans import Edit, apply_edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Entry", "nicknames", "with_entries"]

_MARK: Final = b"dexsetup"
_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """Name and address of somebody; the nickname is the key that they are kept under."""

    full_name: str
    address: str


@dataclass(frozen=True, slots=True)
class _Found:
    first: int
    last: int
    fields: tuple[bytes, ...]

    @property
    def is_ours(self) -> bool:
        return len(self.fields) == _FIELDS and self.fields[-1].strip() == _MARK

    @property
    def nickname(self) -> bytes:
        return self.fields[0].strip().lower()


def with_entries(data: bytes, wanted: Mapping[str, Entry]) -> bytes:
    """Return the file with these entries as ours, by nickname."""
    file = LineFile(data)
    lines = {encoded(nickname).lower(): _line(nickname, entry) for nickname, entry in wanted.items()}
    gone: set[int] = set()
    changes: list[Edit] = []
    for entry in _entries(file):
        line = lines.pop(entry.nickname, None)
        start, end = file.lines[entry.first].start, file.lines[entry.last].content_end
        if entry.is_ours and line is None:
            gone.update(range(entry.first, entry.last + 1))
        elif entry.is_ours and line is not None and data[start:end] != line:
            changes.append(Edit(start, end, line))
    rest = apply_edits(data, (*changes, *file.remove(gone)))
    return apply_edits(rest, _additions(LineFile(rest), list(lines.values())))


def nicknames(data: bytes) -> frozenset[str]:
    """Return the nicknames, in small letters, of the entries that are not ours."""
    found = _entries(LineFile(data))
    return frozenset(entry.nickname.decode("utf-8", "replace") for entry in found if not entry.is_ours)


def _entries(file: LineFile) -> Iterator[_Found]:
    index = 0
    while index < len(file.lines):
        first = index
        index += 1
        if not file.content(first).strip() or file.content(first)[:1] in b" \t#":
            continue
        while index < len(file.lines) and file.content(index)[:1] in (b" ", b"\t"):
            index += 1
        joined = b" ".join(file.content(line).strip(b" ") for line in range(first, index))
        yield _Found(first, index - 1, tuple(joined.split(b"\t")))


def _line(nickname: str, entry: Entry) -> bytes:
    texts = (nickname, entry.full_name, entry.address)
    if any("\t" in text for text in texts):
        raise ValueError("a field of an address book cannot hold a tab")
    return b"\t".join((*(encoded(text) for text in texts), b"", _MARK))


def _sort_key(fields: tuple[bytes, ...]) -> bytes:
    return fields[1].strip(b' "').lower() if len(fields) > 1 else b""


def _additions(file: LineFile, lines: list[bytes]) -> list[Edit]:
    """Put each line where it belongs; several at one place go there together."""
    found = tuple(_entries(file))
    places: dict[int, list[bytes]] = {}
    for key, line in sorted((_sort_key(tuple(line.split(b"\t"))), line) for line in lines):
        behind = next((entry.first for entry in found if _sort_key(entry.fields) > key), len(file.lines))
        places.setdefault(behind, []).append(line)
    return [
        Edit(0, 0, b"".join(text + file.newline for text in texts))
        if place == 0 and file.lines
        else file.insert_behind(place - 1, texts)
        for place, texts in places.items()
    ]
