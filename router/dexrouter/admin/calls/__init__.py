"""The admin functions, one small function per call, by subject. `TABLES` is all of them, in listing order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dexrouter.admin.calls import (
    ethernet,
    general,
    handlers,
    interfaces,
    logs,
    passwords,
    pings,
    routes,
    routing,
    search,
    security,
    sessions,
    signing,
    store,
    supernode,
    tunnel,
    udp,
)

if TYPE_CHECKING:
    from dexrouter.admin.table import Table

__all__ = ["TABLES"]

TABLES: Final[tuple[Table, ...]] = (
    general.TABLE,
    interfaces.TABLE,
    passwords.TABLE,
    sessions.TABLE,
    pings.TABLE,
    logs.TABLE,
    store.TABLE,
    routing.TABLE,
    search.TABLE,
    signing.TABLE,
    udp.TABLE,
    ethernet.TABLE,
    tunnel.TABLE,
    supernode.TABLE,
    routes.TABLE,
    security.TABLE,
    handlers.TABLE,
)
