"""`IpTunnel_*`: connections of the IP tunnel, as client and as gateway (spec 07 §8.1)."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from dexrouter.admin.calls.keys import parse_key
from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT, INT_REQUIRED, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table
from dexrouter.core.iptunnel import Connection, TunnelError
from dexrouter.crypto.keys import public_key_text
from dexrouter.wire.iptunnel import Block

__all__ = ["TABLE"]

TABLE: Final = Table()

_FAMILIES: Final = {"ip6": 128, "ip4": 32}
"""Names of arguments begin so; bits of an address."""


@TABLE.function(
    "IpTunnel_allowConnection",
    publicKeyOfAuthorizedNode=TEXT_REQUIRED,
    ip4Address=TEXT,
    ip4Prefix=INT,
    ip4Alloc=INT,
    ip6Address=TEXT,
    ip6Prefix=INT,
    ip6Alloc=INT,
)
def allow_connection(call: Call) -> Reply:
    """Give addresses to a client."""
    if all(call.raw(f"{family}Address") is None for family in _FAMILIES):
        raise CallError("Must specify ip6Address or ip4Address")
    for family, bits in _FAMILIES.items():
        _check_lengths(call, family, bits)
    key = parse_key(call.text("publicKeyOfAuthorizedNode"))
    ip6, ip4 = (_block(call, family, bits) for family, bits in _FAMILIES.items())
    try:
        number = call.context.node.tunnel.allow(key, ip4, ip6)
    except TunnelError as error:
        raise CallError(str(error)) from error
    return {"error": "none", "connection": number}


@TABLE.function("IpTunnel_connectTo", publicKeyOfNodeToConnectTo=TEXT_REQUIRED)
def connect_to(call: Call) -> Reply:
    """Ask a gateway for addresses, from now on."""
    key, node = parse_key(call.text("publicKeyOfNodeToConnectTo")), call.context.node
    try:
        number = node.tunnel.connect(key, call.now)
    except TunnelError as error:
        raise CallError(str(error)) from error
    node.poll(call.now)
    return {"error": "none", "connection": number}


@TABLE.function("IpTunnel_listConnections")
def list_connections(call: Call) -> Reply:
    """List the numbers of all connections."""
    numbers: list[Value] = [connection.number for connection in call.context.node.tunnel.connections()]
    return {"error": "none", "connections": numbers}


@TABLE.function("IpTunnel_showConnection", connection=INT_REQUIRED)
def show_connection(call: Call) -> Reply:
    """Describe a connection."""
    connection = _find(call)
    if connection is None:
        raise CallError("connection not found")
    reply: Reply = {
        "error": "none",
        "key": public_key_text(connection.key),
        "outgoing": int(connection.is_outgoing),
    }
    if connection.ip4 is not None:
        reply |= {"ip4Address": str(IPv4Address(connection.ip4.address)), **_lengths("ip4", connection.ip4)}
    if connection.ip6 is not None:
        reply |= {"ip6Address": str(IPv6Address(connection.ip6.address)), **_lengths("ip6", connection.ip6)}
    return reply


@TABLE.function("IpTunnel_removeConnection", connection=INT_REQUIRED)
def remove_connection(call: Call) -> Reply:
    """End a connection; a client's device loses the addresses."""
    node = call.context.node
    connection = _find(call)
    if connection is None:
        raise CallError("not_found")
    node.tunnel.remove(connection.number)
    node.flush(call.now)
    return {**OK, "connection": connection.number}


def _find(call: Call) -> Connection | None:
    number = call.integer("connection")
    return next((one for one in call.context.node.tunnel.connections() if one.number == number), None)


def _check_lengths(call: Call, family: str, bits: int) -> None:
    for name, least in ((f"{family}Prefix", 0), (f"{family}Alloc", 1)):
        value = call.optional_integer(name)
        if value is None:
            continue
        if call.raw(f"{family}Address") is None:
            raise CallError(f"Must specify {family}Address with {name}")
        if not least <= value <= bits:
            raise CallError(f"{name} out of range: must be {least} to {bits}")


def _block(call: Call, family: str, bits: int) -> Block | None:
    if call.raw(f"{family}Address") is None:
        return None
    text = call.text(f"{family}Address")
    try:
        address = (IPv4Address(text) if bits == 32 else IPv6Address(text)).packed
    except AddressValueError as error:
        raise CallError(f"malformed {family}Address") from error
    return Block(address, call.integer(f"{family}Prefix", bits), call.integer(f"{family}Alloc", bits))


def _lengths(family: str, block: Block) -> Reply:
    return {f"{family}Prefix": block.prefix, f"{family}Alloc": block.alloc}
