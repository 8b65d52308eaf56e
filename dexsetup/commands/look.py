"""Commands that only look: status, verify, runs, facts."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from dexrouter.config import ConfigError, RouterConfig, load_config
from dexsetup.commands.session import Session
from dexsetup.detect import facts_to_json
from dexsetup.errors import HostError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.dry import dry
from dexsetup.plan.check import check_plan
from dexsetup.plan.events import Grade
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.journal import list_runs
from dexsetup.plan.model import PeerEstablished, TcpGreets, UnitActive
from dexsetup.plan.places import ANSWERS
from dexsetup.plan.state import load_state
from dexsetup.plan.verify import look, wait_for
from dexsetup.report.redact import Redactor
from dexsetup.stale import stale_lines
from dexsetup.steps.configuration import node_address
from dexsetup.steps.node import CONFIG
from dexsetup.steps.router import CJDNS_UNIT, ROUTER_UNIT

__all__ = ["facts", "is_set_up", "present_config", "runs", "status", "verify"]

_SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the status."""

    subject: str
    grade: str
    text: str


def present_config(session: Session) -> RouterConfig | None:
    """Return the router's configuration, if there is one that can be read."""
    try:
        content = session.host.read(CONFIG)
        return load_config(content, CONFIG) if content else None
    except (HostError, ConfigError) as error:
        session.console.note(f"{CONFIG}: {error}")
        return None


def is_set_up(session: Session) -> bool:
    """Whether dexsetup has done anything on this machine."""
    return session.host.stat(ANSWERS) is not None


def status(session: Session) -> ExitCode:
    """Print how things are."""
    config = present_config(session)
    address = None if config is None else str(node_address(config))
    lines = [*_services(session, address), *_records(session)]
    if session.flags.is_json:
        value = {"address": address, "lines": [asdict(line) for line in lines]}
        value["peers"] = [{"address": place, "state": state} for place, state in _peer_states(session)]
        sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    session.console.text(f"address    {address or 'none yet'}")
    for line in lines:
        session.console.text(f"{line.grade:<4} {line.subject:<10} {line.text}")
    for place, state in _peer_states(session):
        session.console.text(f"     {place:<44} {state}")
    return ExitCode.OK


def _peer_states(session: Session) -> tuple[tuple[str, str], ...]:
    return session.host.network.peer_states() if session.host.is_live else ()


def _services(session: Session, address: str | None) -> list[Line]:
    host = session.host
    lines = []
    names = [name for name in (ROUTER_UNIT, CJDNS_UNIT) if host.services.state(name).exists][:1]
    if session.facts.mail_server.installed is not None:
        names.append(session.facts.mail_server.unit)
    for name in names:
        state = host.services.state(name)
        words = (
            f"{'active' if state.active else 'not active'}, {'enabled' if state.enabled else 'not enabled'}"
        )
        grade = Grade.OK if state.active and state.enabled else Grade.WARN
        detail = f": {state.detail}" if not state.active and state.detail else ""
        lines.append(Line("unit", grade, f"{name} {words}{session.redactor.text(detail)}"))
    if not host.is_live:
        return lines
    grade, text = look(PeerEstablished(0.0), host)
    lines.append(Line("peers", grade, text))
    if address is not None and session.facts.mail_server.installed is not None:
        grade, text = look(TcpGreets(address, _SMTP_PORT, "220 ", 5.0), host)
        lines.append(Line("mail", Grade.WARN if grade is Grade.FAIL else grade, text))
    return lines


def _records(session: Session) -> list[Line]:
    """Say what the records of dexsetup tell: the last run, and what is not as it was applied."""
    try:
        known = list_runs(session.host)
    except HostError as error:
        return [Line("runs", Grade.NOTE, f"{error.what} {error.advice}")]
    lines = []
    if known:
        last = known[-1]
        words = {"applied": "applied", "undone": "undone", "partial": "applied in part"}
        result = words.get(last.result, "interrupted: go on with --resume, or dexsetup undo")
        grade = Grade.WARN if last.is_unfinished else Grade.OK
        lines.append(Line("last run", grade, f"{last.run}, {len(last.changes)} changes, {result}"))
    else:
        lines.append(Line("last run", Grade.NOTE, "dexsetup has not changed anything here yet"))
    if known and session.facts.is_root:
        lines += _drift(session)
    return lines


def _drift(session: Session) -> list[Line]:
    """Compare the machine with the answers that were applied last."""
    last = session.last_applied()
    if last is None:
        return []
    looking = dry(session.host)
    context = Context(looking, load_state(looking), session.redactor)
    try:
        checked = check_plan(session.planner(last)(), looking, context)
    except MachineError as error:
        return [Line("as applied", Grade.WARN, error.what)]
    found = [change.summary for step in checked.steps for change in step.changes]
    found += [conflict.why for step in checked.steps for conflict in step.conflicts]
    found += [problem.why for step in checked.steps for problem in step.unavailable]
    if not found:
        return [Line("as applied", Grade.OK, "everything is as it was applied")]
    return [Line("as applied", Grade.WARN, f"not so any more; to mend: {sentence}") for sentence in found]


def verify(session: Session) -> ExitCode:
    """Check end to end what was applied last."""
    last = session.last_applied()
    if last is None:
        raise MachineError(
            "Nothing has been applied on this machine yet, so there is nothing to verify.",
            advice="dexsetup --answers FILE",
        )
    plan = session.planner(last, is_saved=False)()
    is_satisfied = True
    for step in plan.steps:
        for wanted in step.verifications:
            limit = 0.0 if isinstance(wanted, UnitActive) else None
            grade, text = wait_for(wanted, session.host, lambda _: None, lambda: False, timeout=limit)
            is_satisfied = is_satisfied and grade is Grade.OK
            session.console.text(f"{grade:<4} {step.name:<10} {text}")
    config = present_config(session)
    if config is not None:
        for found in stale_lines(session.host, session.facts, last, node_address(config)):
            is_satisfied = False
            session.console.text(f"{Grade.FAIL:<4} address    {found.text}")
    return ExitCode.OK if is_satisfied else ExitCode.UNSATISFIED


def runs(session: Session) -> ExitCode:
    """List the runs, oldest first."""
    known = list_runs(session.host)
    for record in known:
        if session.flags.is_json:
            value = {
                "run": record.run,
                "time": record.time,
                "changes": len(record.changes),
                "result": record.result or "interrupted",
            }
            sys.stdout.write(json.dumps(value) + "\n")
        else:
            result = record.result or "interrupted"
            session.console.text(
                f"{record.run:<22} {record.time:<21} {len(record.changes):>3} changes  {result}"
            )
    if not known and not session.flags.is_json:
        session.console.text("dexsetup has not changed anything on this machine.")
    return ExitCode.OK


def facts(session: Session, *, is_whole: bool) -> ExitCode:
    """Print what was found; people and file contents only if asked for."""
    sys.stdout.write(facts_to_json(session.facts, redactor=None if is_whole else Redactor()))
    return ExitCode.OK
