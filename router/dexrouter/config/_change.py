"""A change to a document while it is being put together: what is found, what is edited, what must come out.

Places are chains of indexes from the outermost dictionary inwards: `(5, 0, 2)` is the third member of the
first member of the sixth. The change keeps account of the content that it takes away and adds; `edits`
reads the result and compares, so that no edit is returned that does anything else than what was asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from dexrouter.config._layout import Site, replacement
from dexrouter.config.errors import ConfigError
from dexrouter.config.jsonc import Array, Integer, Object, String, bytes_of, parse, text_of
from dexrouter.config.spans import Edit, apply_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dexrouter.config.jsonc import Document, Value
    from dexrouter.config.writing import Plain

__all__ = ["Chain", "Change", "same_value", "text_at"]

Chain: TypeAlias = tuple[int, ...]
_Path: TypeAlias = tuple[bytes, ...]
_Leaves: TypeAlias = "Counter[tuple[_Path, bytes | int]]"


def text_at(node: Object, key: str) -> str | None:
    """Return the text under a key; None if it is absent or no text."""
    value = node.get(key)
    return text_of(value.value) if isinstance(value, String) else None


def same_value(value: Value | None, wanted: Plain) -> bool:
    """Whether a value of the file holds exactly what is wanted."""
    if isinstance(value, String):
        return isinstance(wanted, str) and text_of(value.value) == wanted
    if isinstance(value, Integer):
        return isinstance(wanted, int) and value.value == wanted
    return value is not None and _leaves(value, ()) == _plain_leaves(wanted, ())


class Change:
    """Collects the edits of one change."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._edits: list[Edit] = []
        self._removed: _Leaves = Counter()
        self._added: _Leaves = Counter()

    def node(self, chain: Chain) -> Value:
        """Return the value at a place."""
        node: Value = self.document.root
        for index in chain:
            assert isinstance(node, (Object, Array))  # noqa: S101 - chains lead through containers
            node = node.members[index].value if isinstance(node, Object) else node.items[index]
        return node

    def children(self, chain: Chain, key: str) -> list[tuple[Chain, Object]]:
        """Return the dictionaries of the list under a key, or the one that stands in its place."""
        place = self.child(chain, key)
        if place is None:
            return []
        node = self.node(place)
        if isinstance(node, Object):
            return [(place, node)]
        items = node.items if isinstance(node, Array) else ()
        return [((*place, index), item) for index, item in enumerate(items) if isinstance(item, Object)]

    def child(self, chain: Chain, key: str) -> Chain | None:
        """Return the place of the first entry of a key in the dictionary at `chain`."""
        node = self.node(chain)
        if isinstance(node, Object):
            wanted = bytes_of(key)
            for index, member in enumerate(node.members):
                if member.key.value == wanted:
                    return (*chain, index)
        return None

    def put(self, chain: Chain, keys: Sequence[str], value: Plain) -> None:
        """Give the key at the end of `keys`, read from `chain` inwards, a value; make what is missing."""
        node = self.node(chain)
        if not keys:
            self.replace(chain, value)
        elif not isinstance(node, Object):
            raise self.document.error(
                "expected a dictionary here", node.start, "Mend it by hand first", path=self.path_text(chain)
            )
        elif (place := self.child(chain, keys[0])) is not None:
            self.put(place, keys[1:], value)
        else:
            self._edits += Site(self.document, node).insert_made(keys, value)
            for key in reversed(keys[1:]):
                value = {key: value}
            self._added += _plain_leaves(value, (*self._path(chain), bytes_of(keys[0])))

    def put_members(self, chain: Chain, members: Mapping[str, Plain]) -> None:
        """Give several keys of one dictionary their values."""
        node = self.node(chain)
        assert isinstance(node, Object)  # noqa: S101 - callers looked
        missing: dict[str, Plain] = {}
        for key, value in members.items():
            if (place := self.child(chain, key)) is not None:
                self.replace(place, value)
            else:
                missing[key] = value
        if missing:
            self._edits += Site(self.document, node).insert_members(missing)
            for key, value in missing.items():
                self._added += _plain_leaves(value, (*self._path(chain), bytes_of(key)))

    def append(self, keys: Sequence[str], item: Plain) -> None:
        """Put an item at the end of the list at the end of `keys`; what is missing on the way is made."""
        chain: Chain = ()
        for number, key in enumerate(keys):
            place = self.child(chain, key)
            if place is None:
                self._append_made(chain, keys[number:], item)
                return
            chain = place
        node = self.node(chain)
        if not isinstance(node, Array):
            path = self.path_text(chain)
            raise self.document.error("expected a list here", node.start, "Mend it by hand first", path=path)
        self._edits += Site(self.document, node).insert_items([item])
        self._added += _plain_leaves(item, (*self._path(chain), b"[]"))

    def _append_made(self, chain: Chain, keys: Sequence[str], item: Plain) -> None:
        node = self.node(chain)
        if len(keys) > 1 or not isinstance(node, Object):
            self.put(chain, keys, [item])
            return
        self._edits += Site(self.document, node).insert_made_list(keys[0], item)
        self._added += _plain_leaves([item], (*self._path(chain), bytes_of(keys[0])))

    def replace(self, chain: Chain, value: Plain) -> None:
        """Put another value in the place of one, unless it is the same."""
        old = self.node(chain)
        if same_value(old, value):
            return
        path = self._path(chain)
        self._edits.append(replacement(self.document.data, old, value))
        self._removed += _leaves(old, path)
        self._added += _plain_leaves(value, path)

    def remove(self, chains: Iterable[Chain]) -> None:
        """Take members out, and the dictionaries and lists that were made for them."""
        groups = self._with_made(set(chains))
        for parent, indexes in groups.items():
            node = self.node(parent)
            assert isinstance(node, (Object, Array))  # noqa: S101 - chains lead through containers
            self._edits += Site(self.document, node).remove(indexes)
            for index in indexes:
                self._removed += _leaves(self.node((*parent, index)), self._path((*parent, index)))

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits after reading what they lead to."""
        if not self._edits:
            return ()
        source = self.document.source
        try:
            after = parse(apply_edits(self.document.data, self._edits), source)
        except ConfigError as error:
            raise ConfigError(
                f"the change would make the file unreadable: {error.what}",
                hint="Change it by hand; nothing has been written",
                source=source,
            ) from error
        expected = _leaves(self.document.root, ())
        expected.subtract(self._removed)
        expected.update(self._added)
        if +expected != _leaves(after.root, ()):
            raise ConfigError(
                "the change would touch more than it should, because of something unusual in the file",
                hint="Change it by hand; nothing has been written",
                source=source,
            )
        return tuple(self._edits)

    def path_text(self, chain: Chain) -> str:
        """Return a place as it is shown in messages."""
        text = ""
        for length in range(1, len(chain) + 1):
            parent = self.node(chain[: length - 1])
            if isinstance(parent, Object):
                text += "." + text_of(parent.members[chain[length - 1]].key.value)
            else:
                text += f"[{chain[length - 1]}]"
        return text.removeprefix(".")

    def _path(self, chain: Chain) -> _Path:
        path: list[bytes] = []
        for length in range(1, len(chain) + 1):
            parent = self.node(chain[: length - 1])
            path.append(parent.members[chain[length - 1]].key.value if isinstance(parent, Object) else b"[]")
        return tuple(path)

    def _with_made(self, pending: set[Chain]) -> dict[Chain, set[int]]:
        """Group places by the container that holds them; containers made for just these go instead."""
        while True:
            groups: defaultdict[Chain, set[int]] = defaultdict(set)
            for chain in pending:
                groups[chain[:-1]].add(chain[-1])
            for parent, indexes in groups.items():
                node = self.node(parent)
                assert isinstance(node, (Object, Array))  # noqa: S101 - chains lead through containers
                size = len(node.members if isinstance(node, Object) else node.items)
                if parent and len(indexes) == size and Site(self.document, node).is_made():
                    pending = {chain for chain in pending if chain[:-1] != parent} | {parent}
                    break
            else:
                return groups


def _leaves(value: Value, path: _Path) -> _Leaves:
    """Count everything a value holds, by path; order is not part of it."""
    if isinstance(value, (String, Integer)):
        return Counter({(path, value.value): 1})
    leaves: _Leaves = Counter()
    if isinstance(value, Object):
        leaves[path, b"{}"] += 1
        for member in value.members:
            leaves += _leaves(member.value, (*path, member.key.value))
        return leaves
    leaves[path, b"[]"] += 1
    for item in value.items:
        leaves += _leaves(item, (*path, b"[]"))
    return leaves


def _plain_leaves(value: Plain, path: _Path) -> _Leaves:
    if isinstance(value, str):
        return Counter({(path, bytes_of(value)): 1})
    if isinstance(value, int):
        return Counter({(path, int(value)): 1})
    leaves: _Leaves = Counter()
    if isinstance(value, Mapping):
        leaves[path, b"{}"] += 1
        for key, item in value.items():
            leaves += _plain_leaves(item, (*path, bytes_of(key)))
        return leaves
    leaves[path, b"[]"] += 1
    for item in value:
        leaves += _plain_leaves(item, (*path, b"[]"))
    return leaves
