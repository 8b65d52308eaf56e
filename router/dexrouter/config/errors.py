"""What can be wrong with a `cjdroute.conf`, and where.

    ConfigError          one problem at one place
    └── ConfigErrors     several, all found in one reading

A message names the place as compilers do, then what was found, then what to do:
`cjdroute.conf:5:9: expected "," but found "{". Put a comma behind the entry before it.`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_SOURCE", "ConfigError", "ConfigErrors", "place_of"]

DEFAULT_SOURCE: Final = "cjdroute.conf"
"""The name of the file in messages when the caller does not know a better one."""


class ConfigError(Exception):
    """One problem of a configuration; a person can read it and mend the file.

    `line` and `column` count from 1, columns in characters; both are 0 when the problem has no place
    (something is missing altogether). `path` is the key, as in `interfaces.UDPInterface[0].bind`.
    """

    def __init__(
        self,
        what: str,
        line: int = 0,
        column: int = 0,
        hint: str = "",
        *,
        path: str = "",
        source: str = DEFAULT_SOURCE,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.column = column
        self.hint = hint
        self.path = path
        self.source = source

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """Every single problem: here, this one."""
        return (self,)

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        key = f" {self.path}:" if self.path else ""
        text = f"{place}:{key} {self.what}"
        return f"{text}. {self.hint}" if self.hint else text


class ConfigErrors(ConfigError):  # noqa: N818 - the plural of ConfigError, which is what it holds
    """All problems of one reading, in the order of the file; its place is that of the first."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        first = problems[0]
        super().__init__(
            first.what, first.line, first.column, first.hint, path=first.path, source=first.source
        )
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """Every single problem."""
        return self._problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self._problems)


def place_of(data: bytes, offset: int) -> tuple[int, int]:
    """Return line and column (both from 1) of a byte offset; columns count characters, not bytes."""
    line_start = data.rfind(b"\n", 0, offset) + 1
    line = data.count(b"\n", 0, offset) + 1
    return line, len(data[line_start:offset].decode("utf-8", "replace")) + 1
