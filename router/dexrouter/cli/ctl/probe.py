"""`dexctl ping` and `traceroute`: is a node there, and which way leads to it."""

from __future__ import annotations

import re
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from dexrouter.admin.client import AdminClient, CallFailedError, ServerReply
from dexrouter.admin.message import Value
from dexrouter.cli.ctl.table import print_table

__all__ = ["ping", "traceroute"]

SECONDS_BETWEEN: Final = 1.0
MOST_HOPS: Final = 64
_ANSWER_MARGIN: Final = 2.0
"""Seconds that the router gets beyond the timeout it was given."""

_LABEL: Final = re.compile(r"[0-9a-f]{4}(\.[0-9a-f]{4}){3}")
_NODE_NAME: Final = re.compile(r"v\d+\.(" + _LABEL.pattern + r")\.[0-9a-z]{52}\.k")


def ping(client: AdminClient, options: Namespace) -> int:
    """Ping a node again and again; 0 if it answered at least once."""
    function, path = _target(options.destination)
    if not function:
        return _usage(options.destination)
    times: list[int] = []
    number = 0
    try:
        while number < options.count or not options.count:
            if number:
                time.sleep(SECONDS_BETWEEN)
            number += 1
            answer = _ping_once(client, function, path, options.timeout)
            if answer.get("result") == "pong":
                times.append(_milliseconds(answer))
            print(_line(number, path, answer), flush=True)
    except KeyboardInterrupt:
        print()
    summary = f"{number} sent, {len(times)} answered"
    if times:
        summary += (
            f"; shortest {min(times)} ms, mean {sum(times) / len(times):.1f} ms, longest {max(times)} ms"
        )
    print(summary)
    return 0 if times else 1


def traceroute(client: AdminClient, options: Namespace) -> int:
    """Show the router's own path to a node, and ping every node on it."""
    try:
        target = _padded(options.destination)
    except AddressValueError:
        return _usage(options.destination)
    hops = _hops(client, target)
    if not hops:
        print(f"dexctl: The router knows no path to {options.destination}.", file=sys.stderr)
        return 1
    rows: list[tuple[str, ...]] = []
    answer: ServerReply = {}
    for number, (address, label, cost) in enumerate(hops):
        answer = _ping_once(client, "SwitchPinger_ping", label, options.timeout)
        there = f"{_milliseconds(answer)} ms" if answer.get("result") == "pong" else str(answer.get("result"))
        rows.append((str(number), address, there, str(cost), label))
    print_table(("HOP", "ADDRESS", "TIME", "COST", "PATH"), rows, right="023")
    return 0 if answer.get("result") == "pong" else 1


def _hops(client: AdminClient, target: str) -> list[tuple[str, str, int]]:
    """Follow the best parents from a node to our own: address, label and cost of each, ours first."""
    hops: list[tuple[str, str, int]] = []
    address = target
    while len(hops) < MOST_HOPS:
        node = client.call("NodeStore_nodeForAddr", {"ip": address}, signed=False).get("result")
        best = node.get("bestParent") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(best, Mapping):
            return []
        hops.insert(0, (address, str(node.get("routeLabel")), _integer(node.get("cost"))))
        parent = str(best["ip"]) if "ip" in best else ""
        if parent == address:
            return hops
        address = parent
    return []


def _ping_once(client: AdminClient, function: str, path: str, seconds: float) -> ServerReply:
    arguments: dict[str, Value] = {"path": path, "timeout": int(seconds * 1000)}
    try:
        return client.call(function, arguments, timeout=seconds + _ANSWER_MARGIN)
    except CallFailedError as error:
        if error.text == "not_found":
            return {"result": "no path is known"}
        raise


def _target(text: str) -> tuple[str, str]:
    """Find the function and its `path` for what a person wrote: a label, a node name, an address."""
    if _LABEL.fullmatch(text):
        return "SwitchPinger_ping", text
    if _NODE_NAME.fullmatch(text):
        return "RouterModule_pingNode", text
    try:
        return "RouterModule_pingNode", _padded(text)
    except AddressValueError:
        return "", ""


def _padded(text: str) -> str:
    return IPv6Address(text).exploded


def _line(number: int, path: str, answer: ServerReply) -> str:
    if answer.get("result") != "pong":
        return f"{number}: {path}: {answer.get('result')}"
    name = answer.get("addr")
    via = _NODE_NAME.fullmatch(name) if isinstance(name, str) else None
    version = answer.get("protocol", answer.get("version"))
    where = f" via {via[1]}" if via else ""
    return f"{number}: {path}{where} v{version} {_milliseconds(answer)} ms"


def _milliseconds(answer: ServerReply) -> int:
    return _integer(answer.get("ms"))


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _usage(text: str) -> int:
    print(
        f'dexctl: "{text}" is neither a mesh address, nor a label like 0000.0000.0000.0013, nor a node name.',
        file=sys.stderr,
    )
    return 2
