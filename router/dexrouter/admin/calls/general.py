"""`ping`, `Admin_*`, `Core_*`, `Allocator_*`: about the node and the API themselves (spec 07 §8.1, §8.8)."""

from __future__ import annotations

from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.edge import EdgeError
from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import (
    INT,
    INT_REQUIRED,
    OK,
    TEXT,
    TEXT_REQUIRED,
    Call,
    CallError,
    Table,
    one_page,
    present,
)
from dexrouter.crypto.keys import address_text, format_node
from dexrouter.wire.encoding_scheme import V358, EncodingScheme
from dexrouter.wire.labels import SELF_LABEL

__all__ = ["TABLE", "scheme_forms"]

FUNCTIONS_PER_PAGE: Final = 8

_BARE: Final = 1
"""`type` of a descriptor whose packets have nothing in front; 0, with the protocol in front, is usual."""

TABLE: Final = Table()


@TABLE.function("ping", is_open=True)
def ping(_call: Call) -> Reply:
    """Say that the node is there."""
    return {"q": "pong"}


@TABLE.function("Admin_availableFunctions", is_open=True, page=INT)
def available_functions(call: Call) -> Reply:
    """List a page of functions; clients page until it is empty, or until `more` is absent."""
    functions = tuple(call.context.functions.values())
    page, _ = one_page(functions, call.integer("page"), FUNCTIONS_PER_PAGE)
    reply: Reply = {"availableFunctions": {function.name: function.describe() for function in page}}
    if len(page) == FUNCTIONS_PER_PAGE:
        reply["more"] = 1
    return reply


@TABLE.function("Admin_asyncEnabled", is_open=True)
def async_enabled(call: Call) -> Reply:
    """Tell whether the caller is known, and so may be sent what it did not just ask for."""
    return {"asyncEnabled": int(call.caller.source in call.context.known)}


@TABLE.function("Core_nodeInfo", is_open=True)
def node_info(call: Call) -> Reply:
    """Describe this node."""
    own = call.context.node.own
    return {
        "error": "none",
        "myAddr": format_node(PROTOCOL_VERSION, SELF_LABEL, own.public),
        "myIp6": address_text(own.address),
        "version": PROTOCOL_VERSION,
        "encodingScheme": scheme_forms(V358),
        "compressedSchemeHex": V358.serialize().hex(),
    }


@TABLE.function("Core_pid", is_open=True)
def pid(call: Call) -> Reply:
    """Give the process's number."""
    return {"pid": call.context.pid}


@TABLE.function("Core_exit", needs="process")
def core_exit(call: Call) -> Reply:
    """End the process."""
    present(call.context.edge.process).exit()
    return OK


@TABLE.function("Core_initTunnel", needs="tunnel", desiredTunName=TEXT)
def init_tunnel(call: Call) -> Reply:
    """Make the TUN device."""
    try:
        present(call.context.edge.tunnel).init_tunnel(call.text("desiredTunName") or None)
    except EdgeError as error:
        raise CallError(f"Failed to configure tunnel [{error}]") from error
    return OK


@TABLE.function("Core_stopTun", needs="tunnel")
def stop_tunnel(call: Call) -> Reply:
    """Remove the TUN device."""
    if not present(call.context.edge.tunnel).stop_tunnel():
        raise CallError("no tun currently configured")
    return OK


@TABLE.function("Core_initTunfd", needs="tunnel", tunfd=INT_REQUIRED, type=INT)
def init_tun_descriptor(call: Call) -> Reply:
    """Use a TUN device that the process was started with as an open descriptor."""
    descriptor, kind = call.integer("tunfd"), call.integer("type")
    if descriptor < 0:
        raise CallError("Invalid tunfd")
    if kind not in (0, _BARE):
        raise CallError(f"Failed to configure tunnel [type {kind} is not one of this system]")
    try:
        present(call.context.edge.tunnel).init_descriptor(descriptor, is_bare=kind == _BARE)
    except EdgeError as error:
        raise CallError(f"Failed to configure tunnel [{error}]") from error
    return OK


@TABLE.function("Core_initSocket", needs="tunnel", socketFullPath=TEXT_REQUIRED, socketAttemptToCreate=INT)
def init_socket(call: Call) -> Reply:
    """Use a Unix socket in place of the TUN device; like the C router, never make one."""
    try:
        present(call.context.edge.tunnel).init_socket(call.text("socketFullPath"))
    except EdgeError as error:
        raise CallError(f"Failed to configure socket [{error}]") from error
    return OK


@TABLE.function("Admin_importFd")
def import_descriptor(_call: Call) -> Reply:
    """Refuse: descriptors go over Unix sockets, and this API has none."""
    raise CallError("file descriptor was not attached to message")


@TABLE.function("Admin_exportFd", fd=INT_REQUIRED)
def export_descriptor(call: Call) -> Reply:
    """Refuse, for the same reason."""
    if call.integer("fd") < 0:
        raise CallError("invalid fd")
    raise CallError("a file descriptor cannot be attached to a message over UDP")


@TABLE.function("Allocator_bytesAllocated", needs="memory")
def bytes_allocated(call: Call) -> Reply:
    """Give the memory in use: here the resident size of the process."""
    return {"bytes": present(call.context.edge.memory).memory()}


@TABLE.function("Allocator_snapshot", needs="memory", includeAllocations=INT)
def snapshot(call: Call) -> Reply:
    """Write to the log what the memory is used for."""
    present(call.context.edge.memory).snapshot(every_kind=bool(call.integer("includeAllocations")))
    return OK


def scheme_forms(scheme: EncodingScheme) -> list[Value]:
    """Describe an encoding scheme (spec 07 §7)."""
    return [
        {"bitCount": form.bit_count, "prefix": f"{form.prefix:02x}", "prefixLen": form.prefix_length}
        for form in scheme.forms
    ]
