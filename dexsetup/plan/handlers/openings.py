"""Openings in the firewall: a port, in what runs and in what is kept, each on its own."""

from __future__ import annotations

from dataclasses import dataclass

from dexsetup.host.base import FirewallState
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.earlier import GIVEN_BACK, earlier
from dexsetup.plan.handlers.zonefiles import give_back_zone, keep_zone, kept_first
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
        if not opening.is_wanted:
            closing = _closing(opening, context)
            if closing is None:
                return InSync()
            lines = (f"-{_port(opening)}",)
            return Change(f"shut {_port(opening)} again in zone {closing.zone}", lines)
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
        """Open what is shut, or shut what we opened."""
        firewall = context.host.firewall
        if not opening.is_wanted:
            self._shut(opening, context)
            return
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

    def _shut(self, opening: FirewallOpening, context: Context) -> None:
        closing = _closing(opening, context)
        if closing is None:
            return
        zone, firewall = closing.zone, context.host.firewall
        now, permanently = firewall.is_open(zone, opening.port, opening.protocol)
        before = {"now": now, "permanently": permanently, "files": keep_zone(zone, context)}
        after = {"zone": zone, "port": opening.port, "protocol": opening.protocol, GIVEN_BACK: True}
        kept_files = kept_first(zone, context)
        subject = f"{zone} {_port(opening)}"
        with context.open_journal.change(context.step, self.kind, subject, before, after):
            firewall.close_port(
                zone,
                opening.port,
                opening.protocol,
                now=closing.is_now,
                permanently=closing.is_kept,
            )
            give_back_zone(zone, kept_files, context)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Shut what we opened; open what we shut again."""
        firewall, before, after = context.host.firewall, record.before, record.after
        if firewall.state is FirewallState.NONE:
            return Undone(kept=f"{record.subject}: the firewall is not there any more")
        now, permanently = firewall.is_open(after["zone"], after["port"], after["protocol"])
        is_running = firewall.state is FirewallState.RUNNING
        close_now = is_running and now and not before["now"]
        close_kept = permanently and not before["permanently"]
        if after.get(GIVEN_BACK):
            open_now = is_running and before["now"] and not now
            open_kept = before["permanently"] and not permanently
            if open_now or open_kept:
                firewall.open_port(
                    after["zone"], after["port"], after["protocol"], now=open_now, permanently=open_kept
                )
        if close_now or close_kept:
            firewall.close_port(
                after["zone"], after["port"], after["protocol"], now=close_now, permanently=close_kept
            )
        give_back_zone(after["zone"], before.get("files"), context)
        return Undone()


@dataclass(frozen=True, slots=True)
class _Closing:
    """What of an opening is ours, and still open."""

    zone: str
    is_now: bool
    is_kept: bool


def _closing(opening: FirewallOpening, context: Context) -> _Closing | None:
    """Return what there is to shut; None where somebody else opened the port, or it is shut."""
    firewall = context.host.firewall
    wanted = (opening.port, opening.protocol)
    known = earlier(
        context,
        lambda change: (
            change.kind == OpeningHandler.kind and (change.after["port"], change.after["protocol"]) == wanted
        ),
    )
    if known.first is None or firewall.state is FirewallState.NONE:
        return None
    zone, before = known.first.after["zone"], known.first.before
    now, permanently = firewall.is_open(zone, *wanted)
    # A firewall that was stopped when the port was opened has let it in since its next start.
    is_now = now and not (before["now"] and before["permanently"])
    is_kept = permanently and not before["permanently"]
    is_ours = is_kept or (is_now and firewall.state is FirewallState.RUNNING)
    return _Closing(zone, is_now and firewall.state is FirewallState.RUNNING, is_kept) if is_ours else None


def _port(opening: FirewallOpening) -> str:
    return f"{opening.port}/{opening.protocol}"
