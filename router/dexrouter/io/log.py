"""The router's log: one line an event, `key=value`, on standard error.

Under systemd a line begins with the priority in angle brackets, so that the journal keeps the level.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

__all__ = ["KEYS", "event", "set_up_log"]

KEYS = 5
"""Below DEBUG: what shows keys. The admin API's lowest level."""

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/[]@%+,")


class _Formatter(logging.Formatter):
    def __init__(self, *, for_journal: bool) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S%z")
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().replace("\n", "\\n")
        if record.exc_info:
            text = f"{text} {self.formatException(record.exc_info)!r}"
        if self._for_journal:
            return f"<{_PRIORITIES.get(record.levelno, 7)}>{text}"
        return f"{self.formatTime(record, self.datefmt)} {record.levelname} {text}"


def set_up_log(level: int, stream: TextIO = sys.stderr) -> None:
    """Send the log of the whole program to `stream`."""
    logging.addLevelName(KEYS, "KEYS")
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)  # the logger may pass more while somebody follows the log by the admin API
    handler.setFormatter(_Formatter(for_journal="JOURNAL_STREAM" in os.environ))
    root = logging.getLogger("dexrouter")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False


def event(what: str, **values: object) -> str:
    """Write one log line: what happened, then `key=value`; values with other characters are quoted."""
    parts = [what]
    for key, value in values.items():
        text = str(value)
        parts.append(f"{key}={text}" if text and set(text) <= _PLAIN else f"{key}={text!r}")
    return " ".join(parts)
