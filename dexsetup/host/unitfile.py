"""Reads systemd unit files with their drop-ins: as much of the format as starting a service by hand needs.

Rules (systemd.syntax, systemd.unit): sections in brackets, Key=Value, lines ending in a backslash go on,
lines that begin with # or ; are comments, an empty assignment empties a list. /etc/systemd/system is looked
at before /run/systemd/system, /usr/local/lib, /usr/lib and /lib; drop-ins are NAME.d/*.conf of all of them,
by file name. An `Alias=` of an enabled unit is a link in /etc/systemd/system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = ["UNIT_DIRECTORIES", "UnitFile", "load_unit"]

UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


@dataclass(slots=True)
class UnitFile:
    """One unit: its assignments by (section, key), in order, drop-ins included."""

    name: str
    path: str
    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def all(self, section: str, key: str) -> tuple[str, ...]:
        """Return every value of a key."""
        return tuple(self.values.get((section, key), ()))

    def words(self, section: str, key: str) -> tuple[str, ...]:
        """Return the words of a key that holds a list of names."""
        return tuple(word for value in self.all(section, key) for word in value.split())

    def last(self, section: str, key: str, default: str = "") -> str:
        """Return the value that counts for a key with one value."""
        values = self.all(section, key)
        return values[-1] if values else default

    def add_text(self, text: str) -> None:
        """Take in the assignments of a unit file or drop-in."""
        section = ""
        for line in _logical_lines(text):
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                continue
            key, equals, value = line.partition("=")
            if not equals:
                continue
            values = self.values.setdefault((section, key.strip()), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()


def load_unit(
    name: str, read: Callable[[str], bytes | None], list_directory: Callable[[str], Iterable[str]]
) -> UnitFile | None:
    """Return the unit as the service manager would see it, or None if there is no such unit."""
    path, content = _find(name, read)
    if content is None:
        return None
    unit = UnitFile(name, path)
    unit.add_text(content.decode("utf-8", "replace"))
    drop_ins: dict[str, str] = {}
    for directory in reversed(UNIT_DIRECTORIES):
        for file in list_directory(f"{directory}/{name}.d"):
            if file.endswith(".conf"):
                drop_ins[file] = f"{directory}/{name}.d/{file}"
    for file in sorted(drop_ins):
        unit.add_text((read(drop_ins[file]) or b"").decode("utf-8", "replace"))
    return unit


def _find(name: str, read: Callable[[str], bytes | None]) -> tuple[str, bytes | None]:
    for directory in UNIT_DIRECTORIES:
        path = f"{directory}/{name}"
        content = read(path)
        if content is not None:
            return path, content
    return "", None


def _logical_lines(text: str) -> Iterable[str]:
    held = ""
    for raw in text.splitlines():
        stripped = raw.strip()
        if stripped.startswith(("#", ";")):
            continue
        line = held + stripped
        if line.endswith("\\"):
            held = line[:-1] + " "
            continue
        held = ""
        if line:
            yield line
    if held.strip():
        yield held.strip()
