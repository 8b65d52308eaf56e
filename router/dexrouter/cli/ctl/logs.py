"""`dexctl log`: the router's log as it is written."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from datetime import UTC, datetime
from typing import Final

from dexrouter.admin.client import AdminClient, NoAnswerError, ServerReply
from dexrouter.admin.message import Value
from dexrouter.cli.ctl.table import printable

__all__ = ["follow"]

KEEP_ALIVE: Final = 10.0
"""Seconds; the router forgets who is silent for 30."""

_TIME_UNIT: Final = 1.024
"""Seconds of the unit of `time` (spec 07 §8.6)."""


def follow(client: AdminClient, options: Namespace) -> int:
    """Print records until interrupted; 1 when the router is gone."""
    arguments: dict[str, Value] = {"level": options.level}
    if options.file:
        arguments["file"] = options.file
    txid = client.send("AdminLog_subscribe", arguments)
    first = client.receive(txid)
    if first.get("error") != "none":
        print(f"dexctl: The router does not give its log: {first.get('error')}", file=sys.stderr)
        return 1
    try:
        while True:
            _print_for(client, txid, KEEP_ALIVE)
            client.call("ping")
    except KeyboardInterrupt:
        client.call("AdminLog_unsubscribe", {"streamId": first.get("streamId", "")})
        return 0


def _print_for(client: AdminClient, txid: str, seconds: float) -> None:
    """Print what comes in that time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            print(printable(_line(client.receive(txid, timeout=left))), flush=True)
        except NoAnswerError:
            return


def _line(record: ServerReply) -> str:
    stamp = record.get("time")
    moment = datetime.fromtimestamp(stamp * _TIME_UNIT if isinstance(stamp, int) else 0, UTC).astimezone()
    where = f"{record.get('file')}:{record.get('line')}"
    return f"{moment:%H:%M:%S} {record.get('level')} {where} {record.get('message')}"
