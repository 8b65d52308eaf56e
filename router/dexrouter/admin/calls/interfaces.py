"""`InterfaceController_*`: links and the peers at their other ends (spec 07 §8.1, §8.2)."""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table, one_page, present
from dexrouter.core.beacons import LOCAL_PEERS
from dexrouter.core.links import format_link_address
from dexrouter.core.peer import Peer
from dexrouter.crypto.keys import KeyParseError, PublicKey, format_node, parse_public_key

__all__ = ["TABLE"]

ENTRIES_PER_PAGE: Final = 6

UNNAMED: Final = "outer"
"""What an incoming peer without a login is called."""

TABLE: Final = Table()


@TABLE.function("InterfaceController_peerStats", is_open=True, page=INT)
def peer_stats(call: Call) -> Reply:
    """List a page of peers, the newest first."""
    peers = tuple(call.context.node.peering.peers())[::-1]
    page, more = one_page(peers, call.integer("page"), ENTRIES_PER_PAGE)
    reply: Reply = {"peers": [_stats(peer, call) for peer in page], "total": len(peers)}
    if more:
        reply["more"] = 1
    return reply


@TABLE.function("InterfaceController_interfaces", page=INT)
def interfaces(call: Call) -> Reply:
    """List a page of interfaces, the newest first."""
    known = call.context.node.peering.interfaces[::-1]
    page, more = one_page(known, call.integer("page"), ENTRIES_PER_PAGE)
    reply: Reply = {
        "ifaces": [
            {"ifNum": one.number, "name": one.name, "beaconState": one.beacon_mode.name} for one in page
        ],
        "total": len(known),
    }
    if more:
        reply["more"] = 1
    return reply


@TABLE.function("InterfaceController_timestampPackets", needs="timing", enable=INT)
def timestamp_packets(call: Call) -> Reply:
    """Switch lines about the arrival of packets on or off in the log; without an argument, tell."""
    timing, enable = present(call.context.edge.timing), call.optional_integer("enable")
    if enable is None:
        return {"error": "none", "enabled": timing.is_timing}
    timing.is_timing = bool(enable)
    return OK


@TABLE.function("InterfaceController_disconnectPeer", pubkey=TEXT_REQUIRED)
def disconnect_peer(call: Call) -> Reply:
    """Forget all peers with a key."""
    for peer in _peers_of(_key(call), call):
        call.context.node.peering.forget(peer, "disconnected by the admin")
    call.context.node.flush(call.now)
    return {"success": 1}


@TABLE.function("InterfaceController_resetPeering", pubkey=TEXT)
def reset_peering(call: Call) -> Reply:
    """Begin new sessions with the peers of a key, or with all."""
    everybody = call.raw("pubkey") is None
    for peer in call.context.node.peering.peers() if everybody else _peers_of(_key(call), call):
        peer.begin_anew()
    return {"success": 1}


def _key(call: Call) -> PublicKey:
    try:
        return parse_public_key(call.text("pubkey"))
    except KeyParseError as error:
        raise CallError("bad key", success=0) from error


def _peers_of(key: PublicKey, call: Call) -> list[Peer]:
    peers = [peer for peer in call.context.node.peering.peers() if peer.key == key]
    if not peers:
        raise CallError("no peer found for that key", success=0)
    return peers


def _stats(peer: Peer, call: Call) -> Value:
    replay = peer.session.replay
    return {
        "addr": format_node(peer.version, peer.label, peer.key),
        "lladdr": format_link_address(peer.link_address),
        "state": peer.state.name,
        "isIncoming": peer.is_incoming,
        "user": _user(peer),
        "ifNum": peer.interface.number,
        "bytesIn": peer.bytes_in,
        "bytesOut": peer.bytes_out,
        "receivedPackets": peer.packets_in,
        "recvKbps": peer.bandwidth_in.kbps(peer.bytes_in, call.now),
        "sendKbps": peer.bandwidth_out.kbps(peer.bytes_out, call.now),
        "duplicates": replay.duplicates,
        "lostPackets": replay.lost,
        "receivedOutOfRange": replay.out_of_range,
        "last": call.wall_ms - int((call.now - peer.last_message) * 1000),
    }


def _user(peer: Peer) -> str | bytes:
    """Name a peer: one that called us by its login, as v22 does (v20 and v21 always say `outer`)."""
    login = peer.session.user
    if not peer.is_incoming or not login or login == LOCAL_PEERS:
        return peer.name or UNNAMED
    return login
