"""Trees of programs: copied as a whole into a place of root's; the former one is kept beside it for undo."""

from __future__ import annotations

from dexsetup.host.base import FileKind, temporary_name
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.files import make_parents
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import Tree
from dexsetup.plan.results import Change, CheckResult, InSync, Unavailable

__all__ = ["TreeHandler"]


class TreeHandler:
    """Check, apply and undo of one Tree."""

    kind = "tree"

    def check(self, tree: Tree, context: Context) -> CheckResult:
        """Compare every file."""
        info = context.host.stat(tree.path)
        if info is not None and info.kind is not FileKind.DIRECTORY:
            return Unavailable(f"{tree.path} is a {info.kind} (expected: a directory); it is left alone.")
        wanted = self._wanted(tree, context)
        if not wanted:
            return Unavailable(f"{tree.source}, from which {tree.path} is to be copied, holds no files.")
        found = {path: (sha, bool(mode & 0o111)) for path, sha, mode in context.host.list_tree(tree.path)}
        if info is not None and found == wanted:
            if (info.owner, info.mode & 0o022) == ("root", 0):
                return InSync()
            return Change(f"copy {tree.source} to {tree.path}", (f"-owner {info.owner}", "+owner root"))
        fresh = sum(path not in found for path in wanted)
        gone = sum(path not in wanted for path in found)
        other = sum(path in found and found[path] != wanted[path] for path in wanted)
        lines = (f"{len(wanted)} files: {fresh} new, {other} changed, {gone} gone",)
        return Change(f"copy {tree.source} to {tree.path}", lines)

    def _wanted(self, tree: Tree, context: Context) -> dict[str, tuple[str, bool]]:
        if tree.entries:
            return {entry.path: (entry.sha256, bool(entry.mode & 0o111)) for entry in tree.entries}
        return {path: (sha, bool(mode & 0o111)) for path, sha, mode in context.host.list_source(tree.source)}

    def apply(self, tree: Tree, context: Context) -> None:
        """Move the former tree aside and copy the new one."""
        journal = context.open_journal
        make_parents(tree.path, None, ("root", "root"), context)
        directory, _, name = tree.path.rpartition("/")
        aside = f"{directory}/.{name}.before-{journal.run}"
        is_there = context.host.stat(tree.path) is not None
        if is_there and context.host.stat(aside) is not None:
            context.host.remove_tree(tree.path)  # an interrupted run of this name kept the former one already
            is_there = False
        before = {"aside": aside if is_there else None}
        with context.open_journal.change(context.step, self.kind, tree.path, before, {}):
            if is_there:
                context.host.move_tree(tree.path, aside)
            context.host.copy_tree(tree.source, tree.path)
        context.clock.changed(tree.path)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Put the former tree back, and clear away what a crash in the middle of the copy has left."""
        aside = record.before["aside"]
        host = context.host
        if host.stat(temporary_name(record.subject)) is not None:
            host.remove_tree(temporary_name(record.subject))
        if aside is None:
            if host.stat(record.subject) is not None:
                host.remove_tree(record.subject)
            return Undone()
        if host.stat(aside) is None:
            return Undone()
        if host.stat(record.subject) is not None:
            host.remove_tree(record.subject)
        host.move_tree(aside, record.subject)
        return Undone()
