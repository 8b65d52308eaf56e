"""Walks the whole chain from the key to the mail server's greeting, and says where it breaks.

Each link is looked at through the Host and changes nothing. A break comes with its cause and with what mends
it, as a command that can be pasted; where dexsetup can do that itself (`dexsetup doctor --fix`), its remedy
is named, too. A link that hangs on a broken one is not looked at: its failure would say nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address

from dexrouter.config import ConfigError, RouterConfig, TunDevice, load_config
from dexrouter.crypto.keys import address_of, key_pair_from_private, parse_public_key
from dexsetup.errors import HostError
from dexsetup.facts import Facts
from dexsetup.host.base import FirewallState, Host
from dexsetup.plan.events import Grade
from dexsetup.steps.boot import drop_in_path
from dexsetup.steps.configuration import udp_ports
from dexsetup.steps.firewall import ZONE
from dexsetup.steps.mail import mail_literal
from dexsetup.steps.node import CONFIG
from dexsetup.steps.router import CJDNS_UNIT, ROUTER_UNIT, WAIT_UNIT

__all__ = ["Finding", "Remedy", "examine"]

_AGAIN = "dexsetup --answers /etc/dexsetup/answers.toml"
_SMTP_PORT = 25
_GREETING_SECONDS = 10.0
_PING_SECONDS = 15.0
_PINGED_MAX = 3
"""Nodes that are asked for an answer over the mesh: one that does not answer pings proves nothing."""


class Remedy(StrEnum):
    """What `dexsetup doctor --fix` does about a finding."""

    NONE = ""
    APPLY = "apply"
    """Apply the answers that were applied last once more: whatever is not as they say is put right."""
    RESTART = "restart"
    """Restart the unit: everything is as it should be, and only what runs does not know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one link of the chain."""

    link: str
    grade: Grade
    text: str
    cause: str = ""
    fix: str = ""
    """A command or a sentence; empty when there is nothing to mend."""
    remedy: Remedy = Remedy.NONE
    unit: str = ""
    """What a restart is for."""

    @property
    def is_break(self) -> bool:
        """Whether the chain is broken here."""
        return self.grade is Grade.FAIL


def examine(host: Host, facts: Facts, *, is_mail_wanted: bool) -> Iterator[Finding]:
    """Yield what is found, link by link, as it is found."""
    config, finding = _key(host)
    yield finding
    if config is None:
        return
    address = str(IPv6Address(bytes(key_pair_from_private(config.private_key.reveal()).address)))
    unit, finding = _service(host)
    yield finding
    yield from _order_at_boot(host, facts, unit, is_mail_wanted=is_mail_wanted)
    if finding.is_break:
        return
    finding = _address(host, address, unit)
    yield finding
    if not finding.is_break:
        yield from _ports(host, config, unit)
        finding = _peers(host, config)
        yield finding
        if finding.grade is Grade.OK:
            yield _route(host, config, address)
    if is_mail_wanted:
        yield from _mail(host, facts, address, config)


def _key(host: Host) -> tuple[RouterConfig | None, Finding]:
    try:
        content = host.read(CONFIG)
    except HostError as error:
        return None, Finding(
            "key", Grade.FAIL, f"{CONFIG} cannot be read", error.why or error.what, "sudo dexsetup doctor"
        )
    if not content:
        return None, Finding(
            "key", Grade.FAIL, f"there is no {CONFIG}", "this machine has no node yet", "sudo dexsetup"
        )
    try:
        config = load_config(content, CONFIG)
    except ConfigError as error:
        fix = f"mend the place named above, then: dexrouter --check --config {CONFIG}"
        return None, Finding("key", Grade.FAIL, f"{CONFIG} cannot be understood", str(error), fix)
    info = host.stat(CONFIG)
    if info is not None and info.mode & 0o077:
        text = f"{CONFIG} can be read by others (mode {info.mode:04o}): whoever has the key has the address"
        fix = f"sudo chmod 600 {CONFIG}"
        return config, Finding("key", Grade.WARN, text, "its mode was changed", fix, Remedy.APPLY)
    return config, Finding("key", Grade.OK, f"{CONFIG} has a key and can be read")


def _service(host: Host) -> tuple[str, Finding]:
    for unit in (ROUTER_UNIT, CJDNS_UNIT):
        state = host.services.state(unit)
        if not state.exists:
            continue
        if state.active:
            return unit, Finding("service", Grade.OK, f"{unit} is active")
        fix = f"sudo systemctl start {unit}" if host.services.name == "systemd" else f"sudo {_AGAIN}"
        cause = state.detail or "it was stopped"
        return unit, Finding("service", Grade.FAIL, f"{unit} is not active", cause, fix, Remedy.APPLY)
    cause = f"neither {ROUTER_UNIT} nor {CJDNS_UNIT} is on this machine"
    return ROUTER_UNIT, Finding(
        "service", Grade.FAIL, "no router is installed", cause, f"sudo {_AGAIN}", Remedy.APPLY
    )


def _order_at_boot(host: Host, facts: Facts, unit: str, *, is_mail_wanted: bool) -> Iterator[Finding]:
    """Look at what starts at boot, and in which order: else mail is gone after the next reboot."""
    if host.services.name != "systemd":
        text = "there is no systemd here: nothing is started at boot"
        yield Finding("boot", Grade.NOTE, text, "", f"after a reboot: sudo {_AGAIN}")
        return
    names = [unit, *([WAIT_UNIT, facts.mail_server.unit] if is_mail_wanted else [])]
    for name in names:
        state = host.services.state(name)
        if not state.exists:
            yield Finding(
                "boot",
                Grade.FAIL,
                f"{name} is not on this machine",
                "it was removed",
                f"sudo {_AGAIN}",
                Remedy.APPLY,
            )
        elif not state.enabled and name != WAIT_UNIT:
            fix = f"sudo systemctl enable {name}"
            yield Finding(
                "boot", Grade.FAIL, f"{name} is not started at boot", "it is not enabled", fix, Remedy.APPLY
            )
        else:
            yield Finding("boot", Grade.OK, f"{name} is started at boot")
    if not is_mail_wanted:
        return
    path = drop_in_path(facts)
    text = (host.read(path) or b"").decode("utf-8", "replace")
    if f"Wants={WAIT_UNIT}" in text and f"After={WAIT_UNIT}" in text:
        yield Finding("boot", Grade.OK, f"{facts.mail_server.unit} waits for the mesh address")
        return
    cause = (
        f"{path} is not there or does not name {WAIT_UNIT}: at boot the server would find no address and end"
    )
    yield Finding(
        "boot", Grade.FAIL, f"{facts.mail_server.unit} does not wait for the address", cause, f"sudo {_AGAIN}"
    )


def _address(host: Host, address: str, unit: str) -> Finding:
    if host.network.address_is_bound(address):
        return Finding("address", Grade.OK, f"{address} is on this machine")
    cause = f"{unit} runs without it: with the key of an older {CONFIG}, or without /dev/net/tun"
    text, fix = f"{address} is on no interface", f"sudo systemctl restart {unit}"
    return Finding("address", Grade.FAIL, text, cause, fix, Remedy.RESTART, unit)


def _ports(host: Host, config: RouterConfig, unit: str) -> Iterator[Finding]:
    firewall = host.firewall
    listening = host.probe(["ss", "-lunH"]).stdout
    for port in udp_ports(config):
        if f":{port} " not in listening:
            cause = "another program has it, or the router was started with an older configuration"
            yield Finding(
                "port",
                Grade.FAIL,
                f"nothing listens on UDP port {port}",
                cause,
                f"sudo ss -lunp 'sport = :{port}'",
                Remedy.RESTART,
                unit,
            )
            continue
        if firewall.state is FirewallState.RUNNING:
            zone = firewall.zone_of_uplink()
            if not firewall.is_open(zone, port, "udp")[0]:
                fix = f"sudo firewall-cmd --zone={zone} --add-port={port}/udp, or: sudo {_AGAIN}"
                text = f"UDP port {port} is shut in zone {zone}: others cannot call this node"
                yield Finding("port", Grade.WARN, text, "the firewall does not let it in", fix, Remedy.APPLY)
                continue
        yield Finding("port", Grade.OK, f"the router listens on UDP port {port}")


def _peers(host: Host, config: RouterConfig) -> Finding:
    if not any(entry.connect_to for entry in config.udp_interfaces) and not host.network.peer_states():
        cause = "the configuration names none, and no neighbour was found"
        return Finding("peers", Grade.FAIL, "the node has no peers", cause, "dexsetup peers list --public")
    states = host.network.peer_states()
    answering = sum(state == "ESTABLISHED" for _, state in states)
    if answering:
        return Finding("peers", Grade.OK, f"{answering} of {len(states)} peers answer")
    shown = ", ".join(f"{place} {state}" for place, state in states) or "the router does not tell of any"
    cause = f"{shown}: they are away, their password was changed, or UDP does not get out of this network"
    return Finding(
        "peers", Grade.FAIL, "no peer answers", cause, "dexsetup peers list; another peer: dexsetup peers add"
    )


def _route(host: Host, config: RouterConfig, own: str) -> Finding:
    keys = {peer.public_key for interface in config.udp_interfaces for peer in interface.connect_to}
    nodes = sorted({str(IPv6Address(bytes(address_of(parse_public_key(key))))) for key in keys} - {own})
    for node in nodes[:_PINGED_MAX]:
        done = host.probe(["ping", "-6", "-c", "2", "-i", "0.3", "-W", "5", node], timeout=_PING_SECONDS)
        if done.status == 0:
            return Finding("route", Grade.OK, f"{node} answers over the mesh")
    if not nodes:
        return Finding("route", Grade.NOTE, "no peer is named whose answer over the mesh could be waited for")
    text = f"no answer over the mesh from {', '.join(nodes[:_PINGED_MAX])}"
    cause = "a peer without an interface of its own answers no ping; else a firewall drops what comes back"
    return Finding("route", Grade.WARN, text, cause, f"dexctl ping {nodes[0]}; sudo dexsetup audit")


def _mail(host: Host, facts: Facts, address: str, config: RouterConfig) -> Iterator[Finding]:
    server = facts.mail_server
    for path, needle in ((server.config, address), (server.mailname, mail_literal(address))):
        if needle not in (host.read(path) or b"").decode("utf-8", "replace"):
            cause = "it was written for another key, or by somebody else"
            yield Finding(
                "mail", Grade.FAIL, f"{path} does not carry {address}", cause, f"sudo {_AGAIN}", Remedy.APPLY
            )
    state = host.services.state(server.unit)
    if not state.active:
        fix = f"sudo systemctl restart {server.unit}" if host.services.name == "systemd" else f"sudo {_AGAIN}"
        yield Finding(
            "mail",
            Grade.FAIL,
            f"{server.unit} is not active",
            state.detail or "it was stopped",
            fix,
            Remedy.APPLY,
        )
        return
    yield _greeting(host.network.tcp_greeting, address, server.unit)
    yield from _zone(host, config)


def _greeting(ask: Callable[[str, int, float], str], address: str, unit: str) -> Finding:
    place = f"[{address}]:{_SMTP_PORT}"
    try:
        line = ask(address, _SMTP_PORT, _GREETING_SECONDS)
    except TimeoutError as error:
        cause = f"{error.strerror or error}: it asks a name server that does not answer before it greets"
        return Finding("mail", Grade.FAIL, f"{place} does not greet", cause, f"sudo {_AGAIN}", Remedy.APPLY)
    except OSError as error:
        cause = f"{error.strerror or error}: {unit} listens elsewhere"
        return Finding(
            "mail",
            Grade.FAIL,
            f"{place} does not answer",
            cause,
            f"sudo systemctl restart {unit}",
            Remedy.RESTART,
            unit,
        )
    if not line.startswith("220 "):
        return Finding(
            "mail",
            Grade.FAIL,
            f"{place} answers with {line!r}",
            "another program has the port",
            "sudo ss -ltnp",
        )
    return Finding("mail", Grade.OK, f"{place} greets: {line}")


def _zone(host: Host, config: RouterConfig) -> Iterator[Finding]:
    if host.firewall.state is not FirewallState.RUNNING:
        return
    members = host.firewall.zone_members(ZONE)
    device = config.tunnel.name if isinstance(config.tunnel, TunDevice) else None
    if members is None or device not in members[1]:
        text = f"{device or 'the mesh interface'} is not in the zone {ZONE}"
        cause = "the zone of the ordinary network decides what the mesh reaches, and it may shut port 25"
        yield Finding("firewall", Grade.WARN, text, cause, f"sudo {_AGAIN}", Remedy.APPLY)
    elif "smtp" not in members[0]:
        text = f"the zone {ZONE} does not let mail in"
        yield Finding("firewall", Grade.FAIL, text, "it was changed", f"sudo {_AGAIN}", Remedy.APPLY)
    else:
        yield Finding("firewall", Grade.OK, f"{device} is in the zone {ZONE}, which lets mail in")
