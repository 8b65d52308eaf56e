"""`ping`, `Admin_*`, `Core_*`, `Allocator_*`: about the node and the API themselves (spec 07 §8.1, §8.8)."""

from __future__ import annotations

from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.edge import EdgeError
from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT, OK, TEXT, Call, CallError, Table, one_page, present
from dexrouter.crypto.keys import address_text, format_node
from dexrouter.wire.encoding_scheme import V358, EncodingScheme
from dexrouter.wire.labels import SELF_LABEL

__all__ = ["TABLE", "scheme_forms"]

FUNCTIONS_PER_PAGE: Final = 8

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


@TABLE.function("Allocator_bytesAllocated", needs="memory")
def bytes_allocated(call: Call) -> Reply:
    """Give the memory in use: here the resident size of the process."""
    return {"bytes": present(call.context.edge.memory).memory()}


def scheme_forms(scheme: EncodingScheme) -> list[Value]:
    """Describe an encoding scheme (spec 07 §7)."""
    return [
        {"bitCount": form.bit_count, "prefix": f"{form.prefix:02x}", "prefixLen": form.prefix_length}
        for form in scheme.forms
    ]
