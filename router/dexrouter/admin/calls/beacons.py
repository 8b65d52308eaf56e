"""Switching beacons, which UDP and Ethernet interfaces have alike (spec 07 §8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import Call, CallError
from dexrouter.core.links import LinkKind
from dexrouter.core.peer import BeaconMode

__all__ = ["set_beacon"]

_NAMES: Final = {
    BeaconMode.DISABLED: "disabled",
    BeaconMode.ACCEPTING: "accepting",
    BeaconMode.SENDING: "sending and accepting",
}


def set_beacon(call: Call, is_ours: Callable[[LinkKind], bool]) -> Reply:
    """Set the mode of the interface in the arguments; without a state there is an error, not a query."""
    state = call.optional_integer("state")
    try:
        mode = BeaconMode(-1 if state is None else state)
    except ValueError as error:
        raise CallError("invalid state") from error
    number, node = call.integer("interfaceNumber"), call.context.node
    interfaces = node.peering.interfaces
    if not 0 <= number < len(interfaces) or not is_ours(interfaces[number].kind):
        raise CallError("invalid interfaceNumber")
    edge = call.context.edge.beacons
    if edge is not None and interfaces[number].kind is not LinkKind.ETHERNET:
        edge.set_beacon_mode(number, mode)
    node.peering.set_beacon_mode(number, mode, call.now)
    return {"error": "none", "state": mode.value, "stateName": _NAMES[mode]}
