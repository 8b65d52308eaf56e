"""The mesh interface's zone as the running firewall has it, and rules in the zones of all other interfaces.

The zone itself is a file of the plan (FileHandler writes and undoes it); firewalld must be told to read it.
That reload keeps what somebody set in the running firewall alone. On undo it comes last, when the files are
back (plan/undo.py).
"""

from __future__ import annotations

from dexsetup.host.base import Firewall, FirewallState
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.earlier import GIVEN_BACK
from dexsetup.plan.handlers.zonefiles import give_back_zone, keep_zone, kept_first
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import FirewallRule, LoadedZone
from dexsetup.plan.results import Change, CheckResult, InSync

__all__ = ["RuleHandler", "ZoneHandler"]

_OFFLINE = "firewalld is installed and not running: {} from its next start."


class ZoneHandler:
    """Check, apply and undo of one LoadedZone."""

    kind = "zone"

    def check(self, zone: LoadedZone, context: Context) -> CheckResult:
        """Compare what the running firewall has with what the file says."""
        firewall = context.host.firewall
        if firewall.state is FirewallState.NONE:
            return InSync()
        if firewall.state is FirewallState.STOPPED:
            return InSync(_OFFLINE.format(f"the zone {zone.name} holds")) if zone.is_wanted else InSync()
        is_stale = bool(context.clock.since_start(_mark(zone.name), zone.files))
        now = firewall.zone_members(zone.name)
        wanted = (frozenset(zone.services), frozenset({zone.interface})) if zone.is_wanted else None
        if now == wanted and not is_stale:
            return InSync()
        if not zone.is_wanted:
            return Change(f"take the zone {zone.name} out of the running firewall", (f"-zone {zone.name}",))
        before = () if now is None else tuple(f"-{line}" for line in _lines(zone.name, *now))
        after = tuple(f"+{line}" for line in _lines(zone.name, zone.services, (zone.interface,)))
        return Change(f"put {zone.interface} into the zone {zone.name}", (*before, *after))

    def apply(self, zone: LoadedZone, context: Context) -> None:
        """Let firewalld read its files."""
        firewall = context.host.firewall
        is_there = firewall.zone_members(zone.name) is not None
        before, after = {"is_there": is_there}, {"interface": zone.interface, "is_wanted": zone.is_wanted}
        with context.open_journal.change(context.step, self.kind, zone.name, before, after):
            if is_there and not zone.is_wanted:
                firewall.release_interface(zone.name, zone.interface)
            firewall.reload(zone.name)
        context.clock.started(_mark(zone.name))

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Let go of the interface; the zone goes when the files are back."""
        firewall = context.host.firewall
        if firewall.state is not FirewallState.RUNNING:
            return Undone()
        if not record.before["is_there"] and firewall.zone_members(record.subject) is not None:
            firewall.release_interface(record.subject, record.after["interface"])
        context.reload_firewall = record.subject
        return Undone()


class RuleHandler:
    """Check, apply and undo of one FirewallRule, in each zone on its own."""

    kind = "rule"

    def check(self, rule: FirewallRule, context: Context) -> CheckResult:
        """Ask for the rule in every zone that it belongs into."""
        firewall = context.host.firewall
        if firewall.state is FirewallState.NONE:
            return InSync()
        differing = [zone for zone in _zones(rule, firewall) if not _is_so(rule, zone, firewall)]
        if not differing:
            return InSync()
        sign = "+" if rule.is_wanted else "-"
        note = _OFFLINE.format("the rule holds") if firewall.state is FirewallState.STOPPED else ""
        verb = "add to" if rule.is_wanted else "take from"
        lines = tuple(f"{sign}{zone}: {rule.rule}" for zone in differing)
        return Change(f"{verb} zone {', '.join(differing)}: {rule.what}", lines, note)

    def apply(self, rule: FirewallRule, context: Context) -> None:
        """Make it so in each zone, now and permanently, one by one."""
        firewall = context.host.firewall
        for zone in _zones(rule, firewall):
            if _is_so(rule, zone, firewall):
                continue
            now, kept = firewall.has_rule(zone, rule.rule)
            before = {"now": now, "permanently": kept, "files": keep_zone(zone, context)}
            after = {"zone": zone, "rule": rule.rule, GIVEN_BACK: not rule.is_wanted}
            kept_files = None if rule.is_wanted else kept_first(zone, context)
            with context.open_journal.change(context.step, self.kind, f"{zone} {rule.what}", before, after):
                change = firewall.add_rule if rule.is_wanted else firewall.remove_rule
                is_running = firewall.state is FirewallState.RUNNING
                change(
                    zone,
                    rule.rule,
                    now=is_running and now != rule.is_wanted,
                    permanently=kept != rule.is_wanted,
                )
                give_back_zone(zone, kept_files, context)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Give each of the two back what it had."""
        firewall, before = context.host.firewall, record.before
        if firewall.state is FirewallState.NONE:
            return Undone(kept=f"{record.subject}: the firewall is not there any more")
        zone, rule = record.after["zone"], record.after["rule"]
        now, kept = firewall.has_rule(zone, rule)
        if firewall.state is FirewallState.STOPPED:
            now = before["now"]
        for change, wanted in ((firewall.remove_rule, False), (firewall.add_rule, True)):
            is_now = before["now"] is wanted and now is not wanted
            is_kept = before["permanently"] is wanted and kept is not wanted
            if is_now or is_kept:
                change(zone, rule, now=is_now, permanently=is_kept)
        give_back_zone(zone, before.get("files"), context)
        return Undone()


def _mark(zone: str) -> str:
    return f"zone {zone}"


def _lines(
    zone: str, services: frozenset[str] | tuple[str, ...], interfaces: frozenset[str] | tuple[str, ...]
) -> tuple[str, ...]:
    return (
        *(f"zone {zone}: interface {interface}" for interface in sorted(interfaces)),
        *(f"zone {zone}: service {service}" for service in sorted(services)),
    )


def _zones(rule: FirewallRule, firewall: Firewall) -> tuple[str, ...]:
    return tuple(zone for zone in firewall.zones_in_use() if zone != rule.except_zone)


def _is_so(rule: FirewallRule, zone: str, firewall: Firewall) -> bool:
    now, kept = firewall.has_rule(zone, rule.rule)
    if firewall.state is FirewallState.STOPPED:
        now = kept
    return (now, kept) == (rule.is_wanted, rule.is_wanted)
