"""System accounts for services."""

from __future__ import annotations

from dexsetup.host.accounts import Accounts
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import SystemUser
from dexsetup.plan.results import Change, CheckResult, InSync

__all__ = ["UserHandler"]


def _exists(name: str, context: Context) -> bool:
    return Accounts.parse(context.host.read("/etc/passwd"), None).user(name) is not None


class UserHandler:
    """Check, apply and undo of one SystemUser."""

    kind = "user"

    def check(self, user: SystemUser, context: Context) -> CheckResult:
        """Look for it."""
        if _exists(user.name, context):
            return InSync()
        return Change(f"add the system account {user.name}", (f"+{user.name} (home {user.home}, no login)",))

    def apply(self, user: SystemUser, context: Context) -> None:
        """Add it."""
        before, after = {"exists": _exists(user.name, context)}, {"exists": True}
        with context.open_journal.change(context.step, self.kind, user.name, before, after):
            context.host.add_system_user(user.name, home=user.home, comment=user.comment)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Remove it if we added it."""
        if not record.before["exists"] and _exists(record.subject, context):
            context.host.remove_system_user(record.subject)
        return Undone()
