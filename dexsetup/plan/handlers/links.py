"""Symbolic links in root's own directories."""

from __future__ import annotations

from dexsetup.host.base import FileKind, temporary_name
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.files import make_parents
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import Link
from dexsetup.plan.results import Change, CheckResult, InSync, Unavailable

__all__ = ["LinkHandler"]


class LinkHandler:
    """Check, apply and undo of one Link."""

    kind = "link"

    def check(self, link: Link, context: Context) -> CheckResult:
        """Look at it."""
        info = context.host.stat(link.path)
        if info is None:
            return Change(f"link {link.path} to {link.target}")
        if info.kind is not FileKind.LINK:
            return Unavailable(f"{link.path} is a {info.kind} (expected: a link); it is left alone.")
        if info.target == link.target:
            return InSync()
        return Change(f"link {link.path} to {link.target}", (f"-{info.target}", f"+{link.target}"))

    def apply(self, link: Link, context: Context) -> None:
        """Make or turn it."""
        make_parents(link.path, None, ("root", "root"), context)
        info = context.host.stat(link.path)
        before = {"target": None if info is None else info.target}
        after = {"target": link.target}
        with context.open_journal.change(context.step, self.kind, link.path, before, after):
            context.host.make_link(link.path, link.target)
        context.clock.changed(link.path)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Turn it back, or remove it; and one that a crash kept from its place."""
        if context.host.stat(temporary_name(record.subject)) is not None:
            context.host.remove(temporary_name(record.subject))
        info = context.host.stat(record.subject)
        now = None if info is None else info.target
        was = record.before["target"]
        if now == was:
            return Undone()
        if now != record.after["target"]:
            return Undone(kept=f"{record.subject} was changed since this run and is left as it is")
        if was is None:
            context.host.remove(record.subject)
        else:
            context.host.make_link(record.subject, was)
        return Undone()
