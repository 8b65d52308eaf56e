"""`SessionManager_*`: end-to-end sessions (spec 07 §8.1, §8.4)."""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_REQUIRED, OK, TEXT_REQUIRED, Call, CallError, Table, one_page
from dexrouter.core.metric import NO_INFORMATION
from dexrouter.core.sessions import Session
from dexrouter.crypto.keys import KeyParseError, address_text, format_node, parse_address

__all__ = ["TABLE"]

HANDLES_PER_PAGE: Final = 64

TABLE: Final = Table()


@TABLE.function("SessionManager_getHandles", page=INT)
def get_handles(call: Call) -> Reply:
    """List a page of handles, the newest first."""
    handles = list(call.context.node.sessions.by_handle)[::-1]
    page, more = one_page(handles, call.integer("page"), HANDLES_PER_PAGE)
    reply: Reply = {"handles": page, "total": len(handles)}
    if more:
        reply["more"] = 1
    return reply


@TABLE.function("SessionManager_sessionStats", handle=INT_REQUIRED)
def session_stats(call: Call) -> Reply:
    """Describe the session with one of our handles."""
    session = call.context.node.sessions.by_handle.get(call.integer("handle"))
    if session is None:
        raise CallError("no such session")
    return _stats(session, call)


@TABLE.function("SessionManager_sessionStatsByIP", ip6=TEXT_REQUIRED)
def session_stats_by_ip(call: Call) -> Reply:
    """Describe the session with a node."""
    session = _session(call)
    if session is None:
        raise CallError("no such session")
    return _stats(session, call)


@TABLE.function("SessionManager_resetCA", ip6=TEXT_REQUIRED)
def reset_crypto(call: Call) -> Reply:
    """Begin the session with a node anew; no error if there is none."""
    session = _session(call)
    if session is not None:
        session.crypto.reset()
    return OK


def _session(call: Call) -> Session | None:
    try:
        address = parse_address(call.text("ip6"))
    except KeyParseError as error:
        raise CallError("malformed_ip") from error
    return call.context.node.sessions.by_address.get(address)


def _stats(session: Session, call: Call) -> Reply:
    best = session.paths.best
    replay = session.crypto.replay
    used = call.wall_ms - int((call.now - session.last_used) * 1000) if session.last_used else 0
    return {
        "addr": format_node(session.version, best.label if best else 0, session.key),
        "ip6": address_text(session.address),
        "state": session.crypto.state.name,
        "handle": session.handle,
        "sendHandle": session.send_handle,
        "metric": best.effective(call.now) if best else NO_INFORMATION,
        "duplicates": replay.duplicates,
        "lostPackets": replay.lost,
        "receivedOutOfRange": replay.out_of_range,
        "timeOfLastUsage": used,
    }
