"""What is let in: the router's UDP port from the Internet, and from the mesh only what was chosen.

The mesh interface gets a zone of its own, because the zone that it would fall into is the one of the ordinary
network, which may let in far more (spec 11 §1). Mesh addresses that come through any other interface are
dropped: a host on the local network could otherwise reach what only the mesh shall reach, unencrypted, or
pose as anybody. NetworkManager is kept off the interface, because it gives zones of its own choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dexrouter.config import RouterConfig, TunDevice
from dexsetup.answers.model import Answers, Firewall
from dexsetup.exposure import Openings, Wish, preview, spared
from dexsetup.facts import Facts
from dexsetup.plan.model import (
    FirewallOpening,
    FirewallRule,
    LoadedZone,
    ManagedFile,
    PackageSet,
    Resource,
    Risk,
    StepPlan,
    Unit,
)
from dexsetup.render.environment import Renderer
from dexsetup.steps.base import Inputs
from dexsetup.steps.configuration import udp_ports
from dexsetup.steps.node import ReadsConfig, parsed, planned_config

__all__ = ["GUARD_UNIT", "SIP", "ZONE", "FirewallStep", "chosen_services", "mesh_ports"]

ZONE = "cjdns"
SIP = "cjdns-sip"
_ZONE_FILE = f"/etc/firewalld/zones/{ZONE}.xml"
_SIP_FILE = f"/etc/firewalld/services/{SIP}.xml"
_KEEP_OFF_FILE = "/etc/NetworkManager/conf.d/90-dexsetup.conf"
_GUARD_FILE = "/etc/dexsetup/guard.nft"
GUARD_UNIT = "dexsetup-guard.service"
_GUARD_UNIT_FILE = f"/etc/systemd/system/{GUARD_UNIT}"
_SMTP_PORT = 25
_PORTS: dict[str, tuple[tuple[str, str], ...]] = {
    "smtp": (("25", "tcp"),),
    SIP: (("5060", "udp"), ("5060", "tcp"), ("7078-7079", "udp"), ("9078-9079", "udp")),
    "ssh": (("22", "tcp"),),
    "http": (("80", "tcp"),),
}
"""What each service lets in; the ports of sound and picture with their control ports (spec 10 §4.3)."""
_DEVICE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_DROPPED = (
    ('rule family="ipv6" destination address="fc00::/8" drop', "drop what goes to mesh addresses"),
    ('rule family="ipv6" source address="fc00::/8" drop', "drop what claims to be from mesh addresses"),
)


class FirewallStep(ReadsConfig):
    """See the module docstring."""

    name = "firewall"
    title = "Firewall"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the configuration, and what we wrote before: what answers do not mention stays as it is."""
        return (*super().reads(answers, facts), _ZONE_FILE, _GUARD_FILE)

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the zone, the rules and the ports, now and after a reboot; or ours gone."""
        answers, facts = inputs.answers, inputs.facts
        firewall, content = answers.firewall, planned_config(inputs)
        if firewall is None or content is None:
            return None
        config = parsed(content)
        device = _device(config)
        if not firewall.enable:
            resources = _switched_off(facts, device, udp_ports(config))
            doors = preview(facts, _wish(facts, firewall, device, udp_ports(config), ()))
            return StepPlan(name=self.name, title=self.title, resources=resources, doors=doors)
        ports, services = udp_ports(config), chosen_services(answers, _present_services(facts))
        wish = _wish(facts, firewall, device, ports, services)
        said = spared(facts, wish)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=_resources(inputs, firewall, device, ports, services),
            needs=("router",),
            risks=_risks(firewall),
            notes=(*((said,) if said else ()), *_notes(facts, firewall, device, ports)),
            doors=preview(facts, wish),
        )


def mesh_ports(services: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return (port or range, protocol) of everything that these services let in; of strange ones, nothing."""
    return tuple(port for service in services for port in _PORTS.get(service, ()))


def _device(config: RouterConfig) -> str:
    """Return the mesh interface's fixed name, or nothing where the kernel chooses one."""
    tunnel = config.tunnel
    name = tunnel.name if isinstance(tunnel, TunDevice) else None
    return name if name is not None and _DEVICE.fullmatch(name) else ""


def chosen_services(answers: Answers, present: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the services that the mesh shall reach, in firewalld's words.

    What the answers do not mention stays as it is in `present`.
    """
    mail, phone, firewall, nodeinfo = answers.mail, answers.phone, answers.firewall, answers.nodeinfo
    is_ssh_answered = firewall is not None and "ssh" in firewall.model_fields_set
    wanted = (
        ("smtp", None if mail is None else mail.enable and not answers.public_address),
        (SIP, None if phone is None else phone.enable and not answers.public_address),
        ("http", None if nodeinfo is None else nodeinfo.enable),
        ("ssh", firewall.ssh if firewall is not None and is_ssh_answered else None),
    )
    return tuple(name for name, is_wanted in wanted if (name in present if is_wanted is None else is_wanted))


def _present_services(facts: Facts) -> frozenset[str]:
    """Return what the files let in that we wrote before. Only root may read them: others see none."""
    files = (facts.files.get(path) for path in (_ZONE_FILE, _GUARD_FILE))
    zone, guard = (_text(file.content if file is not None else None) for file in files)
    return frozenset(
        name
        for name, ports in _PORTS.items()
        if f'<service name="{name}"/>' in zone
        or all(f"{protocol} dport {port} accept" in guard for port, protocol in ports)
    )


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _resources(
    inputs: Inputs, firewall: Firewall, device: str, ports: tuple[int, ...], services: tuple[str, ...]
) -> tuple[Resource, ...]:
    facts, renderer = inputs.facts, inputs.renderer
    keep_off = _keep_off(renderer, device) if device and "NetworkManager" in facts.programs else ()
    if facts.firewall == "none":
        has_guard = firewall.guard and bool(device) and facts.init == "systemd"
        return (*keep_off, *(_guard(inputs, device, services) if has_guard else ()))
    openings = tuple(FirewallOpening(port, "udp") for port in ports)
    if not device:
        mail = (FirewallOpening(_SMTP_PORT, "tcp"),) if "smtp" in services else ()
        return (*openings, *mail)
    return (*openings, *keep_off, *_zone(renderer, device, services))


def _zone(renderer: Renderer, device: str, services: tuple[str, ...]) -> tuple[Resource, ...]:
    sip = renderer.render("firewalld/cjdns-sip.xml.j2", ports=_PORTS[SIP]) if SIP in services else None
    zone = renderer.render("firewalld/zone.xml.j2", device=device, services=services)
    return (
        _file(renderer, _SIP_FILE, "firewalld/cjdns-sip.xml.j2", sip),
        _file(renderer, _ZONE_FILE, "firewalld/zone.xml.j2", zone),
        LoadedZone(ZONE, device, services, files=(_SIP_FILE, _ZONE_FILE)),
        *(FirewallRule(rule, what, except_zone=ZONE) for rule, what in _DROPPED),
    )


def _keep_off(renderer: Renderer, device: str) -> tuple[Resource, ...]:
    template = "networkmanager/90-dexsetup.conf.j2"
    return (_file(renderer, _KEEP_OFF_FILE, template, renderer.render(template, device=device)),)


def _guard(inputs: Inputs, device: str, services: tuple[str, ...]) -> tuple[Resource, ...]:
    renderer = inputs.renderer
    rules, unit = "nftables/guard.nft.j2", f"units/{GUARD_UNIT}.j2"
    text = renderer.render(rules, device=device, ports=mesh_ports(services))
    guard = ManagedFile(
        _GUARD_FILE,
        text,
        # Only root may ask nft whether rules are good.
        validate=("nft", "-c", "-f", "{}") if inputs.facts.is_root else (),
        template=f"{rules} {renderer.version(rules)}",
    )
    return (
        PackageSet(("nftables",)),
        guard,
        _file(renderer, _GUARD_UNIT_FILE, unit, renderer.render(unit)),
        Unit(GUARD_UNIT, restart_on=(_GUARD_FILE, _GUARD_UNIT_FILE)),
    )


def _file(renderer: Renderer, path: str, template: str, content: bytes | None) -> ManagedFile:
    return ManagedFile(path, content, template=f"{template} {renderer.version(template)}")


def _wish(
    facts: Facts, firewall: Firewall, device: str, ports: tuple[int, ...], services: tuple[str, ...]
) -> Wish:
    """Return what is to be let in. Without a zone of its own the mesh gets mail alone, from every side."""
    guard = facts.files.get(_GUARD_FILE)
    has_guard = guard is not None and guard.content is not None
    return Wish(
        device=device,
        router_ports=tuple(port for port in ports if port),
        services=_openings(services if device else (name for name in services if name == "smtp")),
        is_managed=firewall.enable,
        has_guard=firewall.guard and bool(device) and facts.init == "systemd",
        guarded=_openings(sorted(_present_services(facts))) if has_guard else None,
    )


def _openings(services: Iterable[str]) -> Openings:
    return tuple((name, tuple(f"{port}/{protocol}" for port, protocol in _PORTS[name])) for name in services)


def _switched_off(facts: Facts, device: str, ports: tuple[int, ...]) -> tuple[Resource, ...]:
    """Want what we put there gone: the zone, its rules, the guard, the router's port where we opened it."""
    files = (_KEEP_OFF_FILE, _GUARD_UNIT_FILE, _GUARD_FILE, _SIP_FILE, _ZONE_FILE)
    stop = (Unit(GUARD_UNIT, enabled=False, active=False),) if facts.firewall == "none" else ()
    rules = (FirewallRule(rule, what, except_zone=ZONE, is_wanted=False) for rule, what in _DROPPED)
    return (
        *stop,
        *rules,
        *(FirewallOpening(port, "udp", is_wanted=False) for port in ports),
        FirewallOpening(_SMTP_PORT, "tcp", is_wanted=False),
        *(ManagedFile(path, None) for path in files),
        LoadedZone(ZONE, device, (), files=(_SIP_FILE, _ZONE_FILE), is_wanted=False),
    )


def _risks(firewall: Firewall) -> tuple[Risk, ...]:
    if not firewall.ssh:
        return ()
    return (
        Risk(
            "mesh-ssh",
            "Everybody on the mesh can try to log in over ssh. Allow keys only, and only the people who need "
            "it: PasswordAuthentication no, PermitRootLogin no, AllowUsers.",
        ),
    )


def _notes(facts: Facts, firewall: Firewall, device: str, ports: tuple[int, ...]) -> tuple[str, ...]:
    notes = []
    if facts.firewall == "none" and not firewall.guard:
        notes.append(
            "No firewalld is here, so nothing is opened, and nothing is shut either: every program that "
            "listens on all addresses can be reached from the mesh. Look with: dexsetup audit. To let in "
            "only what you chose, answer guard = true under [firewall]: a small nftables table then does it."
        )
    elif facts.firewall == "none" and facts.init != "systemd":
        notes.append("There is no systemd here to load the guard of the mesh interface: it is left out.")
    if not device:
        notes.append(
            "The mesh interface has no name of its own, so no zone can be given to it: answer "
            'device = "cjdns0" under [node].'
        )
    if device and "NetworkManager" in facts.programs:
        notes.append(
            f"NetworkManager keeps off {device} from its next start; at once with: nmcli general reload conf"
        )
    if not ports:
        notes.append(
            "The router's UDP port is drawn at each start, so it cannot be opened: set node.udp_port."
        )
    return tuple(notes)
