"""`dexctl peers`, `sessions`, `nodes`: tables, the line formats of cjdns' own tools, JSON (spec 08 §10)."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from typing import Final

from dexrouter.admin.client import AdminClient, CallFailedError
from dexrouter.cli.ctl.table import print_table, printable

__all__ = ["nodes", "peers", "sessions"]

Entry = Mapping[str, object]

_NAME_WIDTH: Final = 16
_LABEL: Final = slice(-74, -55)


def peers(client: AdminClient, options: Namespace) -> int:
    """List the peers. Needs no password."""
    found = [_entry(value) for value in client.pages("InterfaceController_peerStats", "peers", signed=False)]
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if options.raw:
        for peer in found:
            print(printable(_peer_line(peer)))
        return 0
    if not found:
        print("No peers.")
        return 0
    rows = [
        (
            str(peer.get("state", "")),
            _number(peer, "recvKbps"),
            _number(peer, "sendKbps"),
            _number(peer, "lostPackets"),
            "in" if peer.get("isIncoming") else "out",
            str(peer.get("user", ""))[:_NAME_WIDTH],
            str(peer.get("lladdr", "")),
        )
        for peer in sorted(found, key=lambda peer: str(peer.get("lladdr", "")))
    ]
    print_table(("STATE", "IN kb/s", "OUT kb/s", "LOST", "CALL", "NAME", "LINK"), rows, right="123")
    return 0


def sessions(client: AdminClient, options: Namespace) -> int:
    """List the end-to-end sessions."""
    found: list[Entry] = []
    for handle in client.pages("SessionManager_getHandles", "handles"):
        try:
            found.append(client.call("SessionManager_sessionStats", {"handle": handle}))
        except CallFailedError:
            continue  # ended meanwhile
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if options.raw:
        for session in found:
            print(printable(_session_line(session)))
    if not found:
        print("No active sessions")
    if options.raw or not found:
        return 0
    rows = [
        (str(session.get("ip6", "")), str(session.get("state", "")), str(session.get("addr", ""))[_LABEL])
        for session in sorted(found, key=lambda session: str(session.get("ip6", "")))
    ]
    print_table(("ADDRESS", "STATE", "PATH"), rows)
    return 0


def nodes(client: AdminClient, options: Namespace) -> int:
    """List the nodes that the router knows a way to. Needs no password."""
    found = [_entry(value) for value in client.pages("NodeStore_dumpTable", "routingTable", signed=False)]
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    rows = [
        (
            str(node.get("ip", "")),
            "v" + _number(node, "version"),
            _number(node, "link"),
            str(node.get("path", "")),
        )
        for node in sorted(found, key=lambda node: str(node.get("path", "")))
    ]
    print_table(("ADDRESS", "VERSION", "COST", "PATH"), rows, right="2")
    return 0


def _peer_line(peer: Entry) -> str:
    """Write the line of cjdns' peerStats."""
    line = (
        f"{peer.get('lladdr')} {peer.get('addr')} {peer.get('state')}"
        f" in {peer.get('recvKbps')}kb/s out {peer.get('sendKbps')}kb/s"
    )
    for key, word in (("duplicates", "DUP"), ("lostPackets", "LOS"), ("receivedOutOfRange", "OOR")):
        if peer.get(key):
            line += f"  {word} {peer[key]}"
    return f'{line} "{peer["user"]}"' if "user" in peer else line


def _session_line(session: Entry) -> str:
    """Write the line of cjdns' sessionStats."""
    metric = session.get("metric")
    line = (
        f"{session.get('addr')} {str(session.get('state')).ljust(11)}"
        f" {session.get('handle')} {session.get('sendHandle')}"
        f" {metric if isinstance(metric, int) else 0:08x}"
    )
    for key, word in (("duplicates", "DUP"), ("lostPackets", "LOS"), ("receivedOutOfRange", "OOR")):
        if session.get(key):
            line += f"  {word}  {session[key]}"
    return f"{line} USE" if session.get("timeOfLastUsage") else line


def _entry(value: object) -> Entry:
    return value if isinstance(value, Mapping) else {}


def _number(entry: Entry, key: str) -> str:
    return str(entry.get(key, 0))
