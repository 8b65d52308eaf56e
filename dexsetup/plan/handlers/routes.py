"""Routes at which packets end. Units set their own again at each start; undo takes away what is left."""

from __future__ import annotations

from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import BlackholeRoute
from dexsetup.plan.results import Change, CheckResult, InSync

__all__ = ["RouteHandler"]


class RouteHandler:
    """Check, apply and undo of one BlackholeRoute."""

    kind = "route"

    def check(self, route: BlackholeRoute, context: Context) -> CheckResult:
        """Ask the kernel. Where nobody can, or nothing runs, the router's own unit is trusted with it."""
        if not context.host.is_live or context.host.has_blackhole(route.network, route.metric) is not False:
            return InSync()
        return Change(f"add the route {_words(route.network, route.metric)}", note=route.what)

    def apply(self, route: BlackholeRoute, context: Context) -> None:
        """Add it."""
        before = {"exists": bool(context.host.has_blackhole(route.network, route.metric))}
        after = {"network": route.network, "metric": route.metric, "kept_for": list(route.kept_for)}
        subject = _words(route.network, route.metric)
        with context.open_journal.change(context.step, self.kind, subject, before, after):
            context.host.add_blackhole(route.network, route.metric)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Take it away, unless it was there before, or something that needs it runs on."""
        network, metric = record.after["network"], record.after["metric"]
        if record.before["exists"] or not context.host.has_blackhole(network, metric):
            return Undone()
        users = [unit for unit in record.after["kept_for"] if _runs(unit, context)]
        if users:
            return Undone(kept=f"the route {record.subject} stays, because {', '.join(users)} runs")
        context.host.remove_blackhole(network, metric)
        return Undone(note=f"took the route {record.subject} away")


def _runs(unit: str, context: Context) -> bool:
    """Whether the unit runs, or will when undo is done."""
    return unit in context.restart_later or context.host.services.state(unit).active


def _words(network: str, metric: int) -> str:
    return f"blackhole {network} metric {metric}"
