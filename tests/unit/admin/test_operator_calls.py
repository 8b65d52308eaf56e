"""Calls for those who set a router up: routes of the tunnel, rights, devices, descriptors, memory."""

from __future__ import annotations

from typing import Any

import pytest

from dexrouter.core.handlers import MOST
from tests.unit.admin.rig import Reply, Rig

OK = {"error": "none"}


def test_routes_are_listed_changed_and_set(rig: Rig) -> None:
    """By hand, in pages of 20, IPv4 and IPv6 apart; on the device only after a commit."""
    for route in ("192.0.2.9/24", "2001:db8::/32"):
        assert rig.call("RouteGen_addPrefix", route=route) == OK
    assert rig.call("RouteGen_addException", route="192.0.2.77") == OK
    assert rig.call("RouteGen_getPrefixes") == {"routes": ["192.0.2.0/24"]}
    assert rig.call("RouteGen_getPrefixes", ip6=1) == {"routes": ["2001:db8::/32"]}
    assert rig.call("RouteGen_getExceptions") == {"routes": ["192.0.2.77/32"]}
    generated = rig.call("RouteGen_getGeneratedRoutes")["routes"]
    assert isinstance(generated, list)
    assert len(generated) == 8
    assert rig.edge.committed == []
    assert rig.call("RouteGen_commit", tunName="eth0") == {"error": "eth0: No such device"}
    assert rig.call("RouteGen_commit", tunName="tun0") == OK
    assert rig.edge.committed == [*generated, "2001:db8::/32"]
    assert rig.call("RouteGen_removePrefix", route="192.0.2.0/24") == OK
    assert rig.call("RouteGen_removePrefix", route="192.0.2.0/24") == {"error": "no_such_route"}
    assert rig.call("RouteGen_getGeneratedRoutes") == {"routes": []}


def test_routes_come_in_pages_of_twenty(rig: Rig) -> None:
    """The last page says that it is."""
    for number in range(45):
        rig.call("RouteGen_addLocalPrefix", route=f"100.64.{number}.0/24")
    pages: list[Any] = [rig.call("RouteGen_getLocalPrefixes", page=page) for page in range(4)]
    assert [(len(page["routes"]), page.get("more")) for page in pages] == [
        (20, 1),
        (20, 1),
        (9, None),
        (0, None),
    ]


@pytest.mark.parametrize("route", ["", "192.0.2.1/33", "somewhere", "2001:db8::/129", "1" * 90])
def test_what_is_no_route_is_refused(rig: Rig, route: str) -> None:
    """By all that take one."""
    for what in ("Prefix", "LocalPrefix", "Exception"):
        for how in ("add", "remove"):
            assert rig.call(f"RouteGen_{how}{what}", route=route) == {"error": "parse_failed"}


def test_a_list_of_routes_that_is_full_says_so(rig: Rig) -> None:
    """Each prefix may cost 128 routes of the kernel."""
    errors = [rig.call("RouteGen_addPrefix", route=f"10.0.{n}.0/24")["error"] for n in range(256)]
    assert set(errors) == {"none"}
    assert rig.call("RouteGen_addPrefix", route="192.0.2.0/24") == {"error": "too many routes"}


def test_rights_are_told_and_given_up(rig: Rig) -> None:
    """What cannot be given up while the router runs is refused with the reason, and changes nothing."""
    assert rig.call("Security_checkPermissions") == {
        "error": "none",
        "userId": 65534,
        "noOpenFiles": 0,
        "seccompExists": 1,
        "seccompEnforcing": 0,
    }
    own: Reply = {"error": "none", "name": "dexrouter", "uid": 990, "gid": 980}
    assert rig.call("Security_getUser") == rig.call("Security_getUser", user="dexrouter") == own
    assert rig.call("Security_getUser", user="")["error"] == "Could not find user [No such file or directory]"
    assert rig.call("Security_setUser", uid=990, keepNetAdmin=1) == OK
    assert rig.call("Security_setUser", uid=990, gid=980, keepNetAdmin=0) == OK
    assert rig.call("Security_noforks") == OK
    assert rig.edge.rights == ["become 990 None True", "become 990 980 False", "no children"]
    assert rig.call("Security_setUser", uid=-1, keepNetAdmin=0) == {"error": "no such user or group"}
    assert rig.call("Security_setUser", uid=1, gid=1 << 40, keepNetAdmin=0)["error"] != "none"
    for function in ("Security_nofiles", "Security_seccomp"):
        assert "service" in str(rig.call(function)["error"])
    assert "service" in str(rig.call("Security_chroot", root="/var/empty")["error"])
    assert len(rig.edge.rights) == 3


def test_a_filter_of_the_service_is_known(rig: Rig) -> None:
    """Nobody need ask for another."""
    rig.edge.is_filtered = True
    assert rig.call("Security_checkPermissions")["seccompEnforcing"] == 1
    assert rig.call("Security_seccomp") == {"error": "seccomp is already enabled"}


def test_the_set_up_is_complete_once(rig: Rig) -> None:
    """A second call ends the C router."""
    assert rig.call("Security_setupComplete") == OK
    assert rig.call("Security_setupComplete") == {"error": "setup is complete already"}


def test_what_stands_in_for_the_device_is_asked_of_the_edge(rig: Rig) -> None:
    """A failure has the reason in it, in the words of the C router around it."""
    descriptor = "descriptor 7 is not open, bare"
    assert rig.call("Core_initTunfd", tunfd=7, type=1) == {
        "error": f"Failed to configure tunnel [{descriptor}: True]"
    }
    assert rig.call("Core_initTunfd", tunfd=7)["error"] == f"Failed to configure tunnel [{descriptor}: False]"
    assert rig.call("Core_initTunfd", tunfd=-7) == {"error": "Invalid tunfd"}
    assert "type 2 is not one of" in str(rig.call("Core_initTunfd", tunfd=7, type=2)["error"])
    assert rig.call("Core_initSocket", socketFullPath="/x") == {
        "error": "Failed to configure socket [socket /x: nobody is there]"
    }


def test_descriptors_do_not_go_over_udp(rig: Rig) -> None:
    """The C router gives descriptor 0, or none at all and no error."""
    assert "not attached" in str(rig.call("Admin_importFd")["error"])
    assert "cannot be attached" in str(rig.call("Admin_exportFd", fd=1)["error"])
    assert rig.call("Admin_exportFd", fd=-1) == {"error": "invalid fd"}


def test_measurements_are_switched_at_the_edge(rig: Rig) -> None:
    """The timing of packets, and a list of what the memory is used for."""
    assert rig.call("InterfaceController_timestampPackets") == {"error": "none", "enabled": 0}
    assert rig.call("InterfaceController_timestampPackets", enable=5) == OK
    assert rig.call("InterfaceController_timestampPackets") == {"error": "none", "enabled": 1}
    assert rig.call("Allocator_snapshot") == OK
    assert rig.call("Allocator_snapshot", includeAllocations=1) == OK
    assert rig.edge.snapshots == [False, True]


def test_there_is_no_check_of_the_whole_store(rig: Rig) -> None:
    """It is off, can be switched off, and asking for it is an error."""
    assert rig.call("NodeStore_getFullVerify") == {"error": "none", "fullVerify": 0}
    assert rig.call("NodeStore_setFullVerify", fullVerify=0) == OK
    assert rig.call("NodeStore_setFullVerify", fullVerify=1)["error"] != "none"


def test_programs_that_see_packets_are_listed(rig: Rig) -> None:
    """In pages of eight; their number is bounded."""
    for port in range(1, MOST + 1):
        assert rig.call("UpperDistributor_registerHandler", contentType=256, udpPort=port) == OK
    assert rig.call("UpperDistributor_registerHandler", contentType=17, udpPort=99) == {
        "error": "too many handlers"
    }
    pages: list[Any] = [rig.call("UpperDistributor_listHandlers", page=page) for page in range(3)]
    assert [len(page["handlers"]) for page in pages] == [8, 8, 0]
    assert rig.call("UpperDistributor_unregisterHandler", udpPort=0) == {"error": "invalid_udpPort"}
    for content_type in (-1, 0x10002):
        reply = rig.call("UpperDistributor_registerHandler", contentType=content_type, udpPort=99)
        assert reply == {"error": "invalid_contentType"}


def test_nodes_that_others_have_named_are_listed(rig: Rig) -> None:
    """In the one mill that we have; two hops away they are reached soon, and named no more."""
    nodes = [rig.mesh.add() for _ in range(3)]
    rig.mesh.link(rig.node, nodes[0], 0)
    rig.mesh.link(nodes[1], nodes[0], 0)
    rig.mesh.run(20)
    known = {one.address for one in rig.node.pathfinder.known_nodes()}
    assert nodes[1].own.address in known
    reply: Any = rig.call("Janitor_dumpRumorMill", mill="linkMill", page=0)
    assert reply["total"] == len([one for one in rig.node.pathfinder.rumours() if one.address not in known])
    assert rig.call("Janitor_dumpRumorMill", mill="dhtMill", page=0) == {"addresses": [], "total": 0}
    assert rig.call("Janitor_dumpRumorMill", mill="linkMill", page=9)["addresses"] == []
