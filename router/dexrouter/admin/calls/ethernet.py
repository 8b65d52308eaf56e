"""`ETHInterface_*`: peering with Ethernet frames (spec 07 §8.1)."""

from __future__ import annotations

import re
from typing import Final

from dexrouter.admin.calls.beacons import set_beacon
from dexrouter.admin.calls.udp import connect
from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table, present
from dexrouter.core.links import LinkKind
from dexrouter.crypto.keys import KeyParseError, parse_public_key

__all__ = ["TABLE"]

_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")

TABLE: Final = Table()


@TABLE.function("ETHInterface_new", needs="ethernet", bindDevice=TEXT_REQUIRED)
def new(call: Call) -> Reply:
    """Open a device."""
    number = present(call.context.edge.ethernet).ethernet_new(call.text("bindDevice"))
    return {"error": "none", "interfaceNumber": number}


@TABLE.function("ETHInterface_listDevices", needs="ethernet")
def list_devices(call: Call) -> Reply:
    """List the devices that could be opened."""
    return {"error": "none", "devices": present(call.context.edge.ethernet).ethernet_devices()}


@TABLE.function("ETHInterface_beacon", needs="ethernet", interfaceNumber=INT, state=INT)
def beacon(call: Call) -> Reply:
    """Switch beacons."""
    return set_beacon(call, lambda kind: kind is LinkKind.ETHERNET)


@TABLE.function(
    "ETHInterface_beginConnection",
    needs="ethernet",
    interfaceNumber=INT,
    password=TEXT,
    publicKey=TEXT_REQUIRED,
    macAddress=TEXT_REQUIRED,
    login=TEXT,
    peerName=TEXT,
)
def begin_connection(call: Call) -> Reply:
    """Add a peer and call it. An unknown interface is an error here; it ends the C router."""
    try:
        parse_public_key(call.text("publicKey"))
    except KeyParseError as error:
        raise CallError("invalid publicKey") from error
    mac = call.text("macAddress")
    if not _MAC.fullmatch(mac):
        raise CallError("invalid macAddress")
    number, interfaces = call.integer("interfaceNumber"), call.context.node.peering.interfaces
    if not 0 <= number < len(interfaces) or interfaces[number].kind is not LinkKind.ETHERNET:
        raise CallError("invalid interfaceNumber")
    connect(call, interfaces[number], bytes.fromhex(mac.replace(":", "")))
    return OK
