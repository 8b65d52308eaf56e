"""`UpperDistributor_*`: programs of this machine that see packets of one kind (spec 07 §8.7).

What they get and give: wire/route_header.py.
"""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_REQUIRED, OK, Call, CallError, Table, one_page

__all__ = ["TABLE"]

HANDLERS_PER_PAGE: Final = 8

_HIGHEST_PORT: Final = 65535
_HIGHEST_TYPE: Final = 0x10001

TABLE: Final = Table()


@TABLE.function("UpperDistributor_registerHandler", contentType=INT_REQUIRED, udpPort=INT_REQUIRED)
def register(call: Call) -> Reply:
    """Let the program at a port see packets of a type."""
    port, handlers, content_type = _port(call), call.context.node.handlers, call.integer("contentType")
    if not 0 <= content_type <= _HIGHEST_TYPE:
        raise CallError("invalid_contentType")
    if port in handlers.types_by_port:
        raise CallError("UpperDistributor_registerHandler_PORT_REGISTERED")
    if not handlers.register(port, content_type):
        raise CallError("too many handlers")
    return OK


@TABLE.function("UpperDistributor_unregisterHandler", udpPort=INT_REQUIRED)
def unregister(call: Call) -> Reply:
    """End it."""
    if not call.context.node.handlers.unregister(_port(call)):
        raise CallError("UpperDistributor_unregisterHandler_NONEXISTANT")
    return OK


@TABLE.function("UpperDistributor_listHandlers", page=INT)
def list_handlers(call: Call) -> Reply:
    """List a page of them."""
    handlers = tuple(call.context.node.handlers.types_by_port.items())
    page, _ = one_page(handlers, max(call.integer("page"), 0), HANDLERS_PER_PAGE)
    return {"error": "none", "handlers": [{"type": seen, "udpPort": port} for port, seen in page]}


def _port(call: Call) -> int:
    port = call.integer("udpPort")
    if not 0 < port <= _HIGHEST_PORT:
        raise CallError("invalid_udpPort")
    return port
