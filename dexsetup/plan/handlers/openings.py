"""Openings in the firewall: a port, in what runs and in what is kept, each on its own."""

from __future__ import annotations

from dexsetup.host.base import FirewallState
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.zonefiles import give_back_zone, keep_zone
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import FirewallOpening
from dexsetup.plan.results import Change, CheckResult, InSync

__all__ = ["OpeningHandler"]


class OpeningHandler:
    """Check, apply and undo of one FirewallOpening."""

    kind = "opening"

    def check(self, opening: FirewallOpening, context: Context) -> CheckResult:
        """Ask the firewall."""
        firewall = context.host.firewall
        if firewall.state is FirewallState.NONE:
            return InSync(f"no firewall that dexsetup knows is here: nothing to open for {_port(opening)}")
        zone = opening.zone or firewall.zone_of_uplink()
        now, permanently = firewall.is_open(zone, opening.port, opening.protocol)
        if firewall.state is FirewallState.STOPPED:
            now = True
        if now and permanently:
            return InSync()
        where = [word for word, is_open in (("now", now), ("permanently", permanently)) if not is_open]
        note = ""
        if firewall.state is FirewallState.STOPPED:
            note = f"{firewall.name} is installed and not running: the opening holds from its next start."
        return Change(
            f"let {_port(opening)} in through zone {zone}",
            (f"+{_port(opening)} {' and '.join(where)}",),
            note,
        )

    def apply(self, opening: FirewallOpening, context: Context) -> None:
        """Open what is shut."""
        firewall = context.host.firewall
        zone = opening.zone or firewall.zone_of_uplink()
        now, permanently = firewall.is_open(zone, opening.port, opening.protocol)
        is_running = firewall.state is FirewallState.RUNNING
        before = {"now": now or not is_running, "permanently": permanently, "files": keep_zone(zone, context)}
        after = {"zone": zone, "port": opening.port, "protocol": opening.protocol}
        subject = f"{zone} {_port(opening)}"
        with context.open_journal.change(context.step, self.kind, subject, before, after):
            firewall.open_port(
                zone,
                opening.port,
                opening.protocol,
                now=is_running and not now,
                permanently=not permanently,
            )

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Shut what we opened."""
        firewall, before, after = context.host.firewall, record.before, record.after
        if firewall.state is FirewallState.NONE:
            return Undone(kept=f"{record.subject}: the firewall is not there any more")
        now, permanently = firewall.is_open(after["zone"], after["port"], after["protocol"])
        is_running = firewall.state is FirewallState.RUNNING
        close_now = is_running and now and not before["now"]
        close_kept = permanently and not before["permanently"]
        if close_now or close_kept:
            firewall.close_port(
                after["zone"], after["port"], after["protocol"], now=close_now, permanently=close_kept
            )
        give_back_zone(after["zone"], before.get("files"), context)
        return Undone()


def _port(opening: FirewallOpening) -> str:
    return f"{opening.port}/{opening.protocol}"
