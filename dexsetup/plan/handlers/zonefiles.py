"""The files in which firewalld keeps its zones, which it writes itself when a port or a rule is changed.

A change in a zone makes firewalld write PATH.xml, where before there may have been none but the
distribution's, and lay the former one aside as PATH.xml.old. Both are kept before a change. Undo takes the
change back through firewalld; when the file then says what the kept one says, the kept bytes are put back.
What somebody else has changed in the zone meanwhile makes the two differ, and stays.
"""

from __future__ import annotations

from typing import Any

from dexsetup.host.zonexml import DISTRIBUTION_ZONES, ZONES, meaning
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.handlers.earlier import earlier

__all__ = ["give_back_zone", "keep_zone", "kept_first"]

_Kept = dict[str, dict[str, Any] | None]


def keep_zone(zone: str, context: Context) -> _Kept:
    """Keep the zone's files; by path, with None for one that is not there."""
    kept: _Kept = {}
    for number, path in enumerate(_paths(zone)):
        content, info = context.host.read(path), context.host.stat(path)
        if content is None or info is None:
            kept[path] = None
            continue
        image = context.open_journal.keep(content, f"-{number}")
        kept[path] = {"image": image, "mode": info.mode, "owner": info.owner, "group": info.group}
    return kept


def give_back_zone(zone: str, kept: _Kept | None, context: Context) -> None:
    """Put the kept files back, if the zone says what they say. None: the journal is of an older version."""
    host = context.host
    path = _paths(zone)[0]
    current = host.read(path)
    if kept is None or current is None:
        return
    before = _content(kept[path], context)
    if before is None:
        before = host.read(f"{DISTRIBUTION_ZONES}/{zone}.xml")
    if meaning(current) != meaning(before):
        return
    for name, former in kept.items():
        content = _content(former, context)
        if former is None or content is None:
            host.remove(name)
        elif content != host.read(name):
            rights = {key: former[key] for key in ("mode", "owner", "group")}
            host.write(name, content, **rights)


def kept_first(zone: str, context: Context) -> _Kept | None:
    """Return what was kept of the zone's files before dexsetup first changed the zone."""
    known = earlier(context, lambda change: "files" in change.before and change.after.get("zone") == zone)
    kept: _Kept | None = known.first.before["files"] if known.first is not None else None
    return kept


def _paths(zone: str) -> tuple[str, str]:
    return f"{ZONES}/{zone}.xml", f"{ZONES}/{zone}.xml.old"


def _content(former: dict[str, Any] | None, context: Context) -> bytes | None:
    return None if former is None else context.host.read(former["image"])
