"""Directories: made with mode and owner; undone only if made by us and empty."""

from __future__ import annotations

from dexsetup.errors import HostError
from dexsetup.host.base import FileKind
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.earlier import GIVEN_BACK
from dexsetup.plan.handlers.files import make_parents
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import Directory
from dexsetup.plan.results import Change, CheckResult, InSync, Unavailable

__all__ = ["DirectoryHandler"]


class DirectoryHandler:
    """Check, apply and undo of one Directory."""

    kind = "directory"

    def check(self, directory: Directory, context: Context) -> CheckResult:
        """Look at it."""
        info = context.host.stat(directory.path)
        if info is None:
            return Change(f"make {directory.path}")
        if info.kind is not FileKind.DIRECTORY:
            return Unavailable(
                f"{directory.path} is a {info.kind} (expected: a directory); it is left alone."
            )
        wanted = (directory.mode, directory.owner, directory.group)
        if directory.keeps_rights or (info.mode, info.owner, info.group) == wanted:
            return InSync()
        return Change(
            f"set mode and owner of {directory.path}",
            (
                f"-{info.mode:04o} {info.owner}:{info.group}",
                f"+{directory.mode:04o} {directory.owner}:{directory.group}",
            ),
        )

    def apply(self, directory: Directory, context: Context) -> None:
        """Make it, or give it its rights."""
        make_parents(directory.path, directory.as_user, (directory.owner, directory.group), context)
        info = context.host.stat(directory.path)
        before: dict[str, object] = {"exists": info is not None, "as_user": directory.as_user}
        if info is not None:
            before |= {"mode": info.mode, "owner": info.owner, "group": info.group}
        with context.open_journal.change(context.step, self.kind, directory.path, before, {}):
            context.host.make_directory(
                directory.path,
                mode=directory.mode,
                owner=directory.owner,
                group=directory.group,
                as_user=directory.as_user,
            )

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Remove what we made, if nobody uses it, or give back the rights; make again what we removed."""
        path, before = record.subject, record.before
        info = context.host.stat(path)
        if info is None and not record.after.get(GIVEN_BACK):
            return Undone()
        if before["exists"]:
            rights = (before["mode"], before["owner"], before["group"])
            if info is None or (info.mode, info.owner, info.group) != rights:
                context.host.make_directory(
                    path, mode=rights[0], owner=rights[1], group=rights[2], as_user=before["as_user"]
                )
            return Undone()
        if info is None or info.kind is not FileKind.DIRECTORY or context.host.list_directory(path):
            return Undone(kept=f"{path} is in use by now and is left as it is")
        try:
            context.host.remove_directory(path, as_user=before["as_user"])
        except HostError as error:
            return Undone(kept=f"{path} could not be removed ({error.why or error.what})")
        return Undone()
