"""The table of admin functions: names, arguments, and who may call them (spec 07 §3).

One small function per call, registered where it stands:

    @TABLE.function("AuthorizedPasswords_remove", user=TEXT_REQUIRED)
    def remove(call: Call) -> Reply:

Its arguments have been checked when it runs. It returns the reply, or None if the reply comes later; to
refuse it raises `CallError` with the exact text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from dexrouter.admin.edge import Edge
from dexrouter.admin.message import Arguments, Reply
from dexrouter.wire.bencode import Bencoded

if TYPE_CHECKING:
    from dexrouter.admin.context import Context

__all__ = [
    "INT",
    "INT_REQUIRED",
    "INT_UNLISTED",
    "LIST_REQUIRED",
    "OK",
    "TEXT",
    "TEXT_REQUIRED",
    "Argument",
    "Call",
    "CallError",
    "Caller",
    "Function",
    "Handler",
    "Source",
    "Table",
    "check_arguments",
    "one_page",
    "present",
]

Source: TypeAlias = tuple[str | int, ...]
"""Where a request came from: whatever the edge gave, compared and handed back, never looked into."""

_T = TypeVar("_T")

_NO_TEXT: Final = "\N{REPLACEMENT CHARACTER}"
"""In place of zero bytes: the system's calls take none in a name."""


class CallError(Exception):
    """The call is refused; the text becomes `error` of the reply, `more` the rest of it."""

    def __init__(self, text: str, **more: int | str) -> None:
        super().__init__(text)
        self.reply: Reply = {"error": text, **more}


class Kind(StrEnum):
    """Type of an argument, as `Admin_availableFunctions` names it."""

    INT = "Int"
    STRING = "String"
    LIST = "List"
    DICT = "Dict"

    def holds(self, value: Bencoded | None) -> bool:
        """Whether a value is of this type."""
        return isinstance(value, _TYPES[self])


_TYPES: Final = {Kind.INT: int, Kind.STRING: bytes, Kind.LIST: list, Kind.DICT: dict}


@dataclass(frozen=True, slots=True)
class Argument:
    """Type of an argument, and whether the call is refused without it."""

    kind: Kind
    is_required: bool = False
    is_listed: bool = True
    """Whether the list of functions names it. Old tools assign arguments by their place in that list, so what
    came with later versions is taken and not named."""


OK: Final[Reply] = {"error": "none"}
"""What most calls reply when they have done what they do."""

INT: Final = Argument(Kind.INT)
INT_UNLISTED: Final = Argument(Kind.INT, is_listed=False)
INT_REQUIRED: Final = Argument(Kind.INT, is_required=True)
TEXT: Final = Argument(Kind.STRING)
TEXT_REQUIRED: Final = Argument(Kind.STRING, is_required=True)
LIST_REQUIRED: Final = Argument(Kind.LIST, is_required=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, so that answers find back."""

    source: Source
    txid: bytes | None


@dataclass(frozen=True, slots=True)
class Call:
    """One call whose arguments have been checked."""

    context: Context
    caller: Caller
    arguments: Arguments
    now: float
    """Monotonic seconds."""
    wall_ms: int
    """Unix time in milliseconds."""

    def integer(self, name: str, default: int = 0) -> int:
        """Give an argument of type Int."""
        value = self.arguments.get(name.encode())
        return value if isinstance(value, int) else default

    def optional_integer(self, name: str) -> int | None:
        """Give an argument of type Int, None if it is absent."""
        value = self.arguments.get(name.encode())
        return value if isinstance(value, int) else None

    def raw(self, name: str) -> bytes | None:
        """Give an argument of type String as the bytes that came, None if it is absent."""
        value = self.arguments.get(name.encode())
        return value if isinstance(value, bytes) else None

    def text(self, name: str) -> str:
        """Give an argument of type String, empty if it is absent; what is not ASCII text fits no parser."""
        return (self.raw(name) or b"").decode("ascii", "replace").replace("\0", _NO_TEXT)

    def strings(self, name: str) -> list[str]:
        """Give the strings of an argument of type List."""
        value = self.arguments.get(name.encode())
        items = value if isinstance(value, list) else []
        texts = (item.decode("utf-8", "replace") for item in items if isinstance(item, bytes))
        return [text.replace("\0", _NO_TEXT) for text in texts]


Handler: TypeAlias = Callable[[Call], Reply | None]


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the table."""

    name: str
    handler: Handler
    arguments: dict[str, Argument]
    is_open: bool
    """Whether it may be called without authentication."""
    needs: str
    """Name of the part of the edge that must exist, or empty."""

    def exists_with(self, edge: Edge) -> bool:
        """Whether the edge has what the function needs."""
        return not self.needs or getattr(edge, self.needs) is not None

    def describe(self) -> dict[str, dict[str, int | str]]:
        """Describe the arguments as `Admin_availableFunctions` does."""
        return {
            name: {"required": int(argument.is_required), "type": argument.kind.value}
            for name, argument in self.arguments.items()
            if argument.is_listed
        }


@dataclass(slots=True)
class Table:
    """Some functions, in the order in which they are listed."""

    rows: list[Function] = field(default_factory=list)

    def __iter__(self) -> Iterator[Function]:
        return iter(self.rows)

    def function(
        self, name: str, *, is_open: bool = False, needs: str = "", **arguments: Argument
    ) -> Callable[[Handler], Handler]:
        """Register a function under its API name."""

        def register(handler: Handler) -> Handler:
            self.rows.append(Function(name, handler, arguments, is_open, needs))
            return handler

        return register


def check_arguments(function: Function, given: Arguments) -> Arguments:
    """Keep the arguments that the function knows, of the right type. Raises CallError (spec 07 §3)."""
    kept: Arguments = {}
    for name, argument in function.arguments.items():
        value = given.get(name.encode())
        if value is not None and argument.kind.holds(value):
            kept[name.encode()] = value
        elif argument.is_required:
            raise CallError(f"Entry [{name}] is required and must be of type [{argument.kind}]")
    return kept


def one_page(items: Sequence[_T], page: int, size: int) -> tuple[Sequence[_T], bool]:
    """Cut out a page, and say whether more follow; a page that does not exist is empty (spec 07 §6)."""
    if page < 0 or page * size >= len(items):
        return (), False
    return items[page * size : (page + 1) * size], (page + 1) * size < len(items)


def present(part: _T | None) -> _T:
    """Give a part of the edge that a registered function can rely on."""
    if part is None:
        raise RuntimeError("a function was registered for an edge that has not what it needs")
    return part
