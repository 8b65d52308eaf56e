"""The commands that look for what is wrong: doctor (does it work?) and audit (what does the mesh reach?).

Audit looks at this machine, or from here at another node of the same owner.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import IPv6Address

from dexrouter.config import TunDevice
from dexsetup.answers.model import Answers
from dexsetup.audit import Exposure, Reach, judge, listeners, open_ports
from dexsetup.commands.apply import apply_answers
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.doctor import Finding, Remedy, examine
from dexsetup.doctor.finding import AGAIN
from dexsetup.errors import AnswersError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.exposure import lets_in, zone_of_device
from dexsetup.host.base import FirewallState
from dexsetup.networks import MESH
from dexsetup.plan.events import Grade
from dexsetup.plan.model import AddressBound
from dexsetup.plan.verify import wait_for
from dexsetup.scan import USUAL_PORTS, open_tcp_ports, parse_ports
from dexsetup.stale import stale_lines
from dexsetup.steps.configuration import node_address, udp_ports
from dexsetup.steps.firewall import GUARD_UNIT, SIP, chosen_services, mesh_ports

__all__ = ["audit", "audit_from_outside", "doctor"]

_UNCHANGED = "Nothing was changed."
_ADDRESS_SECONDS = 20.0
_CONNECT_SECONDS = 4.0
_TOLD_EVERY = 500
_NAMES = {22: "ssh", 25: "mail", 80: "web", 443: "web", 5060: "calls"}
_GRADES = {Reach.CHOSEN: Grade.OK, Reach.SURPRISE: Grade.WARN, Reach.SHUT: Grade.OK}


def doctor(session: Session, *, is_mending: bool) -> ExitCode:
    """Walk the chain and tell each break with its cause and what mends it. Exit 6 if there is one.

    Mending: do what dexsetup can do about what was found, and walk the chain once more.
    """
    _must_be_live(session)
    if is_mending and not session.facts.is_root:
        raise MachineError("Mending needs root.", done=_UNCHANGED, advice="sudo dexsetup doctor --fix")
    last = session.last_applied()
    findings = _walk(session, last)
    if is_mending and any(finding.remedy for finding in findings):
        _mend(session, findings, last)
        session.console.note("Looking again:")
        findings = _walk(session, last)
    breaks = sum(finding.is_break for finding in findings)
    if session.flags.is_json:
        words = [{**asdict(finding), "grade": str(finding.grade)} for finding in findings]
        sys.stdout.write(session.redactor.text(json.dumps({"breaks": breaks, "findings": words})) + "\n")
    else:
        session.console.text(_verdict(findings, breaks, is_mending=is_mending))
    return ExitCode.UNSATISFIED if breaks else ExitCode.OK


def _stale(session: Session, last: Answers | None) -> Iterator[Finding]:
    """Look for addresses that this node no longer has."""
    config = present_config(session)
    if last is None or config is None:
        return
    own = node_address(config)
    for found in stale_lines(session.host, session.facts, last, own):
        cause = "the key was changed, or the line was written by hand"
        yield Finding("address", Grade.FAIL, found.text, cause, AGAIN, Remedy.APPLY)


def _walk(session: Session, last: Answers | None) -> list[Finding]:
    is_mail_wanted = last is not None and last.mail is not None and last.mail.enable
    findings: list[Finding] = []
    public = last.public_address if last is not None else ""
    links = examine(
        session.host,
        session.facts,
        is_mail_wanted=is_mail_wanted,
        is_phone_wanted=last is not None and last.phone is not None and last.phone.enable,
        public=public,
    )
    for finding in itertools.chain(links, _stale(session, last)):
        findings.append(finding)
        if not session.flags.is_json:
            _tell(session, finding)
    return findings


def _verdict(findings: list[Finding], breaks: int, *, is_mending: bool) -> str:
    if not breaks:
        return "Everything that was looked at works."
    text = f"The chain is broken in {breaks} {'place' if breaks == 1 else 'places'}."
    if not is_mending and any(finding.is_break and finding.remedy for finding in findings):
        text += " To let dexsetup mend what it can: sudo dexsetup doctor --fix"
    return text


def _mend(session: Session, findings: list[Finding], last: Answers | None) -> None:
    """Restart what only has to learn how things are; then apply the last answers, if something is not so.

    In this order, because applying ends with checks that need the router and the mail server.
    """
    host = session.host
    units = [finding.unit for finding in findings if finding.remedy is Remedy.RESTART]
    for unit in dict.fromkeys(units):
        session.console.note(f"Restarting {unit}")
        host.services.restart(unit)
    config = present_config(session)
    if units and config is not None:
        address = str(node_address(config))
        wait_for(AddressBound(address, _ADDRESS_SECONDS), host, lambda _: None, lambda: False)
    if not any(finding.remedy is Remedy.APPLY for finding in findings):
        return
    if last is None:
        session.console.note("Nothing was applied here before, so nothing can be applied again: dexsetup")
        return
    session.console.note("Applying what was applied last, once more:")
    apply_answers(session, last)


def _tell(session: Session, finding: Finding) -> None:
    session.console.text(f"{finding.grade:<4} {finding.link:<9} {session.redactor.text(finding.text)}")
    for word, text in (("why", finding.cause), ("do", finding.fix)):
        if text:
            session.console.text(f"               {word}: {session.redactor.text(text)}")


def audit(session: Session) -> ExitCode:
    """Tell what the mesh can reach. Exit 6 if there is something that was not chosen."""
    _must_be_live(session)
    config = present_config(session)
    if config is None:
        raise MachineError("This machine has no node, so the mesh reaches nothing here.", advice="dexsetup")
    address = str(node_address(config))
    shown = session.host.probe(["ss", "-H", "-lntup"])
    if shown.status != 0:
        raise MachineError("What listens cannot be seen.", why=shown.stderr.strip() or "ss is not here")
    last = session.last_applied()
    chosen = frozenset(open_ports(mesh_ports(chosen_services(last))) if last is not None else ())
    chosen |= {(port, "udp") for port in udp_ports(config)}
    device = config.tunnel.name if isinstance(config.tunnel, TunDevice) else None
    let_in, words = _let_in(session, device, chosen)
    exposures = judge(listeners(shown.stdout, address), let_in=let_in, chosen=chosen)
    surprises = sum(exposure.reach is Reach.SURPRISE for exposure in exposures)
    if session.flags.is_json:
        items = [asdict(exposure) for exposure in exposures]
        value = {"address": address, "firewall": words, "surprises": surprises, "listeners": items}
        sys.stdout.write(json.dumps(value) + "\n")
    else:
        _table(session, address, words, exposures)
    return ExitCode.UNSATISFIED if surprises else ExitCode.OK


def audit_from_outside(session: Session, node: str, ports: str) -> ExitCode:
    """Tell which TCP ports of another own node the mesh reaches. Exit 6 if not only mail and calls are."""
    _must_be_live(session)
    address = _other_node(session, node)
    try:
        asked = parse_ports(ports) if ports else USUAL_PORTS
    except ValueError as error:
        raise AnswersError((f"--ports: {error}",)) from error

    def tell(done: int) -> None:
        if done % _TOLD_EVERY == 0:
            session.console.note(f"{done} of {len(asked)} ports asked ...")

    session.console.note(f"Asking {len(asked)} TCP ports of {address}; scan nodes of your own only.")
    found = asyncio.run(open_tcp_ports(address, asked, seconds=_CONNECT_SECONDS, progress=tell))
    chosen = {port for port, protocol in open_ports(mesh_ports(("smtp", SIP))) if protocol == "tcp"}
    surprises = [port for port in found if port not in chosen]
    if session.flags.is_json:
        value = {"address": address, "asked": len(asked), "open": found, "surprises": surprises}
        sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.UNSATISFIED if surprises else ExitCode.OK
    for port in found:
        grade = Grade.WARN if port in surprises else Grade.OK
        session.console.text(f"{grade:<4} {f'{port}/tcp':<10} {_NAMES.get(port, '?'):<18} open to the mesh")
    if surprises:
        session.console.text(
            "Was that chosen? What it is, and what to do about it, there: sudo dexsetup audit"
        )
    if not found:
        session.console.text(
            "Nothing answered: all of it is shut, or the node is away. Try: dexctl ping " + address
        )
    session.console.text("UDP was not asked: silence says nothing there.")
    return ExitCode.UNSATISFIED if surprises else ExitCode.OK


def _other_node(session: Session, node: str) -> str:
    """Return the address of a node that is not this one. Raises AnswersError for any other word."""
    try:
        address = IPv6Address(node.strip("[]"))
    except ValueError:
        address = None
    if address is None or address not in MESH or address.scope_id is not None:
        raise AnswersError((f'--scan: "{node}" is no mesh address; those begin with fc',))
    if session.host.network.address_is_bound(str(address)):
        why = "this is the node itself, and what it sends to itself passes no firewall"
        raise AnswersError((f"--scan: {why}: scan it from another node",))
    return str(address)


def _let_in(
    session: Session, device: str | None, chosen: frozenset[tuple[int, str]]
) -> tuple[frozenset[tuple[int, str]] | None, str]:
    """Return what the firewall lets in from the mesh (None: everything), and how that is known."""
    zone = zone_of_device(session.facts.zones, device or "")
    if zone is not None:
        openings = lets_in(zone)
        services = ", ".join(sorted(what for what, _ in openings or () if what)) or "no service"
        words = f"{device or 'the mesh interface'} is in the zone {zone.name}: {services}"
        if openings is None:
            return None, f"{words}; this zone lets everything in"
        ports = [port for _, opened in openings for port in opened]
        own = [port for what, opened in openings for port in opened if not what]
        known = frozenset(open_ports(_split(port) for port in ports))
        return known, f"{words}, {', '.join(own)}" if own else words
    if session.host.firewall.state is FirewallState.RUNNING:
        return None, "firewalld does not say what it lets in: it may be everything"
    if session.host.services.state(GUARD_UNIT).active:
        return chosen, f"{GUARD_UNIT} lets in what was chosen"
    return None, "no firewall that dexsetup knows runs: nothing is shut out"


def _split(port: str) -> tuple[str, str]:
    ports, _, protocol = port.partition("/")
    return ports, protocol


def _table(session: Session, address: str, words: str, exposures: tuple[Exposure, ...]) -> None:
    session.console.text(f"address    {address}")
    session.console.text(f"firewall   {words}")
    for exposure in exposures:
        listener = exposure.listener
        place = f"{listener.port}/{listener.protocol}"
        program = listener.program or "?"
        session.console.text(f"{_GRADES[exposure.reach]:<4} {place:<10} {program:<18} {exposure.reach}")
        if exposure.advice:
            session.console.text(f"               do: {exposure.advice}")
    if not exposures:
        session.console.text("Nothing listens where the mesh could reach it.")


def _must_be_live(session: Session) -> None:
    if not session.host.is_live:
        raise MachineError("Nothing runs below --root, so there is nothing to look at.")
