"""The router itself: a root-owned copy of the programs, an account of its own, two units.

The copy lies in /opt/dexsetup, because a service of root's must not run code that a user can write. With the
answer backend = "cjdns" the distribution's router takes the place of all that.
"""

from __future__ import annotations

from dexsetup.facts import Facts
from dexsetup.plan.model import (
    AddressBound,
    Link,
    ManagedFile,
    Resource,
    Risk,
    StepPlan,
    SystemUser,
    Tree,
    Unit,
    UnitActive,
)
from dexsetup.plan.places import PROGRAMS
from dexsetup.render.environment import Renderer
from dexsetup.steps.base import Inputs
from dexsetup.steps.configuration import is_taken_while_running, udp_ports
from dexsetup.steps.node import (
    CONFIG,
    ReadsConfig,
    address_of,
    parsed,
    planned_config,
    present_config,
    wanted_node,
)

__all__ = ["CJDNS_UNIT", "ROUTER_UNIT", "ROUTER_UNITS", "TREE", "WAIT_UNIT", "RouterStep", "told_router"]

TREE = PROGRAMS
ROUTER_UNIT = "dexrouter.service"
CJDNS_UNIT = "cjdns.service"
WAIT_UNIT = "cjdns-wait-online.service"
ROUTER_UNITS = {"none": "", "embedded": ROUTER_UNIT, "cjdns": CJDNS_UNIT}
"""The unit of the router that runs, by Facts.running_router."""

_ACCOUNT = "dexrouter"
_UNIT_DIRECTORY = "/etc/systemd/system"
_COMMANDS = ("dexctl", "dexrouter", "dexsetup")
_PRIVILEGED_PORTS_END = 1024
_ADDRESS_SECONDS = 60.0


class RouterStep(ReadsConfig):
    """See the module docstring."""

    name = "router"
    title = "Router and mesh interface"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the router installed, running, and its address on the interface."""
        node = wanted_node(inputs.answers, inputs.facts)
        content = planned_config(inputs)
        if node is None or content is None:
            return None
        address = address_of(content)
        resources = _distribution_router() if node.backend == "cjdns" else _own_router(inputs, content)
        unit = CJDNS_UNIT if node.backend == "cjdns" else ROUTER_UNIT
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=resources,
            waits=(AddressBound(address, _ADDRESS_SECONDS),),
            verifications=(UnitActive(unit),),
            needs=("packages", "identity", "peers", "allow"),
            risks=_risks(node.backend, inputs.facts),
            notes=_notes(inputs.facts),
            unavailable=_reason_against(node.backend, inputs.facts),
            address=address,
        )


def _distribution_router() -> tuple[Resource, ...]:
    return (Unit(CJDNS_UNIT, restart_on=(CONFIG,)),)


def _own_router(inputs: Inputs, content: bytes) -> tuple[Resource, ...]:
    config = parsed(content)
    uses_ethernet = bool(config.eth_interfaces)
    capabilities = ["CAP_NET_ADMIN"]
    if uses_ethernet:
        capabilities.append("CAP_NET_RAW")
    if any(port < _PRIVILEGED_PORTS_END for port in udp_ports(config)):
        capabilities.append("CAP_NET_BIND_SERVICE")
    router_unit = _unit_file(
        inputs.renderer,
        ROUTER_UNIT,
        program=f"{TREE}/bin/dexrouter",
        config=CONFIG,
        user=_ACCOUNT,
        capabilities=capabilities,
        ethernet=uses_ethernet,
    )
    wait_unit = _unit_file(inputs.renderer, WAIT_UNIT, program=f"{TREE}/bin/dexctl")
    replaced = (Unit(CJDNS_UNIT, enabled=False, active=False),)
    return (
        SystemUser(_ACCOUNT, home="/nonexistent", comment="mesh router"),
        Tree(TREE, source=inputs.facts.program_tree),
        *(Link(f"/usr/local/bin/{name}", f"{TREE}/bin/{name}") for name in _COMMANDS),
        router_unit,
        wait_unit,
        *(replaced if inputs.facts.running_router == "cjdns" else ()),
        _told_unit(ROUTER_UNIT, inputs, restart_on=(router_unit.path, TREE)),
        Unit(WAIT_UNIT, restart_on=(wait_unit.path,)),
    )


def told_router(inputs: Inputs) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """Return what lets the router have a new configuration where the node itself is left alone, and notes."""
    unit = ROUTER_UNITS[inputs.facts.running_router]
    if unit:
        return (_told_unit(unit, inputs),), ()
    return (), ("No router is running here: this holds from when one is started.",)


def _told_unit(unit: str, inputs: Inputs, *, restart_on: tuple[str, ...] = ()) -> Unit:
    """Return the router's unit: told of a new configuration while it runs, where that is enough."""
    content = planned_config(inputs)
    is_ours = inputs.facts.running_router == "embedded"
    if is_ours and content is not None and is_taken_while_running(present_config(inputs.facts), content):
        return Unit(unit, restart_on=restart_on, reload_on=(CONFIG,))
    return Unit(unit, restart_on=(CONFIG, *restart_on))


def _unit_file(renderer: Renderer, name: str, **values: object) -> ManagedFile:
    template = f"units/{name}.j2"
    return ManagedFile(
        path=f"{_UNIT_DIRECTORY}/{name}",
        content=renderer.render(template, **values),
        template=f"{template} {renderer.version(template)}",
    )


def _risks(backend: str, facts: Facts) -> tuple[Risk, ...]:
    if backend == "cjdns" or facts.running_router != "cjdns":
        return ()
    return (
        Risk(
            "replace-cjdns",
            "The distribution's cjdns runs here. It is stopped, and dexsetup's own router takes over its key "
            'and its peers. To keep it, answer backend = "cjdns".',
        ),
    )


def _notes(facts: Facts) -> tuple[str, ...]:
    if facts.init == "systemd":
        return ()
    return ("There is no systemd here: the router runs in the background and is not started at boot.",)


def _reason_against(backend: str, facts: Facts) -> str:
    if not facts.has_tun:
        return (
            "This machine has no /dev/net/tun, through which a router gets its packets: load the kernel "
            "module tun, or let the container have the device."
        )
    if backend == "cjdns" and "cjdroute" not in facts.programs and facts.family != "fedora":
        return f'{facts.os_name} has no package of cjdns: answer backend = "embedded".'
    return ""
