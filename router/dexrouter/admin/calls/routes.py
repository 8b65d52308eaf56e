"""`RouteGen_*`: what is routed into the IP tunnel (spec 06 §6, spec 07 §8.7).

The lists hold what was added by hand, what the tunnel's gateways gave, and the addresses of peers. What is
changed by hand is set on the device by `RouteGen_commit`, or with the next change that comes by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from dexrouter.admin.message import Reply
from dexrouter.admin.table import (
    INT,
    OK,
    TEXT_REQUIRED,
    Call,
    CallError,
    Handler,
    Table,
    one_page,
    present,
)
from dexrouter.core.route_generation import Network, RouteTable

__all__ = ["TABLE"]

ROUTES_PER_PAGE: Final = 20

TABLE: Final = Table()

_List: TypeAlias = Callable[[RouteTable], list[Network]]

_LISTS: Final[dict[str, _List]] = {
    "Prefix": lambda table: table.prefixes,
    "LocalPrefix": lambda table: table.local_prefixes,
    "Exception": lambda table: table.exceptions,
}
"""By the end of the functions' names."""

_PLURALS: Final = {"Prefix": "Prefixes", "LocalPrefix": "LocalPrefixes", "Exception": "Exceptions"}


def _table(call: Call) -> RouteTable:
    return present(call.context.edge.routes).routes


def _network(call: Call) -> Network:
    try:
        return ip_network(call.text("route"), strict=False)
    except ValueError as error:
        raise CallError("parse_failed") from error


def _adding(chosen: _List) -> Handler:
    def add(call: Call) -> Reply:
        """Put a network into the list."""
        table = _table(call)
        if not table.add(chosen(table), _network(call)):
            raise CallError("too many routes")
        return OK

    return add


def _removing(chosen: _List) -> Handler:
    def remove(call: Call) -> Reply:
        """Take a network out of the list."""
        networks, network = chosen(_table(call)), _network(call)
        if network not in networks:
            raise CallError("no_such_route")
        networks.remove(network)
        return OK

    return remove


def _page(call: Call, networks: list[Network] | tuple[Network, ...]) -> Reply:
    family = IPv6Network if call.integer("ip6") > 0 else IPv4Network
    routes = [str(one) for one in networks if isinstance(one, family)]
    page, more = one_page(routes, call.integer("page"), ROUTES_PER_PAGE)
    return {"routes": page, "more": 1} if more else {"routes": page}


def _listing(chosen: _List) -> Handler:
    def get(call: Call) -> Reply:
        """List a page of the networks of one family."""
        return _page(call, chosen(_table(call)))

    return get


for _name, _chosen in _LISTS.items():
    TABLE.function(f"RouteGen_add{_name}", needs="routes", route=TEXT_REQUIRED)(_adding(_chosen))
    TABLE.function(f"RouteGen_remove{_name}", needs="routes", route=TEXT_REQUIRED)(_removing(_chosen))
    TABLE.function(f"RouteGen_get{_PLURALS[_name]}", needs="routes", page=INT, ip6=INT)(_listing(_chosen))


@TABLE.function("RouteGen_getGeneratedRoutes", needs="routes", page=INT, ip6=INT)
def generated(call: Call) -> Reply:
    """List a page of the routes that follow from the lists."""
    return _page(call, _table(call).generate())


@TABLE.function("RouteGen_commit", needs="routes", tunName=TEXT_REQUIRED)
def commit(call: Call) -> Reply:
    """Set them on the device."""
    present(call.context.edge.routes).commit_routes(call.text("tunName"))
    return OK
