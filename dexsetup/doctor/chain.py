"""Walks the whole chain from the key to the mail server's greeting, and says where it breaks.

Each link is looked at through the Host and changes nothing. A break comes with its cause and with what mends
it, as a command that can be pasted; where dexsetup can do that itself (`dexsetup doctor --fix`), its remedy
is named, too. A link that hangs on a broken one is not looked at: its failure would say nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from dexrouter.config import ConfigError, RouterConfig, load_config
from dexrouter.crypto.keys import address_of, parse_public_key
from dexsetup.doctor.finding import AGAIN, Finding, Remedy
from dexsetup.doctor.mail import mail_links, unit_at_boot, waiting_at_boot
from dexsetup.doctor.phone import phone_link
from dexsetup.doctor.zone import zone_links
from dexsetup.errors import HostError
from dexsetup.facts import Facts
from dexsetup.host.base import FirewallState, Host
from dexsetup.plan.events import Grade
from dexsetup.steps.boot import NETWORK_TARGET
from dexsetup.steps.configuration import node_address, udp_ports
from dexsetup.steps.firewall import SIP
from dexsetup.steps.node import CONFIG
from dexsetup.steps.router import CJDNS_UNIT, ROUTER_UNIT, WAIT_UNIT

__all__ = ["examine"]

_PING_SECONDS = 15.0
_PINGED_MAX = 3
"""Nodes that are asked for an answer over the mesh: one that does not answer pings proves nothing."""
_CARRIER_NAT = IPv4Network("100.64.0.0/10")


def examine(
    host: Host, facts: Facts, *, is_mail_wanted: bool, is_phone_wanted: bool, public: str = ""
) -> Iterator[Finding]:
    """Yield what is found, link by link, as it is found.

    `public` is the address that letters and calls go to where that is not the mesh's; then the node comes
    after it, if there is one.
    """
    if public:
        yield from _at_public_address(host, facts, public, is_mail_wanted=is_mail_wanted)
        if is_phone_wanted:
            yield phone_link(host, public)
        if host.stat(CONFIG) is None:
            return
        is_mail_wanted = is_phone_wanted = False
    config, finding = _key(host)
    yield finding
    if config is None:
        return
    address = str(node_address(config))
    unit, finding = _service(host)
    yield finding
    yield from _order_at_boot(host, facts, unit, is_mail_wanted=is_mail_wanted)
    if finding.is_break:
        return
    finding = _address(host, address, unit)
    yield finding
    if not finding.is_break:
        yield _uplink(host, config)
        yield from _ports(host, config, unit)
        finding = _peers(host, config)
        yield finding
        if finding.grade is Grade.OK:
            yield _route(host, config, address)
    if is_mail_wanted:
        yield from mail_links(host, facts, address)
        yield from zone_links(host, config, "smtp", "mail")
    if is_phone_wanted:
        yield phone_link(host, address)
        yield from zone_links(host, config, SIP, "calls")


def _at_public_address(host: Host, facts: Facts, address: str, *, is_mail_wanted: bool) -> Iterator[Finding]:
    if not host.network.address_is_bound(address):
        cause = "the provider gave this line another one, or the interface is down"
        fix = "look with: ip -6 addr; then change public.address in the answers"
        yield Finding("address", Grade.FAIL, f"{address} is on no interface", cause, fix)
        return
    yield Finding("address", Grade.OK, f"{address} is on this machine")
    if not is_mail_wanted:
        return
    if host.services.name == "systemd":
        yield unit_at_boot(host, facts.mail_server.unit)
        yield waiting_at_boot(host, facts, NETWORK_TARGET)
    yield from mail_links(host, facts, address)


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
        fix = f"sudo systemctl start {unit}" if host.services.name == "systemd" else AGAIN
        cause = state.detail or "it was stopped"
        return unit, Finding("service", Grade.FAIL, f"{unit} is not active", cause, fix, Remedy.APPLY)
    cause = f"neither {ROUTER_UNIT} nor {CJDNS_UNIT} is on this machine"
    return ROUTER_UNIT, Finding("service", Grade.FAIL, "no router is installed", cause, AGAIN, Remedy.APPLY)


def _order_at_boot(host: Host, facts: Facts, unit: str, *, is_mail_wanted: bool) -> Iterator[Finding]:
    """Look at what starts at boot, and in which order."""
    if host.services.name != "systemd":
        text = "there is no systemd here: nothing is started at boot"
        yield Finding("boot", Grade.NOTE, text, "", f"after a reboot: {AGAIN}")
        return
    yield unit_at_boot(host, unit)
    if is_mail_wanted:
        yield unit_at_boot(host, WAIT_UNIT, is_pulled_in=True)
        yield unit_at_boot(host, facts.mail_server.unit)
        yield waiting_at_boot(host, facts, WAIT_UNIT)


def _address(host: Host, address: str, unit: str) -> Finding:
    if host.network.address_is_bound(address):
        return Finding("address", Grade.OK, f"{address} is on this machine")
    cause = f"{unit} runs without it: with the key of an older {CONFIG}, or without /dev/net/tun"
    text, fix = f"{address} is on no interface", f"sudo systemctl restart {unit}"
    return Finding("address", Grade.FAIL, text, cause, fix, Remedy.RESTART, unit)


def _uplink(host: Host, config: RouterConfig) -> Finding:
    """Say from where others can call: behind NAT this node calls them, which is enough."""
    addresses = [ip_address(text) for text in host.network.uplink_addresses()]
    public = [str(address) for address in addresses if address.is_global]
    if public:
        return Finding("uplink", Grade.OK, f"others can call this node at {', '.join(public)}")
    if not addresses:
        cause = "there is no default route: no peer on the Internet can be called, only neighbours on the LAN"
        return Finding("uplink", Grade.WARN, "this machine has no way to the Internet", cause, "ip route")
    shown = ", ".join(str(address) for address in addresses)
    if any(isinstance(address, IPv4Address) and address in _CARRIER_NAT for address in addresses):
        text = f"behind the provider's NAT ({shown}): this node calls its peers, nobody can call it"
        return Finding("uplink", Grade.NOTE, text)
    ports = ", ".join(str(port) for port in udp_ports(config))
    text = f"behind NAT ({shown}): this node calls its peers"
    fix = f"to be called as well, forward UDP port {ports} to this machine in the router of your line"
    return Finding("uplink", Grade.NOTE, text, "", fix if ports else "")


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
                fix = f"sudo firewall-cmd --zone={zone} --add-port={port}/udp, or: {AGAIN}"
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
