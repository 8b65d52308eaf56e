"""`.linphonerc`: sections in brackets and lines of `key=value` (protocol notes 10 §4.2).

Rules:

- A value is set where its line stands; if a key stands there twice, on both lines.
- A new key comes behind the last line of its section, a new section to the end of the file, below a
  comment that says who made it (the program keeps comments).
- Taking out what was put in gives the original bytes back: lines that hold our value go, and a section that
  we made goes when nothing else is in it. Values that somebody has changed since stay. What a line held
  before it was set cannot be known from the file; callers keep the bytes from before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from dexsetup.edit._lines import LineFile, encoded
from dexsetup.edit.spans import Edit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "edits", "present", "removal"]

Settings: TypeAlias = "Mapping[str, Mapping[str, str | None]]"
"""Values by section and key; None means that the key must not be there."""

_MARK: Final = b"# section made by dexsetup"


class _Ini(LineFile):
    """A file with the section and key of each line."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.headers: list[tuple[int, bytes]] = []
        """The line and the name of each section."""
        self.keys: list[tuple[int, bytes, bytes]] = []
        """The line, the section and the key of each value."""
        section: bytes | None = None
        for index in range(len(self.lines)):
            content = self.content(index).strip()
            if content.startswith(b"[") and b"]" in content:
                section = content[1 : content.index(b"]")].strip()
                self.headers.append((index, section))
            elif section is not None and b"=" in content and content[:1] not in (b"#", b";", b"="):
                self.keys.append((index, section, content.partition(b"=")[0].strip()))

    def lines_of(self, section: bytes, key: bytes) -> list[int]:
        return [index for index, *names in self.keys if names == [section, key]]

    def value_span(self, index: int) -> tuple[int, int]:
        line = self.lines[index]
        return self.data.index(b"=", line.start) + 1, line.content_end

    def value(self, index: int) -> bytes:
        start, end = self.value_span(index)
        return self.data[start:end].strip()

    def last_line(self, section: bytes) -> int | None:
        """Return the last line of a section that is not blank; of several sections of a name, the first's."""
        for position, (header, name) in enumerate(self.headers):
            if name == section:
                following = self.headers[position + 1 : position + 2]
                end = following[0][0] if following else len(self.lines)
                return max(index for index in range(header, end) if not self.is_blank(index))
        return None


def edits(data: bytes, wanted: Settings) -> tuple[Edit, ...]:
    """Return what it takes for the keys to have these values; nothing if they do."""
    file = _Ini(data)
    changes: list[Edit] = []
    new_sections: list[bytes] = []
    for section, settings in wanted.items():
        new_keys: list[bytes] = []
        for key, text in settings.items():
            found = file.lines_of(encoded(section), encoded(key))
            if text is None:
                changes += file.remove(found)
                continue
            value = encoded(text)
            changes += [Edit(*file.value_span(line), value) for line in found if file.value(line) != value]
            if not found:
                new_keys.append(encoded(key) + b"=" + value)
        last = file.last_line(encoded(section))
        if new_keys and last is not None:
            changes.append(file.insert_behind(last, new_keys))
        elif new_keys:
            blank = [b""] if file.lines or new_sections else []
            new_sections += (*blank, b"[" + encoded(section) + b"]", _MARK, *new_keys)
    if new_sections:
        changes.append(file.insert_behind(-1, new_sections))
    return tuple(changes)


def removal(data: bytes, wanted: Settings) -> tuple[Edit, ...]:
    """Return what it takes for these values to be gone; others under the same keys stay."""
    file = _Ini(data)
    gone: set[int] = set()
    for section, settings in wanted.items():
        for key, text in settings.items():
            found = file.lines_of(_as_read(section), _as_read(key))
            if text is not None:
                gone.update(line for line in found if file.value(line) == _as_read(text))
    for position, (header, _) in enumerate(file.headers):
        following = file.headers[position + 1 : position + 2]
        end = following[0][0] if following else len(file.lines)
        rest = [line for line in range(header + 1, end) if line not in gone and not file.is_blank(line)]
        if len(rest) == 1 and rest[0] == header + 1 and file.content(rest[0]) == _MARK:
            gone.update((header, header + 1))
            if header > 0 and file.is_blank(header - 1):
                gone.add(header - 1)
    return tuple(file.remove(gone))


def present(data: bytes) -> dict[str, dict[str, str]]:
    """Return all values by section and key; of a key that stands there twice, the last."""
    file = _Ini(data)
    found: dict[str, dict[str, str]] = {}
    for index, section, key in file.keys:
        values = found.setdefault(section.decode("utf-8", "surrogateescape"), {})
        values[key.decode("utf-8", "surrogateescape")] = file.value(index).decode("utf-8", "surrogateescape")
    return found


def _as_read(text: str) -> bytes:
    """Give the bytes that `present` has read; they are looked for, not written, and may be any."""
    return text.encode("utf-8", "surrogateescape")
