"""The router's log as streams to whoever subscribed (spec 07 §8.6).

Records come from Python's logging through a handler and wait until the server collects them. While there
are subscriptions, and only then, the handler is in place and the logger lets through what the most curious of
them wants; other handlers must keep to a level of their own.

Bounds: 64 subscriptions, 1,024 records waiting; what does not fit is counted as dropped.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import Caller, CallError, Source
from dexrouter.crypto.entropy import Entropy

__all__ = ["LEVELS", "LogStreams", "Subscription"]

LEVELS: Final = {
    "KEYS": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
}
"""Words of the API and the numbers of Python's logging, low to high."""

MAX_SUBSCRIPTIONS: Final = 64
MAX_WAITING: Final = 1024
TIME_UNIT: Final = 1.024
"""Seconds of the unit of `time`."""

_STREAM_ID_SIZE: Final = 8


@dataclass(slots=True)
class Subscription:
    """What one subscriber wants to see."""

    stream: str
    """16 hex digits."""
    caller: Caller
    level: str
    file: str
    """Base name, or empty for any."""
    line: int
    """0 for any."""
    dropped: int = 0

    def wants(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be sent."""
        if record.levelno < LEVELS[self.level] or (self.line and record.lineno != self.line):
            return False
        return not self.file or PurePath(record.pathname).name == self.file


class LogStreams:
    """All subscriptions, and the records that wait for them."""

    def __init__(self, entropy: Entropy, logger: logging.Logger) -> None:
        self._entropy = entropy
        self._logger = logger
        self._own_level = logger.level
        """Level of the logger while nobody has subscribed."""
        self._handler = _Handler(self._take)
        self._waiting: deque[logging.LogRecord] = deque()
        self.subscriptions: dict[str, Subscription] = {}
        """By stream."""

    def subscribe(self, caller: Caller, level: str, file: str, line: int) -> str:
        """Begin a stream; gives its name. Raises CallError."""
        if line < 0:
            raise CallError("Invalid line number, must be positive or 0 to signify any line is acceptable.")
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise CallError("Max subscribers reached.")
        stream = self._entropy(_STREAM_ID_SIZE).hex()
        level = level if level in LEVELS else "KEYS"
        self.subscriptions[stream] = Subscription(stream, caller, level, PurePath(file).name, line)
        self._adjust()
        return stream

    def unsubscribe(self, stream: str) -> None:
        """End a stream. Raises CallError."""
        if len(stream) != 2 * _STREAM_ID_SIZE or not set(stream) <= set("0123456789abcdef"):
            raise CallError("Invalid streamId.")
        if self.subscriptions.pop(stream, None) is None:
            raise CallError("No such subscription.")
        self._adjust()

    def forget(self, source: Source) -> None:
        """End all streams of a caller that is gone."""
        gone = [name for name, one in self.subscriptions.items() if one.caller.source == source]
        for stream in gone:
            del self.subscriptions[stream]
        if gone:
            self._adjust()

    def collect(self) -> list[tuple[Caller, Reply]]:
        """Take the messages that are due now."""
        messages: list[tuple[Caller, Reply]] = []
        while self._waiting:
            record = self._waiting.popleft()
            messages += [
                (one.caller, _message(record, one.stream))
                for one in self.subscriptions.values()
                if one.wants(record)
            ]
        return messages

    def close(self) -> None:
        """End all streams and give the logger back as it was."""
        self.subscriptions.clear()
        self._adjust()

    def _take(self, record: logging.LogRecord) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(record)
            return
        for one in self.subscriptions.values():
            one.dropped += one.wants(record)

    def _adjust(self) -> None:
        """Let the logger pass what is wanted, and no more than that."""
        if not self.subscriptions:
            self._logger.removeHandler(self._handler)
            self._logger.setLevel(self._own_level)
            self._waiting.clear()
            return
        lowest = min(LEVELS[one.level] for one in self.subscriptions.values())
        self._handler.setLevel(lowest)
        if self._handler not in self._logger.handlers:
            self._own_level = self._logger.level
            self._logger.addHandler(self._handler)
        self._logger.setLevel(min(lowest, self._own_level or lowest))


class _Handler(logging.Handler):
    """Hands records on; the text is made when they are sent."""

    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take(record)


def _message(record: logging.LogRecord, stream: str) -> Reply:
    return {
        "file": PurePath(record.pathname).name,
        "level": _word(record.levelno),
        "line": record.lineno,
        "message": record.getMessage().encode("ascii", "backslashreplace"),
        "streamId": stream,
        "time": int(record.created / TIME_UNIT),
    }


def _word(level: int) -> str:
    return next((word for word, number in reversed(LEVELS.items()) if level >= number), "KEYS")
