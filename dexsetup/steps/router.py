"""The router itself: a root-owned copy of the programs, an account of its own, two units.

The copy lies in /opt/dexsetup, because a service of root's must not run code that a user can write. With the
answer backend = "cjdns" the router is cjdns' own: its package's, or one that was found and gets a unit. The
names of the units are the same for both, so what waits for the mesh address need not know which one runs.

What was put there for the other router is taken away. /etc/systemd/system/cjdns.service is a link to our own
router's unit while that is enabled (Alias=); a unit of that name that somebody wrote there is left alone.
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.facts import Facts
from dexsetup.networks import MESH
from dexsetup.plan.model import (
    AddressBound,
    BlackholeRoute,
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
    file_content,
    parsed,
    planned_config,
    present_config,
    wanted_node,
)
from dexsetup.steps.telling import is_added_while_running

__all__ = ["CJDNS_UNIT", "ROUTER_UNIT", "ROUTER_UNITS", "TREE", "WAIT_UNIT", "RouterStep", "told_router"]

TREE = PROGRAMS
ROUTER_UNIT = "dexrouter.service"
CJDNS_UNIT = "cjdns.service"
WAIT_UNIT = "cjdns-wait-online.service"
ROUTER_UNITS = {"none": "", "embedded": ROUTER_UNIT, "cjdns": CJDNS_UNIT}
"""The unit of the router that runs, by Facts.running_router."""

_ACCOUNT = "dexrouter"
_UNIT_DIRECTORY = "/etc/systemd/system"
_PACKAGES_UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system")
_FOUND_UNIT_FILE = f"/usr/local/lib/systemd/system/{CJDNS_UNIT}"
"""Where a unit goes that a router without one gets: our own router's alias would cover one in /etc."""
_NAMED_UNIT_FILE = f"{_UNIT_DIRECTORY}/{CJDNS_UNIT}"
_DROP_IN_FILE = f"{_UNIT_DIRECTORY}/{CJDNS_UNIT}.d/10-dexsetup.conf"
_OURS = b"Written by dexsetup"
_COMMANDS = ("dexctl", "dexrouter", "dexsetup")
_PRIVILEGED_PORTS_END = 1024
_ADDRESS_SECONDS = 60.0
_BLACKHOLE_METRIC = 500
"""The route that our router's units set before they start; the mesh interface's own has a lower metric."""
_BLACKHOLE_WORDS = "While the router is down, what is sent to mesh addresses ends there, not in the clear."


class RouterStep(ReadsConfig):
    """See the module docstring."""

    name = "router"
    title = "Router and mesh interface"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the configuration, and the units of a router that may be there already."""
        packages = (f"{place}/{name}" for place in _PACKAGES_UNITS for name in (CJDNS_UNIT, WAIT_UNIT))
        ours = (_FOUND_UNIT_FILE, _NAMED_UNIT_FILE, _DROP_IN_FILE)
        return (*super().reads(answers, facts), *packages, *ours)

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the router installed, running, and its address on the interface."""
        node = wanted_node(inputs.answers, inputs.facts)
        content = planned_config(inputs)
        if node is None or content is None:
            return None
        address = address_of(content)
        resources = _cjdns_router(inputs) if node.backend == "cjdns" else _own_router(inputs, content)
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


def _cjdns_router(inputs: Inputs) -> tuple[Resource, ...]:
    facts, renderer = inputs.facts, inputs.renderer
    commands = (
        Tree(TREE, source=facts.program_tree),
        *(Link(f"/usr/local/bin/{name}", f"{TREE}/bin/{name}") for name in ("dexctl", "dexsetup")),
    )
    replaced: tuple[Resource, ...] = ()
    if facts.running_router == "embedded":
        replaced = (
            Unit(ROUTER_UNIT, enabled=False, active=False),
            ManagedFile(f"{_UNIT_DIRECTORY}/{ROUTER_UNIT}", None),
        )
    drop_in = _rendered(
        renderer, _DROP_IN_FILE, "cjdns/10-dexsetup.conf.j2", program=f"{TREE}/bin/dexctl", config=CONFIG
    )
    found = () if _has_unit(facts, CJDNS_UNIT) else (_found_unit(inputs),)
    files = (drop_in.path, *(file.path for file in found))
    blackhole = (_blackhole(facts),) if found else ()
    router = _told_unit(CJDNS_UNIT, inputs, restart_on=files[1:], reload_on=files[:1])
    return (*commands, *replaced, *found, drop_in, *blackhole, *_waiting(inputs, CJDNS_UNIT, router))


def _found_unit(inputs: Inputs) -> ManagedFile:
    program = inputs.facts.programs.get("cjdroute")
    path = program.path if program is not None else "/usr/sbin/cjdroute"
    return _rendered(inputs.renderer, _FOUND_UNIT_FILE, f"units/{CJDNS_UNIT}.j2", program=path, config=CONFIG)


def _has_unit(facts: Facts, name: str) -> bool:
    """Whether a unit came from elsewhere: with its package (which may still have to come), or by hand."""
    if any(file_content(facts, f"{place}/{name}") for place in _PACKAGES_UNITS):
        return True
    if name == CJDNS_UNIT and _is_somebodys(file_content(facts, _NAMED_UNIT_FILE)):
        return True
    return facts.family == "fedora" and "cjdroute" not in facts.programs


def _is_somebodys(content: bytes | None) -> bool:
    return bool(content) and _OURS not in (content or b"")


def _waiting(inputs: Inputs, router: str, *units: Unit) -> tuple[Resource, ...]:
    """Return the router's units, and the one that waits for the address: ours, or its package's own."""
    path = f"{_UNIT_DIRECTORY}/{WAIT_UNIT}"
    if router == CJDNS_UNIT and _has_unit(inputs.facts, WAIT_UNIT):
        return (ManagedFile(path, None), *units)
    template = f"units/{WAIT_UNIT}.j2"
    file = _rendered(inputs.renderer, path, template, program=f"{TREE}/bin/dexctl", router=router)
    return (file, *units, Unit(WAIT_UNIT, restart_on=(path,)))


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
        alias="" if _is_somebodys(file_content(inputs.facts, _NAMED_UNIT_FILE)) else CJDNS_UNIT,
    )
    router = _told_unit(ROUTER_UNIT, inputs, restart_on=(router_unit.path, TREE))
    return (
        SystemUser(_ACCOUNT, home="/nonexistent", comment="mesh router"),
        Tree(TREE, source=inputs.facts.program_tree),
        *(Link(f"/usr/local/bin/{name}", f"{TREE}/bin/{name}") for name in _COMMANDS),
        *_replaced_cjdns(inputs.facts),
        router_unit,
        _blackhole(inputs.facts),
        *_waiting(inputs, ROUTER_UNIT, router),
    )


def _blackhole(facts: Facts) -> BlackholeRoute:
    """Want what a unit of ours sets, before the unit: so undo takes it away when the router is stopped.

    A unit of cjdns' own package sets no such route, and may have run before.
    """
    ours = (ROUTER_UNIT,) if _has_unit(facts, CJDNS_UNIT) else (ROUTER_UNIT, CJDNS_UNIT)
    return BlackholeRoute(str(MESH), _BLACKHOLE_METRIC, _BLACKHOLE_WORDS, kept_for=ours)


def _replaced_cjdns(facts: Facts) -> tuple[Resource, ...]:
    """Want cjdns' own router off, and what we wrote for it gone: a drop-in would hold for the alias, too."""
    running = (Unit(CJDNS_UNIT, enabled=False, active=False),) if facts.running_router == "cjdns" else ()
    ours = (path for path in (_FOUND_UNIT_FILE, _DROP_IN_FILE) if file_content(facts, path))
    return (*running, *(ManagedFile(path, None) for path in ours))


def told_router(inputs: Inputs) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """Return what lets the router have a new configuration where the node itself is left alone, and notes."""
    unit = ROUTER_UNITS[inputs.facts.running_router]
    if unit:
        return (_told_unit(unit, inputs),), ()
    return (), ("No router is running here: this holds from when one is started.",)


def _told_unit(
    unit: str, inputs: Inputs, *, restart_on: tuple[str, ...] = (), reload_on: tuple[str, ...] = ()
) -> Unit:
    """Return the router's unit: told of a new configuration while it runs, where that is enough."""
    content = planned_config(inputs)
    is_enough = {"embedded": is_taken_while_running, "cjdns": is_added_while_running}.get(
        inputs.facts.running_router
    )
    is_same = unit == ROUTER_UNITS[inputs.facts.running_router]
    if is_same and is_enough and content and is_enough(present_config(inputs.facts), content):
        return Unit(unit, restart_on=restart_on, reload_on=(CONFIG, *reload_on))
    return Unit(unit, restart_on=(CONFIG, *restart_on), reload_on=reload_on)


def _unit_file(renderer: Renderer, name: str, **values: object) -> ManagedFile:
    return _rendered(renderer, f"{_UNIT_DIRECTORY}/{name}", f"units/{name}.j2", **values)


def _rendered(renderer: Renderer, path: str, template: str, **values: object) -> ManagedFile:
    content = renderer.render(template, **values)
    return ManagedFile(path, content, template=f"{template} {renderer.version(template)}")


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
