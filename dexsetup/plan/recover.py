"""Takes up a run that was interrupted: what its journal says was written is remembered as written by us.

The memory (state.json) is saved after each step; a crash inside a step leaves it behind. The journal knows
the rest, also which units have not seen their new files yet.
"""

from __future__ import annotations

from dexsetup.plan.handlers.context import Context
from dexsetup.plan.handlers.files import digest
from dexsetup.plan.journal import ChangeRecord, RunRecord
from dexsetup.plan.state import Original, StateEntry, entry_from_json

__all__ = ["recover"]


def recover(record: RunRecord, context: Context) -> None:
    """Bring the context to where it was when the run was interrupted."""
    for change in record.changes:
        if change.is_undone:
            continue
        match change.kind:
            case "file":
                context.clock.changed(change.subject)
                _remember(change, record.run, context)
            case "link" | "tree":
                context.clock.changed(change.subject)
            case "packages":
                context.host.packages.clear_leftovers()
            case "unit" if change.is_done:
                context.clock.started(change.subject)
            case _:
                pass


def _remember(change: ChangeRecord, run: str, context: Context) -> None:
    """Remember a file if what is there is what this change wrote."""
    sha = change.after["sha256"]
    known = context.state.get(change.subject)
    if known is not None and known.run == run:
        return
    current = context.host.read(change.subject, as_user=change.before["as_user"])
    if sha is None or digest(current) != sha:
        return
    before = change.before
    earlier = entry_from_json(before["state"])
    original = earlier.original if earlier is not None else None
    if earlier is None and before["exists"]:
        original = Original(before["image"], before["mode"], before["owner"], before["group"])
    context.state[change.subject] = StateEntry(sha, "", run, original)
