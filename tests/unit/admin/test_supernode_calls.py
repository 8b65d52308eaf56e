"""What the calls about route servers do to a node and say about it."""

from __future__ import annotations

import pytest

from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.queries import RouteServer
from dexrouter.crypto.keys import public_key_text
from tests.unit.admin.rig import Rig


def _key(rig: Rig) -> str:
    return public_key_text(rig.mesh.add().own.public)


def test_servers_are_preferred_until_they_are_removed(rig: Rig) -> None:
    """Added once, listed newest first and by pages of eight, removed once."""
    keys = [_key(rig) for _ in range(9)]
    for key in keys:
        assert rig.call("SupernodeHunter_addSnode", key=key)["error"] == "none"
    assert rig.call("SupernodeHunter_addSnode", key=keys[0])["error"] == "SupernodeHunter_addSnode_EXISTS"
    assert rig.call_open("SupernodeHunter_listSnodes")["snodes"] == keys[:0:-1]
    assert rig.call_open("SupernodeHunter_listSnodes", page=1)["snodes"] == keys[:1]
    assert rig.call_open("SupernodeHunter_listSnodes", page=2)["snodes"] == []
    for key in keys:
        assert rig.call("SupernodeHunter_removeSnode", key=key)["error"] == "none"
    error = rig.call("SupernodeHunter_removeSnode", key=keys[0])["error"]
    assert error == "SupernodeHunter_removeSnode_NONEXISTANT"


@pytest.mark.parametrize("name", ["SupernodeHunter_addSnode", "SupernodeHunter_removeSnode"])
def test_no_key(rig: Rig, name: str) -> None:
    """What is no key is refused."""
    assert rig.call(name, key="bad")["error"] == "parse_error"


def test_the_server_in_use_is_named(rig: Rig) -> None:
    """By version, path and key, and whether it is a preferred one."""
    status = rig.call_open("SupernodeHunter_status")
    assert (status["activeSnode"], status["usingAuthorizedSnode"]) == ("NONE", 0)
    server = rig.mesh.add().own.public
    rig.node.route_server.active = RouteServer(server, 21, 0x13)
    name = f"v21.0000.0000.0000.0013.{public_key_text(server)}"
    status = rig.call_open("SupernodeHunter_status")
    assert (status["activeSnode"], status["usingAuthorizedSnode"]) == (name, 0)
    rig.call("SupernodeHunter_addSnode", key=public_key_text(server))
    assert rig.call_open("SupernodeHunter_status")["usingAuthorizedSnode"] == 1


def test_peers_are_described_as_they_are_announced(rig: Rig) -> None:
    """The path from the peer, whether it is still asked for, and 18 slots with the newest last."""
    other = rig.mesh.add()
    rig.mesh.link(rig.node, other, 0)
    rig.mesh.run(5)
    (peer,) = rig.node.peering.peers()
    assert isinstance(peer, Peer)
    announcer, now = rig.node.route_server.announcer, rig.mesh.now
    assert [one.peer for one in announcer.watch([peer], now)] == [peer]
    (before,) = _peers(rig)
    assert (before["querying"], before["pathThemToUs"]) == (1, "0000.0000.0000.0000")
    announcer.heard_rpath(peer.label, 0x15, 0.012, now)
    peer.bytes_in += 5 * 1024
    assert [one.peer for one in announcer.watch([peer], now + 10)] == [peer]
    (after,) = _peers(rig)
    assert after == {
        "addr": f"v21.0000.0000.0000.0013.{public_key_text(other.own.public)}",
        "pathThemToUs": "0000.0000.0000.0015",
        "querying": 0,
        "samples": 1,
        "lagSlots": [0] * 17 + [12],
        "dropSlots": [0] * 18,
        "kbRecvSlots": [0] * 17 + [5],
    }
    assert rig.call("ReachabilityCollector_getPeerInfo", page=1)["peers"] == []


def _peers(rig: Rig) -> list[dict[str, object]]:
    peers = rig.call("ReachabilityCollector_getPeerInfo", page=0)["peers"]
    assert isinstance(peers, list)
    return [dict(peer) for peer in peers if isinstance(peer, dict)]
