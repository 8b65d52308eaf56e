"""`SwitchPinger_ping`: is the node at this label there? The reply comes with its answer (spec 07 §8.5)."""

from __future__ import annotations

from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.context import Context, PendingPing
from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, TEXT, TEXT_REQUIRED, Call, Caller, CallError, Table
from dexrouter.core.control import Answered, PingKind, PingTimeout
from dexrouter.crypto.keys import public_key_text
from dexrouter.wire.control import KeyPong, Pong
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import format_label, parse_label

__all__ = ["TABLE", "collect_pings"]

DEFAULT_TIMEOUT: Final = 2000
LONGEST_TIMEOUT: Final = 60_000
"""Milliseconds."""

MAX_DATA: Final = 256
MAX_KEY_PING_DATA: Final = 52
"""64 bytes of a key ping's data less the node's own 12."""

_COOKIE_SIZE: Final = 12

TABLE: Final = Table()


@TABLE.function("SwitchPinger_ping", path=TEXT_REQUIRED, timeout=INT, data=TEXT, keyPing=INT)
def switch_ping(call: Call) -> None:
    """Ping by a control frame."""
    context = call.context
    path = call.text("path")
    try:
        label = parse_label(path)
    except WireError as error:
        raise CallError("path was not parsable.") from error
    data = call.raw("data") or b""
    is_key_ping = bool(call.integer("keyPing"))
    if len(data) > (MAX_KEY_PING_DATA if is_key_ping else MAX_DATA):
        raise CallError("data is too long")
    timeout = min(max(call.integer("timeout", DEFAULT_TIMEOUT), 1), LONGEST_TIMEOUT) / 1000
    ticket = context.new_ticket()
    context.pings[ticket] = PendingPing(call.caller, path, data, is_key_ping)
    kind = PingKind.KEY_PING if is_key_ping else PingKind.PING
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
    content = answer.answer
    data = content.data[_COOKIE_SIZE:] if isinstance(content, Pong | KeyPong) else b""
    reply: Reply = {
        "result": "pong",
        "path": pending.path,
        "ms": int(answer.rtt * 1000),
        "version": answer.version,
        "data": data,
    }
    if pending.is_key_ping and isinstance(content, KeyPong):
        reply["key"] = public_key_text(content.key)
    if answer.path != answer.asked_path:
        reply["result"] = "diff_label"
        reply["rpath"] = format_label(answer.path)
    elif data != pending.data:
        reply["result"] = "diff_data"
    return reply
