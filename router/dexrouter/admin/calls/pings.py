"""`SwitchPinger_ping`: is the node at this label there? The reply comes with its answer (spec 07 §8.5).

Of v22 are the questions for its route server, for the way back, and for the UDP address that it sees us at.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.context import Context, PendingPing
from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_UNLISTED, TEXT, TEXT_REQUIRED, Call, Caller, CallError, Table
from dexrouter.core.control import COOKIE_SIZE, Answered, PingKind, PingTimeout
from dexrouter.crypto.keys import PublicKey, format_node, public_key_text
from dexrouter.wire.control import (
    MAX_KEY_PING_DATA,
    Control,
    GetSnodeReply,
    KeyPong,
    LlAddrReply,
    RPathReply,
    UdpAddress,
)
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import format_label, parse_label

__all__ = ["TABLE", "collect_pings"]

DEFAULT_TIMEOUT: Final = 2000
LONGEST_TIMEOUT: Final = 60_000
"""Milliseconds."""

MAX_DATA: Final = 256
MAX_KEY_PING_TEXT: Final = MAX_KEY_PING_DATA - COOKIE_SIZE
"""Bytes of the caller's own data: a key ping carries few."""

TABLE: Final = Table()


_KINDS: Final = {
    "keyPing": PingKind.KEY_PING,
    "lladdr": PingKind.LLADDR,
    "snode": PingKind.GET_SNODE,
    "rpath": PingKind.RPATH,
}
"""By the argument that asks for it; the first that is set counts."""
_ALONE: Final = ("keyPing", "lladdr", "snode")


@TABLE.function(
    "SwitchPinger_ping",
    path=TEXT_REQUIRED,
    timeout=INT,
    data=TEXT,
    keyPing=INT,
    lladdr=INT_UNLISTED,
    snode=INT_UNLISTED,
    rpath=INT_UNLISTED,
)
def switch_ping(call: Call) -> None:
    """Ping by a control frame."""
    context = call.context
    path = call.text("path")
    try:
        label = parse_label(path)
    except WireError as error:
        raise CallError("path was not parsable.") from error
    data = call.raw("data") or b""
    if sum(bool(call.integer(name)) for name in _ALONE) > 1:
        raise CallError("Can only be one of keyPing, lladdr, OR snode")
    kind = next((kind for name, kind in _KINDS.items() if call.integer(name)), PingKind.PING)
    if len(data) > (MAX_KEY_PING_TEXT if kind is PingKind.KEY_PING else MAX_DATA):
        raise CallError("data is too long")
    timeout = min(max(call.integer("timeout", DEFAULT_TIMEOUT), 1), LONGEST_TIMEOUT) / 1000
    ticket = context.new_ticket()
    context.pings[ticket] = PendingPing(call.caller, path, data)
    if not context.node.switch_ping(label, call.now, timeout=timeout, data=data, kind=kind, ticket=ticket):
        del context.pings[ticket]
        raise CallError("no open slots to store ping, try later.")


def collect_pings(context: Context) -> list[tuple[Caller, Reply]]:
    """Take the answers that the node has got, as replies."""
    replies: list[tuple[Caller, Reply]] = []
    answers, context.node.answers = context.node.answers, []
    for answer in answers:
        pending = context.pings.pop(answer.ticket, None)
        if pending is not None:
            replies.append((pending.caller, _reply(pending, answer)))
    return replies


def _reply(pending: PendingPing, answer: Answered | PingTimeout) -> Reply:
    if isinstance(answer, PingTimeout):
        waited = int(answer.waited * 1000)
        return {"result": "timeout", "path": pending.path, "ms": waited, "version": PROTOCOL_VERSION}
    data = getattr(answer.answer, "data", b"")[COOKIE_SIZE:]
    reply: Reply = {
        "result": "pong",
        "path": pending.path,
        "ms": int(answer.rtt * 1000),
        "version": answer.version,
        "data": data,
        **_told(answer.answer),
    }
    if answer.path != answer.asked_path:
        reply["result"] = "diff_label"
        reply["rpath"] = format_label(answer.path)
    elif data != pending.data:
        reply["result"] = "diff_data"
    return reply


def _told(answer: Control) -> Reply:
    """Give what an answer says besides that the node is there."""
    match answer:
        case KeyPong(key=key):
            return {"key": public_key_text(PublicKey(key))}
        case RPathReply(rpath=rpath):
            return {"rpath": format_label(rpath)}
        case GetSnodeReply(snode_key=key, snode_version=version, path_to_snode=path) if any(key):
            return {"snode": format_node(version, path, PublicKey(key))}
        case LlAddrReply(address=address):
            seen = UdpAddress.parse(address)
            if seen is None:
                return {"lladdrUnknown": address.hex()}
            host = str(ip_address(seen.ip))
            return {"lladdr": f"[{host}]:{seen.port}" if ":" in host else f"{host}:{seen.port}"}
        case _:
            return {}
