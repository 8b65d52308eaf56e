"""Services: enabled and running, or neither; restarted when one of their files was changed in this run.

A service that can take a change while it runs is told of it instead (`reload_on`). Undo restarts either.
"""

from __future__ import annotations

from dataclasses import replace

from dexsetup.errors import HostError
from dexsetup.host.base import UnitState
from dexsetup.plan.handlers.context import Context, Undone
from dexsetup.plan.handlers.earlier import GIVEN_BACK, earlier
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import Unit
from dexsetup.plan.results import Change, CheckResult, InSync, Unavailable

__all__ = ["UnitHandler"]

_SETTLE_SECONDS = 1.0
"""A forking daemon that cannot bind is gone by then, after `start` said that all is well (spec 11 §3.2)."""
_START_SECONDS = 120.0
_POLL_SECONDS = 0.5


class UnitHandler:
    """Check, apply and undo of one Unit."""

    kind = "unit"

    def check(self, unit: Unit, context: Context) -> CheckResult:
        """Look at its state, and at what of its files changed since it was started in this run."""
        unit = _meant(unit, context)
        state = context.host.services.state(unit.name)
        is_live = context.host.services.is_live
        if unit.enabled and not (is_live or state.exists or _is_planned(unit.name, context)):
            return Unavailable(f"{unit.name} is not in this directory: install its package there first.")
        verbs = []
        if unit.enabled != state.enabled and (unit.enabled or state.exists):
            verbs.append("enable" if unit.enabled else "disable")
        if is_live and unit.active and not state.active:
            verbs.append("start")
        elif is_live and state.active and not unit.active:
            verbs.append("stop")
        elif is_live and unit.active and context.clock.since_start(unit.name, unit.restart_on):
            verbs.append("restart")
        elif is_live and unit.active and context.clock.since_start(unit.name, unit.reload_on):
            verbs.append("reload")
        if not verbs:
            note = "" if is_live else f"{unit.name} starts when the image does"
            return InSync(note if unit.active else "")
        note = ""
        if unit.enabled and not context.host.services.survives_reboot:
            note = (
                f"{unit.name} runs in the background and does not survive a reboot: there is no systemd here."
            )
        lines = (
            f"-{_words(state.enabled, state.active)}",
            f"+{_words(unit.enabled, unit.active)}",
        )
        return Change(f"{' and '.join(verbs)} {unit.name}", lines, note)

    def apply(self, unit: Unit, context: Context) -> None:
        """Bring it about, and wait until it has settled."""
        services = context.host.services
        unit = _meant(unit, context)
        state = services.state(unit.name)
        before = {"exists": state.exists, "enabled": state.enabled, "active": state.active}
        after = {"enabled": unit.enabled, "active": unit.active, GIVEN_BACK: unit.as_before}
        with context.open_journal.change(context.step, self.kind, unit.name, before, after):
            services.reload_definitions()
            state = services.state(unit.name)
            if not state.exists and (unit.enabled or unit.active):
                raise HostError(f"There is no unit {unit.name} on this machine.")
            if unit.enabled != state.enabled:
                (services.enable if unit.enabled else services.disable)(unit.name)
            if not services.is_live:
                return
            if unit.active:
                self._start(unit, state, context)
            elif state.active:
                services.stop(unit.name)

    def _start(self, unit: Unit, state: UnitState, context: Context) -> None:
        services = context.host.services
        if not state.active:
            start, words = services.start, "starting"
        elif context.clock.since_start(unit.name, unit.restart_on):
            start, words = services.restart, "starting"
        elif context.clock.since_start(unit.name, unit.reload_on):
            start, words = services.reload, "telling"
        else:
            return
        context.progress(f"{words} {unit.name}")
        start(unit.name)
        context.host.sleep(_SETTLE_SECONDS)
        deadline = context.host.now() + _START_SECONDS
        state = services.state(unit.name)
        while not state.active and state.detail == "activating" and context.host.now() < deadline:
            context.host.sleep(_POLL_SECONDS)
            state = services.state(unit.name)
        if not state.active:
            raise HostError(
                f"{unit.name} did not start.",
                why=context.redactor.text(state.detail),
                advice=f"journalctl -u {unit.name}" if services.name == "systemd" else "",
            )
        context.clock.started(unit.name)

    def undo(self, record: ChangeRecord, context: Context) -> Undone:
        """Stop what did not run. What did is started anew when its files are back (restart_later)."""
        services, before, name = context.host.services, record.before, record.subject
        state = services.state(name)
        if not state.exists:
            return Undone()
        if services.is_live and not before["active"]:
            # Also one that is not active: it may be about to be started again (Restart=always).
            services.stop(name)
        if state.enabled != before["enabled"]:
            (services.enable if before["enabled"] else services.disable)(name)
        if before["active"] and services.is_live and name not in context.restart_later:
            context.restart_later.append(name)
        return Undone()


def _meant(unit: Unit, context: Context) -> Unit:
    """Return the unit as it shall be: also one that shall be as it was without us."""
    if not unit.as_before:
        return unit
    known = earlier(context, lambda change: change.kind == UnitHandler.kind and change.subject == unit.name)
    if known.first is not None:
        state = known.first.before
    elif known.given_back is not None:
        state = known.given_back.after
    else:
        return unit
    return replace(unit, enabled=bool(state["enabled"]), active=bool(state["active"]))


def _is_planned(name: str, context: Context) -> bool:
    return any(path.endswith(f"/{name}") and content is not None for path, content in context.planned.items())


def _words(enabled: bool, active: bool) -> str:
    return f"{'enabled' if enabled else 'disabled'}, {'active' if active else 'not active'}"
