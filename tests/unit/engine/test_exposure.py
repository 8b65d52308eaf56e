"""What becomes reachable, from the mesh and from the network, for every kind of firewall."""

from __future__ import annotations

from typing import Any

import pytest

from dexsetup.detect import facts_from_json, facts_to_json
from dexsetup.exposure import Access, Door, Source, Wish, door_lines, preview, spared, zone_of_device
from dexsetup.facts import Facts, Listener, Zone
from step_inputs import debian

WORKSTATION = Zone(
    "FedoraWorkstation",
    ("eth0",),
    (("dhcpv6-client", ("546/udp",)), ("ssh", ("22/tcp",)), ("", ("1025-65535/tcp", "1025-65535/udp"))),
    is_uplink=True,
    is_default=True,
)
"""As Fedora Workstation brings it (spec 11 §1)."""
PUBLIC = Zone("public", ("eth0",), (("ssh", ("22/tcp",)),), is_uplink=True, is_default=True)
OURS = Zone("cjdns", ("cjdns0",), (("smtp", ("25/tcp",)),))
CALLS = ("cjdns-sip", ("5060/udp", "5060/tcp", "7078-7079/udp"))
SSHD, CUPS, DEV = (
    Listener("tcp", "*", port, name) for port, name in ((22, "sshd"), (631, "cupsd"), (8080, ""))
)
WISH = Wish("cjdns0", (26041,), (("smtp", ("25/tcp",)), CALLS), is_managed=True)


def machine(firewall: str = "running", *zones: Zone, **changes: Any) -> Facts:
    return debian(firewall=firewall, zones=zones, listening=(SSHD, CUPS, DEV), **changes)


def seen(doors: tuple[Door, ...], source: Source) -> dict[str, tuple[str, Access, Access]]:
    return {door.text: (door.mark, door.before, door.after) for door in doors if door.source is source}


def test_a_workstation_s_wide_zone_is_not_the_mesh_s() -> None:
    """A new node: mail and calls become reachable, nothing else, and the sentence names what is spared."""
    facts = machine("running", WORKSTATION)
    doors = preview(facts, WISH)
    assert seen(doors, Source.MESH) == {
        "mail 25/tcp": ("+", Access.ABSENT, Access.OPEN),
        "calls 5060 7078-7079": ("+", Access.ABSENT, Access.OPEN),
        "everything else": ("=", Access.ABSENT, Access.SHUT),
    }
    assert seen(doors, Source.NETWORK) == {
        "router 26041/udp": ("=", Access.OPEN, Access.OPEN),
        "dhcpv6-client 546/udp": ("=", Access.OPEN, Access.OPEN),
        "ssh 22/tcp": ("=", Access.OPEN, Access.OPEN),
        "1025-65535/tcp": ("=", Access.OPEN, Access.OPEN),
        "1025-65535/udp": ("=", Access.OPEN, Access.OPEN),
    }
    said = spared(facts, WISH)
    assert "FedoraWorkstation" in said
    assert "ssh 22/tcp, 1025-65535/tcp, 1025-65535/udp" in said


def test_a_node_that_was_in_the_wide_zone_is_shut() -> None:
    """Its interface fell into the default zone until now: what was open there is named as being shut."""
    doors = preview(machine("running", WORKSTATION, running_router="cjdns"), WISH)
    mesh = seen(doors, Source.MESH)
    assert mesh["mail 25/tcp"] == ("+", Access.SHUT, Access.OPEN)
    assert mesh["calls 5060 7078-7079"] == ("=", Access.OPEN, Access.OPEN)
    assert mesh["ssh 22/tcp"] == ("-", Access.OPEN, Access.SHUT)
    assert mesh["1025-65535/tcp"] == ("-", Access.OPEN, Access.SHUT)
    assert mesh["everything else"] == ("=", Access.SHUT, Access.SHUT)


def test_the_router_s_port_is_opened_to_the_network_alone() -> None:
    doors = preview(machine("running", PUBLIC), WISH)
    assert seen(doors, Source.NETWORK)["router 26041/udp"] == ("+", Access.SHUT, Access.OPEN)
    assert not any("26041" in text for text in seen(doors, Source.MESH))


def test_the_second_run_opens_nothing_more() -> None:
    """The zone of our own decides then, in whatever order firewalld names the ports."""
    ours = Zone("cjdns", ("cjdns0",), (("smtp", ("25/tcp",)), (CALLS[0], tuple(sorted(CALLS[1])))))
    uplink = Zone("public", ("eth0",), (("", ("26041/udp",)),), is_uplink=True, is_default=True)
    doors = preview(machine("running", uplink, ours, running_router="embedded"), WISH)
    assert {door.mark for door in doors} == {"="}
    assert [door.text for door in doors if door.source is Source.MESH] == [
        "mail 25/tcp",
        "calls 5060 7078-7079",
        "everything else",
    ]


def test_without_a_firewall_everything_that_listens_is_open_and_marked() -> None:
    """Nobody chose sshd or cups: they are named, with a mark of their own."""
    doors = preview(machine("none"), WISH)
    rest = next(door for door in doors if door.source is Source.MESH and door.what == "everything else")
    assert (rest.mark, rest.after) == ("!", Access.OPEN)
    assert rest.programs == ("sshd 22", "cupsd 631", "? 8080")


@pytest.mark.parametrize(
    ("guarded", "before"),
    [(None, Access.OPEN), ((("smtp", ("25/tcp",)),), Access.SHUT)],
    ids=["new_guard", "guard_there"],
)
def test_a_guard_shuts_what_was_not_chosen(guarded: Any, before: Access) -> None:
    wish = Wish("cjdns0", (26041,), WISH.services, is_managed=True, has_guard=True, guarded=guarded)
    mesh = seen(preview(machine("none", running_router="embedded"), wish), Source.MESH)
    assert mesh["everything else"][1:] == (before, Access.SHUT)
    assert mesh["mail 25/tcp"][1:] == (Access.OPEN, Access.OPEN)


def test_switching_it_off_gives_the_mesh_the_zone_of_the_others() -> None:
    """Our zone goes: the mesh interface falls into the default one."""
    wish = Wish("cjdns0", (26041,), (), is_managed=False)
    facts = machine("running", WORKSTATION, OURS, running_router="embedded")
    mesh = seen(preview(facts, wish), Source.MESH)
    assert mesh["mail 25/tcp"] == ("-", Access.OPEN, Access.SHUT)
    assert mesh["1025-65535/tcp"] == ("!", Access.SHUT, Access.OPEN)
    assert spared(facts, wish) == ""


def test_a_trusted_zone_lets_everything_in() -> None:
    trusted = Zone("trusted", (), (), target="ACCEPT", is_uplink=True, is_default=True)
    facts = machine("running", trusted, running_router="cjdns")
    mesh = seen(preview(facts, WISH), Source.MESH)
    assert mesh["everything else"] == ("-", Access.OPEN, Access.SHUT)
    assert "everything that listens" in spared(facts, WISH)


def test_a_firewall_that_does_not_say_is_not_called_open_or_shut() -> None:
    """Without its zones nothing is known of now; afterwards the zone of our own holds."""
    facts = machine("running", running_router="embedded")
    mesh = seen(preview(facts, WISH), Source.MESH)
    assert mesh["mail 25/tcp"] == ("+", Access.UNKNOWN, Access.OPEN)
    assert spared(facts, WISH) == ""


def test_a_stopped_firewall_shuts_nothing_yet() -> None:
    mesh = seen(preview(machine("stopped"), WISH), Source.MESH)
    assert mesh["everything else"] == ("!", Access.ABSENT, Access.OPEN)


def test_a_nameless_interface_stays_in_the_zone_of_the_others() -> None:
    """No zone can be given to it, so what it lets in is open to the mesh as well."""
    wish = Wish("", (26041,), (("smtp", ("25/tcp",)),), is_managed=True)
    mesh = seen(preview(machine("running", PUBLIC), wish), Source.MESH)
    assert mesh["mail 25/tcp"][2] is Access.OPEN
    assert mesh["ssh 22/tcp"][0] == "!"


def test_the_zone_of_an_interface_is_its_own_or_the_default() -> None:
    assert zone_of_device((PUBLIC, OURS), "cjdns0") is OURS
    assert zone_of_device((PUBLIC, OURS), "tun7") is PUBLIC
    assert zone_of_device((OURS,), "") is None


@pytest.mark.parametrize("width", [46, 62, 90])
def test_lines_fit_and_say_now_and_after(width: int) -> None:
    lines = door_lines(preview(machine("none", WORKSTATION), WISH), width)
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["From", "the", "mesh", "now", "after"]
    assert "listening: sshd 22" in "\n".join(lines)


def test_zones_and_listeners_are_recorded_with_a_machine() -> None:
    """A bug report brings them along."""
    facts = machine("running", WORKSTATION, OURS)
    assert facts_from_json(facts_to_json(facts)) == facts
