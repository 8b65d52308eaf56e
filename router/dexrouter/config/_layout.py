"""Putting members into a dictionary or list of a file and taking them out again, as spans.

The law that shapes it: taking out what was put in gives the original bytes back, although nothing is
remembered in between. So for each original there is one place and one form, and no two originals lead to
the same result:

- If the closing bracket stands first on its line, new members become lines of their own in front of that
  line. Otherwise each follows what stands last before the bracket, with one space in front.
- If the last member has no comma, it gets one, directly behind its value; the new last one has none.
  If it has a comma already (older files allow that), the new last one ends with a comma, too.
- A dictionary or list that had to be made for its first member begins with a comment. It goes together
  with its last member, unless somebody has put something else into it.

Taking a member out takes its own comma along; if no member is left behind it and it had no comma, the
comma of the member before it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dexrouter.config.jsonc import Object
from dexrouter.config.lexer import Kind, Lexer
from dexrouter.config.spans import Edit
from dexrouter.config.writing import write_inline, write_lines, write_string

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dexrouter.config.jsonc import Array, Document, Value
    from dexrouter.config.writing import Plain

__all__ = ["Site", "replacement"]

_BLANK: Final = b" \t\r"
_WHITE: Final = b" \t\r\n"
_MARK: Final = "/* made for what is in it, goes with the last of it */"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How new members are written."""

    on_lines: bool
    indent: str = ""
    step: str = "    "
    newline: str = "\n"

    def text(self, value: Plain) -> str:
        return (
            write_lines(value, self.indent, self.step, self.newline) if self.on_lines else write_inline(value)
        )

    def made(self, keys: Sequence[str], value: Plain) -> str:
        """Write `value` below keys that do not exist yet, each of their dictionaries with the mark."""
        head = f"{write_string(keys[0])}: "
        if len(keys) > 1:
            return head + self._marked("{", self._inner().made(keys[1:], value), "}")
        return head + self.text(value)

    def made_list(self, key: str, item: Plain) -> str:
        """Write a list that does not exist yet, with the mark and its first item."""
        return f"{write_string(key)}: " + self._marked("[", write_inline(item), "]")

    def _inner(self) -> _Layout:
        return _Layout(self.on_lines, self.indent + self.step, self.step, self.newline)

    def _marked(self, opening: str, content: str, closing: str) -> str:
        if not self.on_lines:
            return f"{opening} {_MARK} {content} {closing}"
        inner = self.newline + self.indent + self.step
        return f"{opening} {_MARK}{inner}{content}{self.newline}{self.indent}{closing}"


class Site:
    """One dictionary or list of a document, as a place to put members into and take them out of."""

    def __init__(self, document: Document, node: Object | Array) -> None:
        self._data = document.data
        self._lexer = Lexer(document.data, document.dialect, document.source)
        self._node = node
        self._parts = node.members if isinstance(node, Object) else node.items
        self._close = node.end - 1
        self._line = self._data.rfind(b"\n", 0, self._close) + 1
        blank_line = not self._data[self._line : self._close].strip(_BLANK)
        self._on_lines = blank_line and self._line > node.start

    def insert_members(self, members: Mapping[str, Plain]) -> tuple[Edit, ...]:
        """Put entries into a dictionary, behind its last one."""
        layout = self._layout()
        return self._insert([f"{write_string(key)}: {layout.text(value)}" for key, value in members.items()])

    def insert_items(self, items: Sequence[Plain]) -> tuple[Edit, ...]:
        """Put items into a list, behind its last one; dictionaries stay on one line each."""
        return self._insert([write_inline(item) for item in items])

    def insert_made(self, keys: Sequence[str], value: Plain) -> tuple[Edit, ...]:
        """Put a value below keys of which not even the first exists."""
        return self._insert([self._layout().made(keys, value)])

    def insert_made_list(self, key: str, item: Plain) -> tuple[Edit, ...]:
        """Put a list with one item below a key that does not exist."""
        return self._insert([self._layout().made_list(key, item)])

    def remove(self, indexes: Collection[int]) -> tuple[Edit, ...]:
        """Take members out."""
        edits: list[Edit] = []
        for index in indexes:
            edits += self._removal(index)
        kept = [index for index in range(len(self._parts)) if index not in indexes]
        ends_removed = len(self._parts) - 1 in indexes
        if ends_removed and kept and self._comma_after(len(self._parts) - 1) is None:
            comma = self._comma_after(kept[-1])
            edits += [Edit(comma, comma + 1, b"")] if comma is not None else []
        return tuple(edits)

    def is_made(self) -> bool:
        """Whether it was made for its members (of which there is one) and holds nothing else but them."""
        before = self._data[self._node.start + 1 : self._parts[0].start].strip(_WHITE)
        after = self._data[self._parts[-1].end : self._close].strip(_WHITE)
        return before == _MARK.encode() and not after

    def _insert(self, bodies: Sequence[str]) -> tuple[Edit, ...]:
        edits: list[Edit] = []
        layout = self._layout()
        ending = ""
        if self._parts:
            if self._comma_after(len(self._parts) - 1) is None:
                end = self._parts[-1].end
                edits.append(Edit(end, end, b","))
            else:
                ending = ","
        if self._on_lines:
            lines = f",{layout.newline}".join(layout.indent + body for body in bodies)
            text, position = lines + ending + layout.newline, self._line
        else:
            position = len(self._data[: self._close].rstrip(_WHITE))
            text = " " + ", ".join(bodies) + ending
        return (*edits, Edit(position, position, text.encode("utf-8", "surrogateescape")))

    def _layout(self) -> _Layout:
        if not self._on_lines:
            return _Layout(on_lines=False)
        closing = self._data[self._line : self._close].strip(b"\r").decode()
        step = "\t" if "\t" in closing else "    "
        indent = closing + step
        if self._parts:
            line = self._data.rfind(b"\n", 0, self._parts[-1].start) + 1
            before = self._data[line : self._parts[-1].start]
            if line > self._node.start and not before.strip(b" \t"):
                indent = before.decode()
                step = "\t" if "\t" in indent else step
        newline = "\r\n" if self._data[: self._line].endswith(b"\r\n") else "\n"
        return _Layout(True, indent, step, newline)

    def _comma_after(self, index: int) -> int | None:
        """Return the offset of the first comma between a member and the next, or the closing bracket."""
        last = index == len(self._parts) - 1
        limit = self._close if last else self._parts[index + 1].start
        token = self._lexer.next(self._parts[index].end)
        while token.start < limit:
            if token.kind is Kind.PUNCTUATION and token.text == b",":
                return token.start
            token = self._lexer.next(token.end)
        return None

    def _removal(self, index: int) -> list[Edit]:
        """Take out one member with its own comma, and with its line if nothing else stands on that."""
        data, edits = self._data, []
        start, end = self._parts[index].start, self._parts[index].end
        comma = self._comma_after(index)
        if comma is not None:
            if data[end:comma].strip(b" \t"):
                edits.append(Edit(comma, comma + 1, b""))
            else:
                end = comma + 1
        line = data.rfind(b"\n", 0, start) + 1
        line_end = data.find(b"\n", end) + 1
        alone = line_end and not data[end:line_end].strip(_WHITE) and not data[line:start].strip(_BLANK)
        if alone and line > self._node.start:
            return [Edit(line, line_end, b""), *edits]
        return [Edit(start - (data[start - 1 : start] == b" "), end, b""), *edits]


def replacement(data: bytes, value: Value, new: Plain) -> Edit:
    """Write another value in the place of one, over several lines if the old one had them."""
    old = data[value.start : value.end]
    if b"\n" not in old:
        text = write_inline(new)
    else:
        line = data[data.rfind(b"\n", 0, value.start) + 1 : value.start]
        indent = line[: len(line) - len(line.lstrip(b" \t"))].decode()
        newline = "\r\n" if b"\r\n" in old else "\n"
        text = write_lines(new, indent, "\t" if "\t" in indent else "    ", newline)
    return Edit(value.start, value.end, text.encode("utf-8", "surrogateescape"))
