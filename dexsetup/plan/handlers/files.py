"""Files: the table of wizard-ux 6.7, driven by what we remember having written.

    on disk          we wrote   new render            result
    absent           never      any                   create
    absent           before     any                   conflict: removed by hand
    as we wrote it   before     same / different      in sync / update
    different        before     equals disk / not     adopt / conflict: edited by hand
    present          never      equals disk / not     adopt / back up and take over (or conflict)
    as we wrote it   before     no longer wanted      remove, or restore what was there before us

A shared file is compared with what the plan was made from instead: changed since means plan again.
"""

from __future__ import annotations

import difflib
from hashlib import sha256
from typing import Any

from dexsetup.errors import HostError
from dexsetup.host.base import FileInfo, FileKind, temporary_name
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.earlier import GIVEN_BACK, earlier
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import FileSharing, ManagedFile
from dexsetup.plan.results import Change, CheckResult, Conflict, InSync, Stale, Unavailable
from dexsetup.plan.state import Original, StateEntry, entry_from_json, entry_to_json
from dexsetup.report.redact import Redactor

__all__ = ["SAVED_SUFFIX", "FileHandler", "digest", "make_parents", "unified_diff"]

SAVED_SUFFIX = ".dexsetup-saved"
_DIFF_LINES_MAX = 400


def digest(content: bytes | None) -> str | None:
    """Return the hash by which a content is remembered; None for no file."""
    return None if content is None else sha256(content).hexdigest()


class FileHandler:
    """Check, apply and undo of one ManagedFile."""

    kind = "file"

    def check(self, file: ManagedFile, context: Context) -> CheckResult:
        """Compare the file on disk with what is wanted and with what we remember."""
        is_planned = file.path in context.planned
        current = (
            context.planned[file.path] if is_planned else context.host.read(file.path, as_user=file.as_user)
        )
        info = None if is_planned else context.host.stat(file.path)
        if info is not None and info.kind is not FileKind.FILE:
            return Unavailable(f"{file.path} is a {info.kind} (expected: a plain file); it is left alone.")
        result = self._judge(file, current, info, context)
        if isinstance(result, Change) and (running := _running(file, context)):
            return Unavailable(
                f"{running} of {file.as_user} is running and would write over {file.path} at its end.",
                "close it, then run this again",
            )
        if isinstance(result, Change) and file.content is not None and file.validate:
            complaint = context.host.check_content(file.content, file.validate)
            if complaint:
                why = f"{file.validate[0]} does not accept what {file.path} would become."
                return Unavailable(why, context.redactor.text(complaint))
        return result

    def _judge(
        self, file: ManagedFile, current: bytes | None, info: FileInfo | None, context: Context
    ) -> CheckResult:
        entry = context.state.get(file.path)
        if current == file.content:
            return self._judge_rights(file, info)
        if file.sharing is FileSharing.SHARED:
            if current != file.based_on:
                return Stale(file.path)
            if current is None and entry is not None:
                return self._conflict(file, current, context, "was removed by hand")
            return self._change(file, current, context)
        if current is None:
            if entry is None:
                return self._change(file, current, context)
            return self._conflict(file, current, context, "was removed by hand")
        if entry is None:
            return self._judge_foreign(file, current, context)
        if digest(current) != entry.sha256:
            return self._conflict(file, current, context, "was edited by hand since dexsetup wrote it")
        return self._change(file, current, context)

    def _judge_rights(self, file: ManagedFile, info: FileInfo | None) -> CheckResult:
        if info is None or file.content is None:
            return InSync()
        wanted = (file.mode, file.owner, file.group)
        found = (info.mode, info.owner, info.group)
        if wanted == found:
            return InSync()
        return Change(
            f"set mode and owner of {file.path}",
            (f"-{found[0]:04o} {found[1]}:{found[2]}", f"+{wanted[0]:04o} {wanted[1]}:{wanted[2]}"),
        )

    def _judge_foreign(self, file: ManagedFile, current: bytes, context: Context) -> CheckResult:
        if file.content is None:
            return InSync(f"{file.path} is not dexsetup's and is left as it is")
        if context.host.packages.is_pristine(file.path):
            note = f"{file.path} is as its package brought it; it is kept for undo."
            return self._change(file, current, context, note)
        if file.foreign == "take_over":
            note = f"{file.path} is there already and not dexsetup's; it is kept for undo and replaced."
            return self._change(file, current, context, note)
        return self._conflict(file, current, context, "was written by somebody else")

    def _conflict(self, file: ManagedFile, current: bytes | None, context: Context, what: str) -> CheckResult:
        decision = context.decisions.get(file.path, file.on_conflict)
        if decision == "theirs":
            return InSync(f"{file.path} {what}; it is left so, as decided")
        if decision == "ours":
            note = f"{file.path} {what}; as decided, ours is written"
            beside = "" if current is None else f" and theirs is kept as {file.path}{SAVED_SUFFIX}"
            return self._change(file, current, context, f"{note}{beside}.")
        return Conflict(
            f"{file.path} {what}.",
            file.path,
            (f"--take-over {file.path}", f"--leave {file.path}"),
            _diff(file, current, file.content, context),
        )

    def _change(self, file: ManagedFile, current: bytes | None, context: Context, note: str = "") -> Change:
        after = file.content
        verb = "write" if current is None else "change"
        if after is None:
            original = self._original(file, context)
            after = original[0] if original is not None else None
            verb = "remove" if after is None else "restore"
        return Change(f"{verb} {file.path}", _diff(file, current, after, context), note)

    def _original(self, file: ManagedFile, context: Context) -> tuple[bytes, Original] | None:
        """Return what was there before we first wrote, when an OURS file is no longer wanted."""
        entry = context.state.get(file.path)
        if file.sharing is FileSharing.SHARED or entry is None or entry.original is None:
            return None
        content = context.host.read(entry.original.image)
        return None if content is None else (content, entry.original)

    # -- applying

    def apply(self, file: ManagedFile, context: Context) -> None:
        """Write, remove or restore the file, journaled."""
        host = context.host
        current = host.read(file.path, as_user=file.as_user)
        if self._is_taken_over(file, current, context) and current is not None:
            self._save_theirs(file, current, context)
        content, mode, owner, group = file.content, file.mode, file.owner, file.group
        if content is None and (original := self._original(file, context)) is not None:
            content, kept = original
            mode, owner, group = kept.mode, kept.owner, kept.group
        if content is not None:
            make_parents(file.path, file.as_user, (file.owner, file.group), context)
        before = self._before(file.path, current, file.as_user, context)
        after = {"sha256": digest(content)}
        with context.open_journal.change(context.step, self.kind, file.path, before, after):
            if content is None:
                host.remove(file.path, as_user=file.as_user)
            else:
                host.write(
                    file.path,
                    content,
                    mode=mode,
                    owner=owner,
                    group=group,
                    as_user=file.as_user,
                    validate=file.validate,
                )
        self._remember(file, before, context)
        context.clock.changed(file.path)
        if content is None:
            remove_empty_parents(file.path, file.as_user, context)

    def _is_taken_over(self, file: ManagedFile, current: bytes | None, context: Context) -> bool:
        """Whether this is somebody else's text that a person decided to replace."""
        if context.decisions.get(file.path, file.on_conflict) != "ours" or file.sharing is FileSharing.SHARED:
            return False
        entry = context.state.get(file.path)
        if entry is None:
            return file.foreign == "ask" and not context.host.packages.is_pristine(file.path)
        return digest(current) != entry.sha256 and current != file.content

    def _save_theirs(self, file: ManagedFile, current: bytes, context: Context) -> None:
        path = f"{file.path}{SAVED_SUFFIX}"
        info = context.host.stat(file.path)
        if info is None:
            raise HostError(f"{file.path} vanished while it was being replaced")
        old = context.host.read(path, as_user=file.as_user)
        before = self._before(path, old, file.as_user, context)
        with context.open_journal.change(context.step, self.kind, path, before, {"sha256": digest(current)}):
            context.host.write(
                path, current, mode=info.mode, owner=info.owner, group=info.group, as_user=file.as_user
            )

    def _before(
        self, path: str, current: bytes | None, as_user: str | None, context: Context
    ) -> dict[str, Any]:
        info = context.host.stat(path)
        before: dict[str, Any] = {
            "exists": current is not None,
            "sha256": digest(current),
            "as_user": as_user,
            "state": entry_to_json(context.state.get(path)),
        }
        if current is not None and info is not None:
            before |= {"mode": info.mode, "owner": info.owner, "group": info.group}
            before["image"] = context.open_journal.keep(current)
        return before

    def _remember(self, file: ManagedFile, before: dict[str, Any], context: Context) -> None:
        if file.content is None:
            context.state.pop(file.path, None)
            return
        known = context.state.get(file.path)
        original = known.original if known is not None else None
        if known is None and before["exists"]:
            original = Original(before["image"], before["mode"], before["owner"], before["group"])
        run = context.open_journal.run
        context.state[file.path] = StateEntry(digest(file.content) or "", file.template, run, original)

    def remember_in_sync(self, file: ManagedFile, context: Context) -> None:
        """Adopt a file that is already exactly as we would write it."""
        known = context.state.get(file.path)
        if file.content is None or context.host.read(file.path, as_user=file.as_user) != file.content:
            return
        sha = digest(file.content) or ""
        if known is None or (known.sha256, known.template) != (sha, file.template):
            original = known.original if known is not None else None
            context.state[file.path] = StateEntry(sha, file.template, context.open_journal.run, original)

    # -- undoing

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Give back the bytes, mode and owner of the before-image, unless somebody changed the file since."""
        path, before = record.subject, record.before
        as_user = before["as_user"]
        host = context.host
        if host.stat(temporary_name(path)) is not None:
            host.remove(temporary_name(path), as_user=as_user)
        current = host.read(path, as_user=as_user)
        now = digest(current)
        if now not in {before["sha256"], record.after["sha256"]}:
            what = "is gone" if current is None else "was changed"
            return Undone(kept=f"{path} {what} since this run and is left as it is")
        self._put_back(path, before, current, context)
        entry = entry_from_json(before["state"])
        if entry is None:
            context.state.pop(path, None)
        else:
            context.state[path] = entry
        return Undone()

    def _put_back(self, path: str, before: dict[str, Any], current: bytes | None, context: Context) -> None:
        host, as_user = context.host, before["as_user"]
        if not before["exists"]:
            if current is not None:
                host.remove(path, as_user=as_user)
            return
        rights = (before["mode"], before["owner"], before["group"])
        info = host.stat(path)
        found = None if info is None else (info.mode, info.owner, info.group)
        if digest(current) == before["sha256"] and found == rights:
            return
        content = host.read(before["image"])
        if digest(content) != before["sha256"] or content is None:
            raise HostError(f"the copy of {path} in {before['image']} is missing or damaged")
        host.write(path, content, mode=rights[0], owner=rights[1], group=rights[2], as_user=as_user)


def _running(file: ManagedFile, context: Context) -> str:
    """Return which program keeps us from the file; empty if none does."""
    if not file.unless_running or file.as_user is None:
        return ""
    for program in file.unless_running:
        if context.host.probe(["pgrep", "-u", file.as_user, "-x", program]).status == 0:
            return program
    return ""


def make_parents(path: str, as_user: str | None, owner: tuple[str, str], context: Context) -> None:
    """Make the missing directories above a file, each one journaled. A user's belong to the user."""
    missing: list[str] = []
    above = path.rpartition("/")[0]
    while above and context.host.stat(above) is None:
        missing.append(above)
        above = above.rpartition("/")[0]
    user, group = owner if as_user is not None else ("root", "root")
    for directory in reversed(missing):
        before = {"exists": False, "as_user": as_user}
        with context.open_journal.change(context.step, "directory", directory, before, {}):
            context.host.make_directory(directory, mode=0o755, owner=user, group=group, as_user=as_user)


def _was_made_by_us(directory: str, context: Context) -> bool:
    known = earlier(context, lambda change: change.kind == "directory" and change.subject == directory)
    return known.first is not None and not known.first.before["exists"]


def remove_empty_parents(path: str, as_user: str | None, context: Context) -> None:
    """Remove the directories above a removed file that were made for it, while nothing is in them."""
    above = path.rpartition("/")[0]
    while above and not context.host.list_directory(above):
        info = context.host.stat(above)
        if info is None or not _was_made_by_us(above, context):
            return
        rights = {"mode": info.mode, "owner": info.owner, "group": info.group}
        before = {"exists": True, "as_user": as_user, **rights}
        with context.open_journal.change(context.step, "directory", above, before, {GIVEN_BACK: True}):
            context.host.remove_directory(above, as_user=as_user)
        above = above.rpartition("/")[0]


def _diff(file: ManagedFile, before: bytes | None, after: bytes | None, context: Context) -> tuple[str, ...]:
    return unified_diff(file.path, before, after, context.redactor, is_secret=file.secret)


def unified_diff(
    path: str, before: bytes | None, after: bytes | None, redactor: Redactor, *, is_secret: bool = False
) -> tuple[str, ...]:
    """Return the lines of a unified diff.

    Everything passes the redactor; a secret file that differs only in what is masked says so.
    """
    if before == after:
        return ()
    try:
        old = redactor.text((before or b"").decode())
        new = redactor.text((after or b"").decode())
    except UnicodeDecodeError:
        return (f"{path}: not text, {len(before or b'')} bytes before, {len(after or b'')} bytes after",)
    if old == new and is_secret:
        return (f"{path}: only keys or passwords differ; they are not shown",)
    from_name = "/dev/null" if before is None else path
    to_name = "/dev/null" if after is None else path
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), from_name, to_name, lineterm=""))
    if len(lines) > _DIFF_LINES_MAX:
        left_out = len(lines) - _DIFF_LINES_MAX
        lines = [*lines[:_DIFF_LINES_MAX], f"... {left_out} more lines"]
    return tuple(lines) or (f"{path}: only line ends or what is masked differ",)
