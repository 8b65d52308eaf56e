"""Packages of the distribution. Undo names what was installed, and removes it only if it is asked to."""

from __future__ import annotations

from dexsetup.errors import MachineError
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import PackageSet
from dexsetup.plan.results import Change, CheckResult, InSync, Unavailable

__all__ = ["PackageHandler"]


class PackageHandler:
    """Check, apply and undo of one PackageSet."""

    kind = "packages"

    def check(self, packages: PackageSet, context: Context) -> CheckResult:
        """Ask what is missing."""
        names = ", ".join(packages.names)
        if not packages.names:
            return InSync()
        if not context.host.is_live:
            return InSync(f"packages are not installed into a directory; it needs {names}")
        missing = self._missing(packages, context)
        if not missing:
            return InSync()
        if context.host.packages.name == "none":
            return Unavailable(
                f"{', '.join(missing)} must be installed, and there is neither apt nor dnf here."
            )
        return Change(f"install {', '.join(missing)}", tuple(f"+{name}" for name in missing))

    def _missing(self, packages: PackageSet, context: Context) -> list[str]:
        installed = context.host.packages.installed(packages.names)
        return [name for name in packages.names if name not in installed]

    def apply(self, packages: PackageSet, context: Context) -> None:
        """Install what is missing."""
        missing = self._missing(packages, context)
        before = {"installed": sorted(set(packages.names) - set(missing))}
        after = {"installed": missing}
        with context.open_journal.change(context.step, self.kind, " ".join(missing), before, after):
            context.host.packages.install(missing, context.progress)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Name them, or remove them; and what a crash in the middle has left in force is gone."""
        context.host.packages.clear_leftovers()
        present = sorted(context.host.packages.installed(record.after["installed"]))
        if not present:
            return Undone()
        names = ", ".join(present)
        if not context.removes_packages:
            return Undone(note=f"left installed: {names} (remove it yourself if nothing needs it)")
        try:
            context.host.packages.remove(present, context.progress)
        except MachineError as error:
            return Undone(note=f"left installed: {names}. {error.what}")
        return Undone(note=f"removed: {names}; what it keeps for itself below /etc and /var stays")
