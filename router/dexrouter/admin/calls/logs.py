"""`AdminLog_*`: the router's log as a stream (spec 07 §8.6)."""

from __future__ import annotations

import logging
from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_REQUIRED, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table

__all__ = ["TABLE"]

MAX_TEST_RECORDS: Final = 1000

TABLE: Final = Table()

_log = logging.getLogger(__name__)


@TABLE.function("AdminLog_subscribe", level=TEXT, line=INT, file=TEXT)
def subscribe(call: Call) -> Reply:
    """Begin to send log records of a level and above."""
    level = "DEBUG" if call.raw("level") is None else call.text("level")
    stream = call.context.log.subscribe(call.caller, level, call.text("file"), call.integer("line"))
    return {"error": "none", "streamId": stream}


@TABLE.function("AdminLog_unsubscribe", streamId=TEXT_REQUIRED)
def unsubscribe(call: Call) -> Reply:
    """End a stream."""
    call.context.log.unsubscribe(call.text("streamId"))
    return OK


@TABLE.function("AdminLog_subscriptions")
def subscriptions(call: Call) -> Reply:
    """List the streams of all callers, the newest first."""
    entries: list[Reply] = []
    for one in reversed(call.context.log.subscriptions.values()):
        entry: Reply = {
            "streamId": one.stream,
            "level": one.level,
            "line": one.line,
            "internalFile": 0,
            "dropped": one.dropped,
        }
        if one.file:
            entry["file"] = one.file
        entries.append(entry)
    return {"entries": entries}


@TABLE.function("AdminLog_logMany", count=INT_REQUIRED)
def log_many(call: Call) -> Reply:
    """Write test records."""
    count = call.integer("count")
    if not 0 <= count <= MAX_TEST_RECORDS:
        raise CallError(f"count out of range: must be 0 to {MAX_TEST_RECORDS}")
    for number in range(count):
        _log.debug("This is message number [%d] of total [%d]", number, count)
    return OK
