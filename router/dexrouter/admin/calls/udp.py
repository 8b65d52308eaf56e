"""`UDPInterface_*`: UDP sockets and the peers called through them (spec 07 §8.1)."""

from __future__ import annotations

from typing import Final

from dexrouter.admin.calls.beacons import set_beacon
from dexrouter.admin.calls.keys import parse_key, parse_socket_address
from dexrouter.admin.message import Reply
from dexrouter.admin.table import (
    INT,
    LIST_REQUIRED,
    OK,
    TEXT,
    TEXT_REQUIRED,
    Call,
    CallError,
    Table,
    present,
)
from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.peer import Interface
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.users import Credentials

__all__ = ["TABLE", "connect"]

_ANY: Final = "0.0.0.0"  # noqa: S104 - a peer may be anywhere
_LOOPBACK: Final = {_ANY: "127.0.0.1", "::": "::1"}
_HIGHEST_PORT: Final = 65535
_HIGHEST_DSCP: Final = 63

TABLE: Final = Table()


@TABLE.function("UDPInterface_new", needs="udp", bindAddress=TEXT, dscp=INT, beaconPort=INT)
def new(call: Call) -> Reply:
    """Bind a socket."""
    bind = (
        parse_socket_address(call.text("bindAddress")) if call.raw("bindAddress") is not None else (_ANY, 0)
    )
    if bind is None:
        raise CallError("Failed to parse address")
    beacon_port, dscp = call.integer("beaconPort"), call.integer("dscp")
    if not 0 <= beacon_port <= _HIGHEST_PORT:
        raise CallError("beaconPort out of range: must be 0 to 65535")
    if not 0 <= dscp <= _HIGHEST_DSCP:
        raise CallError("dscp out of range: must be 0 to 63")
    number, bound = present(call.context.edge.udp).udp_new(*bind, dscp=dscp, beacon_port=beacon_port)
    return {"error": "none", "interfaceNumber": number, "bindAddress": bound}


@TABLE.function(
    "UDPInterface_beginConnection",
    interfaceNumber=INT,
    password=TEXT,
    publicKey=TEXT_REQUIRED,
    address=TEXT_REQUIRED,
    login=TEXT,
    peerName=TEXT,
)
def begin_connection(call: Call) -> Reply:
    """Add a peer and call it; a peer at the same address is replaced."""
    parse_key(call.text("publicKey"))
    interface = _interface(call)
    endpoint = parse_socket_address(call.text("address"))
    if endpoint is None:
        raise CallError("unable to parse ip address and port.")
    host, port = _LOOPBACK.get(endpoint[0], endpoint[0]), endpoint[1]
    kind = LinkKind.UDP6 if ":" in host else LinkKind.UDP4
    if kind is not interface.kind:
        raise CallError("different address type than this socket is bound to.")
    connect(call, interface, (host, port, 0, 0) if kind is LinkKind.UDP6 else (host, port))
    return OK


@TABLE.function("UDPInterface_listDevices", needs="beacons")
def list_devices(call: Call) -> Reply:
    """List the devices that have a broadcast address."""
    return {"ret": present(call.context.edge.beacons).broadcast_devices()}


@TABLE.function(
    "UDPInterface_setBroadcastDevices", needs="beacons", interfaceNumber=INT, devices=LIST_REQUIRED
)
def set_broadcast_devices(call: Call) -> Reply:
    """Set where beacons go to."""
    number = _interface(call).number
    present(call.context.edge.beacons).set_beacon_devices(number, call.strings("devices"))
    return OK


@TABLE.function("UDPInterface_getBroadcastDevices", needs="beacons", interfaceNumber=INT)
def get_broadcast_devices(call: Call) -> Reply:
    """Tell where beacons go to, as it was set."""
    devices = present(call.context.edge.beacons).beacon_devices(_interface(call).number)
    return {"error": "none", "devices": devices}


@TABLE.function("UDPInterface_getBroadcastAddrs", needs="beacons", interfaceNumber=INT)
def get_broadcast_addresses(call: Call) -> Reply:
    """Tell the addresses that beacons go to now."""
    addresses = present(call.context.edge.beacons).beacon_addresses(_interface(call).number)
    return {"error": "none", "addrs": addresses}


@TABLE.function("UDPInterface_beacon", needs="beacons", interfaceNumber=INT, state=INT)
def beacon(call: Call) -> Reply:
    """Switch beacons."""
    return set_beacon(call, lambda kind: kind is not LinkKind.ETHERNET)


@TABLE.function("UDPInterface_getFd", needs="udp", interfaceNumber=INT)
def get_descriptor(call: Call) -> Reply:
    """Give the socket's file descriptor, for those who share the process."""
    return {"error": "none", "fd": present(call.context.edge.udp).udp_descriptor(_interface(call).number)}


def connect(call: Call, interface: Interface, address: LinkAddress) -> None:
    """Add the peer that the arguments describe. Raises CallError."""
    password, node = call.raw("password"), call.context.node
    key = parse_key(call.text("publicKey"))
    if key == node.own.public:
        raise CallError("invalid cjdns public key.")
    try:
        node.peering.connect(
            interface.number,
            address,
            key,
            None if password is None else Credentials(password, call.raw("login")),
            call.now,
            name=(call.raw("peerName") or b"outer").decode("utf-8", "surrogateescape"),
        )
    except PeeringError as error:
        raise CallError(str(error)) from error
    node.flush(call.now)


def _interface(call: Call) -> Interface:
    number, interfaces = call.integer("interfaceNumber"), call.context.node.peering.interfaces
    if 0 <= number < len(interfaces) and interfaces[number].kind is not LinkKind.ETHERNET:
        return interfaces[number]
    raise CallError("no such interface for interfaceNumber")
