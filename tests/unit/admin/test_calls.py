"""What the calls do to a node and say about it."""

from __future__ import annotations

from typing import Any

import pytest

from dexrouter.admin.auth import cookie_at, sign
from dexrouter.admin.calls import search
from dexrouter.core.outputs import ToTun
from dexrouter.core.peer import BeaconMode, PeerState
from dexrouter.core.routeserver.queries import RouteServer
from dexrouter.crypto.keys import address_text, parse_node, public_key_text
from dexrouter.wire.control import NO_UDP_ADDRESS, LlAddrQuery, LlAddrReply, UdpAddress, parse_control
from dexrouter.wire.labels import SELF_LABEL, format_label
from dexrouter.wire.route_header import Routed
from tests.unit.admin.rig import CLIENT, PEER_PASSWORD, Reply, Rig

ADDRESS = "fc3b:e60e:d799:e71a:36f4:64ea:58d2:7fa7"


@pytest.fixture
def line(rig: Rig) -> Rig:
    """Our node, one beside it, and one behind that."""
    middle, far = rig.mesh.add(), rig.mesh.add()
    rig.mesh.link(rig.node, middle, 0, "the one in the middle")
    rig.mesh.link(far, middle, 0)
    rig.mesh.run(15)
    return rig


def entries(reply: Reply, key: str) -> list[Any]:
    value = reply[key]
    assert isinstance(value, list)
    return value


def test_a_peer_is_described_as_cjdns_tools_expect(line: Rig) -> None:
    """State, link address, name, counters and the wall-clock time of its last message."""
    (peer,) = entries(line.call_open("InterfaceController_peerStats"), "peers")
    middle = line.mesh.nodes[1]
    assert peer["addr"] == f"v21.0000.0000.0000.0013.{public_key_text(middle.own.public)}"
    assert (peer["state"], peer["lladdr"], peer["user"]) == (
        "ESTABLISHED",
        "192.0.2.2:33000",
        "the one in the middle",
    )
    assert (peer["isIncoming"], peer["ifNum"], peer["lostPackets"]) == (0, 0, 0)
    assert isinstance(peer["bytesIn"], int)
    assert peer["bytesIn"] > 0
    assert isinstance(peer["last"], int)
    assert 0 <= line.wall_ms - peer["last"] < 5000


def test_an_incoming_peer_is_named_by_its_login(line: Rig) -> None:
    """As v22 does: the called node says who called."""
    called = Rig()
    called.node = line.mesh.nodes[1]
    users = [peer.session.user for peer in called.node.peering.peers()]
    assert users == [b"default-login", b"default-login"]
    own = Rig()
    caller = own.mesh.add()
    own.mesh.link(caller, own.node, 0)
    own.mesh.run(3)
    (peer,) = entries(own.call_open("InterfaceController_peerStats"), "peers")
    assert (peer["isIncoming"], peer["user"]) == (1, "default-login")


def test_disconnecting_forgets_the_peer_and_resetting_keeps_it(line: Rig) -> None:
    """A key without a peer, and what is no key, are refused."""
    key = public_key_text(line.mesh.nodes[1].own.public)
    assert line.call("InterfaceController_resetPeering", pubkey=key) == {"success": 1}
    assert line.call("InterfaceController_resetPeering") == {"success": 1}
    line.mesh.run(5)
    (peer,) = line.node.peering.peers()
    assert peer.state is PeerState.ESTABLISHED
    assert line.call("InterfaceController_disconnectPeer", pubkey=key) == {"success": 1}
    assert list(line.node.peering.peers()) == []
    no_peer = {"success": 0, "error": "no peer found for that key"}
    assert line.call("InterfaceController_disconnectPeer", pubkey=key) == no_peer
    assert line.call("InterfaceController_disconnectPeer", pubkey="x")["error"] == "bad key"


def test_a_peer_can_be_added_and_answers(rig: Rig) -> None:
    """`beginConnection` makes a link that gets established; our own key makes none."""
    other = rig.mesh.add()
    arguments = {
        "publicKey": public_key_text(other.own.public),
        "address": "192.0.2.2:33000",
        "password": PEER_PASSWORD.decode(),
        "login": "default-login",
        "peerName": "by hand",
    }
    assert rig.call("UDPInterface_beginConnection", **arguments) == {"error": "none"}
    rig.mesh.run(3)
    (peer,) = entries(rig.call_open("InterfaceController_peerStats"), "peers")
    assert (peer["state"], peer["user"]) == ("ESTABLISHED", "by hand")
    own = {**arguments, "publicKey": public_key_text(rig.node.own.public)}
    assert rig.call("UDPInterface_beginConnection", **own) == {"error": "invalid cjdns public key."}


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("127.0.0.1:4", "none"),
        ("127.0.0.1", "none"),
        ("0.0.0.0:5", "none"),
        ("[::1]:5", "different address type than this socket is bound to."),
        ("::1", "different address type than this socket is bound to."),
        ("example.org:5", "unable to parse ip address and port."),
        ("127.0.0.1:65536", "unable to parse ip address and port."),
        ("127.0.0.1:+5", "unable to parse ip address and port."),
        ("[::1%eth0]:5", "unable to parse ip address and port."),
        ("[::1]5", "unable to parse ip address and port."),
        ("", "unable to parse ip address and port."),
    ],
)
def test_addresses_of_peers(rig: Rig, address: str, error: str) -> None:
    """Numbers only, a missing port is 0, and the family must be that of the socket."""
    key = public_key_text(rig.mesh.add().own.public)
    reply = rig.call("UDPInterface_beginConnection", publicKey=key, address=address, password="x")
    assert reply == {"error": error}


def test_users_are_listed_from_the_newest_in_pages_of_16(rig: Rig) -> None:
    """`total` tells how many pages there are; there is no `error`."""
    for number in range(20):
        rig.call("AuthorizedPasswords_add", password=f"password {number}", user=f"user {number}")
    first, second = (rig.call("AuthorizedPasswords_list", page=page) for page in (0, 1))
    assert first["total"] == second["total"] == 23
    users = [*entries(first, "users"), *entries(second, "users")]
    assert users[0] == "user 19"
    assert users[-1] == "Local Peers"
    assert len(users) == 23
    assert set(first) == {"users", "total"}


def test_a_user_can_be_bound_to_one_address(rig: Rig) -> None:
    """Only an address of the mesh makes sense."""
    assert rig.call("AuthorizedPasswords_add", password="p", ipv6=ADDRESS) == {"error": "none"}
    assert rig.node.users.users()[-1].address is not None
    for bad in ("zzz", "2001:db8::1", ""):
        reply = rig.call("AuthorizedPasswords_add", password="q", ipv6=bad)
        assert reply == {"error": "Invalid IPv6 Address"}


def test_a_switch_ping_is_answered_when_its_pong_comes(line: Rig) -> None:
    """With the data that was sent, and on demand with the key."""
    reply = line.call("SwitchPinger_ping", path="0000.0000.0000.0013", data="12345abc", keyPing=1)
    assert reply == {
        "result": "pong",
        "path": "0000.0000.0000.0013",
        "ms": 0,
        "version": 21,
        "data": "12345abc",
        "key": public_key_text(line.mesh.nodes[1].own.public),
    }


def test_what_v22_asks_by_a_ping_can_be_asked(line: Rig) -> None:
    """The way back and the route server; old tools, which assign by place, are not shown the arguments."""
    path = "0000.0000.0000.0013"
    assert line.call("SwitchPinger_ping", path=path, rpath=1)["rpath"] == path
    assert "snode" not in line.call("SwitchPinger_ping", path=path, snode=1)
    middle = line.mesh.nodes[1]
    middle.route_server.active = RouteServer(middle.own.public, 21, SELF_LABEL)
    middle.flush(line.mesh.now)
    snode = parse_node(str(line.call("SwitchPinger_ping", path=path, snode=1)["snode"]))
    assert (snode.key, snode.version) == (middle.own.public, 21)
    assert line.call("SwitchPinger_ping", path=path, snode=1, lladdr=1) == {
        "error": "Can only be one of keyPing, lladdr, OR snode"
    }
    listed = line.server.functions["SwitchPinger_ping"].describe()
    assert listed.keys() == {"path", "timeout", "data", "keyPing"}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (UdpAddress(b"\xc0\x00\x02\x07", 4001).encode(), {"lladdr": "192.0.2.7:4001"}),
        (UdpAddress(bytes(15) + b"\x07", 4001).encode(), {"lladdr": "[::7]:4001"}),
        (bytes((3, 32)).ljust(32, b"x"), {"lladdrUnknown": (b"\3\x20" + b"x" * 30).hex()}),
    ],
)
def test_where_a_peer_sees_us_is_told(rig: Rig, address: bytes, told: Reply) -> None:
    """A router of v22 answers the question; what it answers is not always an address."""
    rig.node.handlers.register(5555, 0x10000)
    datagram = sign(
        "SwitchPinger_ping",
        {"path": "0000.0000.0000.0013", "lladdr": 1},
        password=rig.password.encode(),
        cookie=cookie_at(rig.wall_ms),
        txid="t",
    )
    rig.server.receive(CLIENT, datagram, rig.mesh.now, rig.wall_ms)
    shown = next(output for output in rig.node.drain() if isinstance(output, ToTun))
    query = parse_control(Routed.parse(bytes(shown.packets[0])[48:]).content)
    assert isinstance(query, LlAddrQuery)
    assert query.address == NO_UDP_ADDRESS
    rig.node.control.receive(0x13, LlAddrReply(22, address, query.data).encode(), rig.mesh.now)
    rig.node.flush(rig.mesh.now)
    (reply,) = rig.later(0)
    assert reply.items() >= {**told, "result": "pong", "version": 22, "data": ""}.items()


def test_two_pings_for_one_path_are_told_apart(line: Rig) -> None:
    """Each caller gets its own data back, or its own time-out."""
    line.mesh.nodes.pop(1)
    for data in ("a", "b"):
        assert line.ask("SwitchPinger_ping", path="0000.0000.0000.0013", data=data, timeout=500) == []
    assert [reply["result"] for reply in line.later(1)] == ["timeout", "timeout"]


def test_too_many_pings_are_refused(rig: Rig) -> None:
    """The node keeps 50 at a time."""
    replies = [rig.ask("SwitchPinger_ping", path="0000.0000.0000.0fff") for _ in range(51)]
    assert replies[:50] == [[]] * 50
    assert replies[50] == [{"error": "no open slots to store ping, try later."}]


@pytest.mark.parametrize("path", ["foo", "", "0000.0000.0000.00013", "0000.0000.0000.001g", "\N{SNOWMAN}"])
def test_a_path_that_is_none_is_an_error(rig: Rig, path: str) -> None:
    """It ends the C router."""
    assert rig.call("SwitchPinger_ping", path=path) == {"error": "path was not parsable."}


def test_sessions_are_listed_and_described(line: Rig) -> None:
    """By handle and by address, with state and path."""
    handles = entries(line.call("SessionManager_getHandles"), "handles")
    assert handles
    for handle in handles:
        stats = line.call("SessionManager_sessionStats", handle=handle)
        assert stats["state"] == "ESTABLISHED"
        assert line.call("SessionManager_sessionStatsByIP", ip6=stats["ip6"]) == stats
    assert line.call("SessionManager_resetCA", ip6=stats["ip6"]) == {"error": "none"}
    assert line.call("SessionManager_sessionStatsByIP", ip6=stats["ip6"])["state"] == "INIT"


def test_the_table_of_nodes_begins_with_our_own(line: Rig) -> None:
    """The own node has label 1 and bucket 127, and every node has a path and a cost."""
    reply = line.call_open("NodeStore_dumpTable", page=0)
    own, *others = entries(reply, "routingTable")
    assert (own["path"], own["bucket"], own["link"]) == ("0000.0000.0000.0001", 127, 0)
    assert (reply["count"], reply["peers"], len(others)) == (3, 1, 2)


def test_the_best_parents_lead_from_a_far_node_home(line: Rig) -> None:
    """As traceroute and pathfinderTree follow them."""
    addresses = [address_text(node.own.address) for node in line.mesh.nodes]
    parents = []
    for address in addresses:
        result = line.call_open("NodeStore_nodeForAddr", ip=address)["result"]
        assert isinstance(result, dict)
        parent = result["bestParent"]
        assert isinstance(parent, dict)
        parents.append(parent["ip"])
    assert parents == [addresses[0], addresses[0], addresses[1]]


def test_every_link_of_the_graph_can_be_read_by_number(line: Rig) -> None:
    """Of one node or of all, until the number is past the end; that is another error than an unknown node."""
    parent = address_text(line.node.own.address)
    number = 0
    while (reply := line.call_open("NodeStore_getLink", parent=parent, linkNum=number))["error"] == "none":
        number += 1
    assert number >= 1
    assert reply == {"error": "unknown", "result": {}}
    assert line.call_open("NodeStore_getLink", linkNum=-1)["error"] == "not_found"
    links: list[Any] = []
    while (reply := line.call_open("NodeStore_getLink", linkNum=len(links)))["error"] == "none":
        links.append(reply["result"])
    assert len(links) == len(list(line.node.pathfinder.known_links())) > number
    assert reply == {"error": "not_found", "result": {}}


def test_a_route_is_spliced_from_two_labels(line: Rig) -> None:
    """The path to the middle and its label for the far node give the path to the far node."""
    far = address_text(line.mesh.nodes[2].own.address)
    result = line.call_open("NodeStore_nodeForAddr", ip=far)["result"]
    assert isinstance(result, dict)
    parent = result["bestParent"]
    assert isinstance(parent, dict)
    reply = line.call(
        "NodeStore_getRouteLabel",
        pathToParent="0000.0000.0000.0013",
        pathParentToChild=parent["parentChildLabel"],
    )
    assert reply == {"error": "none", "result": result["routeLabel"]}


def test_a_node_is_pinged_by_address_label_and_name(line: Rig) -> None:
    """All three mean the same node."""
    far = address_text(line.mesh.nodes[2].own.address)
    first = line.call("RouterModule_pingNode", path=far)
    assert first["result"] == "pong"
    label = format_label(parse_node(str(first["addr"])).label)
    assert line.call("RouterModule_pingNode", path=label)["addr"] == first["addr"]
    assert line.call("RouterModule_pingNode", path=first["addr"])["addr"] == first["addr"]
    own = address_text(line.node.own.address)
    assert line.call("RouterModule_pingNode", path=own)["result"] == "pong"


def test_asking_for_an_unknown_address_begins_a_search(line: Rig) -> None:
    """So that pinging again may succeed."""
    before = line.node.pathfinder.counters()["searches_started"]
    assert line.call("RouterModule_pingNode", path=ADDRESS) == {"error": "not_found"}
    assert line.node.pathfinder.counters()["searches_started"] == before + 1


def test_peers_are_told_by_the_node_itself_and_its_labels(line: Rig) -> None:
    """The asked node comes first; our own peers are known without asking."""
    reply = line.call("RouterModule_getPeers", path="0000.0000.0000.0013")
    keys = [parse_node(str(name)).key for name in entries(reply, "peers")]
    assert keys[0] == line.mesh.nodes[1].own.public
    assert {node.own.public for node in line.mesh.nodes} == set(keys)
    own = entries(line.call("RouterModule_getPeers", path="0000.0000.0000.0001"), "peers")
    assert [parse_node(str(name)).key for name in own] == [
        line.node.own.public,
        line.mesh.nodes[1].own.public,
    ]


def test_a_route_can_be_followed_hop_by_hop_to_its_end(line: Rig) -> None:
    """The end names itself, as traceroute expects it."""
    far = line.mesh.nodes[2].own
    asked = "0000.0000.0000.0001"
    way = []
    for _ in range(5):
        (name,) = entries(
            line.call("RouterModule_nextHop", nodeToQuery=asked, target=address_text(far.address)), "nodes"
        )
        way.append(parse_node(name).key)
        if name == asked:
            break
        asked = name
    assert way[-2:] == [far.public, far.public]
    assert line.call(
        "RouterModule_nextHop", nodeToQuery="0000.0000.0000.0001", target=address_text(line.node.own.address)
    )["nodes"] == [f"v21.0000.0000.0000.0001.{public_key_text(line.node.own.public)}"]


def test_a_search_tells_each_step_and_its_end(line: Rig) -> None:
    """The node searched for answers at last."""
    far = line.mesh.nodes[2].own
    replies = line.ask("SearchRunner_search", ipv6=address_text(far.address))
    assert [parse_node(str(reply["from"])).key for reply in replies[:-1]][-1] == far.public
    assert replies[-1] == {"complete": 1, "error": "none"}
    assert line.call("SearchRunner_showActiveSearch", number=0)["activeSearches"] == 0


def test_a_search_goes_by_the_closest_nodes_of_a_large_store(
    line: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more nodes than a search remembers those are kept that are close to the address."""
    far = line.mesh.nodes[2].own
    monkeypatch.setattr(search, "MOST_CANDIDATES", 1)
    nodes = list(line.node.pathfinder.known_nodes())
    assert {node.key for node in nodes} >= {each.own.public for each in line.mesh.nodes}
    nodes.sort(key=lambda node: node.address == far.address)
    for order in (nodes, nodes[::-1]):
        monkeypatch.setattr(line.node.pathfinder, "known_nodes", lambda order=order: iter(order))
        first = line.ask("SearchRunner_search", ipv6=address_text(far.address))[0]
        assert parse_node(str(first["from"])).key == far.public


def test_a_search_ends_when_nobody_answers(line: Rig) -> None:
    """One closing message; the search is no longer active."""
    del line.mesh.nodes[1:]
    assert line.ask("SearchRunner_search", ipv6=ADDRESS, maxRequests=2) == []
    assert line.call("SearchRunner_showActiveSearch", number=0)["activeSearches"] == 1
    assert [reply.get("complete") for reply in line.later(3.1) + line.later(3.1)] == [1]
    assert line.call("SearchRunner_showActiveSearch", number=0)["activeSearches"] == 0


def test_a_signature_names_its_signer(rig: Rig) -> None:
    """Whoever has it can check it, with another router, too."""
    signature = rig.call("Sign_sign", msgHash="some hash")["signature"]
    own = rig.node.own
    assert rig.call_open("Sign_checkSig", msgHash="some hash", signature=signature) == {
        "error": "none",
        "pubkey": public_key_text(own.public),
        "ipv6": address_text(own.address),
    }
    assert rig.call_open("Sign_checkSig", msgHash="x", signature=signature)["error"] == "invalid signature"


def test_the_signature_of_a_real_router_is_checked(rig: Rig) -> None:
    """As it was recorded."""
    reply = rig.call_open(
        "Sign_checkSig",
        msgHash="test message",
        signature="kvqbquqcl7vjpu037kb5pr7hq0gpvu29u2ff8lmxqdh4d0lt7r30_w92ucc9ydd6pcykcpq5u04zn54b9q03hvn2t0v0"
        "4kp95ddy3c1mx7hcfcf633hzxqbv852xjs59cmb4cghw0zmhvmpfgc89fsdrr920",
    )
    assert reply["ipv6"] == "fc3b:e60e:d799:e71a:36f4:64ea:58d2:7fa7"


def test_sockets_and_devices_are_made_by_the_edge(rig: Rig) -> None:
    """Their numbers go on over both kinds; what the edge refuses is the reply's error."""
    assert rig.call("UDPInterface_new", bindAddress="127.0.0.1:5000") == {
        "error": "none",
        "interfaceNumber": 2,
        "bindAddress": "127.0.0.1:5000",
    }
    assert rig.call("ETHInterface_new", bindDevice="v02") == {"error": "none", "interfaceNumber": 3}
    assert rig.call("UDPInterface_new", bindAddress="[::]:7")["interfaceNumber"] == 4
    refused = "cannot bind 192.0.2.99 (dscp 9, beacons on 1)"
    reply = rig.call("UDPInterface_new", bindAddress="192.0.2.99", dscp=9, beaconPort=1)
    assert reply == {"error": refused}
    assert "out of range" in str(rig.call("UDPInterface_new", dscp=64)["error"])
    assert "out of range" in str(rig.call("UDPInterface_new", beaconPort=-1)["error"])


@pytest.mark.parametrize("number", [-1, 2, 99, 1 << 40])
def test_interfaces_that_do_not_exist(rig: Rig, number: int) -> None:
    """Some of these calls end the C router."""
    key = public_key_text(rig.mesh.add().own.public)
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("UDPInterface_beacon", {"state": 1}),
        ("ETHInterface_beacon", {"state": 1}),
        ("ETHInterface_beginConnection", {"publicKey": key, "macAddress": "00:11:22:33:44:55"}),
        ("UDPInterface_getFd", {}),
        ("UDPInterface_setBroadcastDevices", {"devices": []}),
        ("UDPInterface_beginConnection", {"publicKey": key, "address": "127.0.0.1:1"}),
    )
    for function, arguments in calls:
        reply = rig.call(function, **arguments, interfaceNumber=number)
        assert "interfaceNumber" in str(reply["error"]), function


def test_a_udp_interface_is_no_ethernet_interface(rig: Rig) -> None:
    """And the other way round."""
    rig.call("ETHInterface_new", bindDevice="v02")
    assert rig.call("ETHInterface_beacon", interfaceNumber=0, state=1)["error"] == "invalid interfaceNumber"
    assert rig.call("UDPInterface_beacon", interfaceNumber=2, state=1)["error"] == "invalid interfaceNumber"
    assert rig.call("ETHInterface_beacon", interfaceNumber=2, state=1)["stateName"] == "accepting"


def test_beacons_are_switched_at_the_edge_and_in_the_node(rig: Rig) -> None:
    """The edge is made ready first."""
    assert rig.call("UDPInterface_beacon", state=2)["stateName"] == "sending and accepting"
    assert rig.edge.modes == {0: BeaconMode.SENDING}
    assert rig.node.peering.interfaces[0].beacon_mode is BeaconMode.SENDING
    ifaces = entries(rig.call("InterfaceController_interfaces"), "ifaces")
    assert [one["beaconState"] for one in ifaces] == ["DISABLED", "SENDING"]


def test_exit_is_passed_to_the_edge(rig: Rig) -> None:
    """After the reply."""
    assert rig.call("Core_exit") == {"error": "none"}
    assert rig.edge.has_exited
