"""The event stream as JSON lines: `--json`. One object per event, UTC times, secrets as ***."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TextIO

from dexsetup.plan.events import Event, event_to_json
from dexsetup.plan.journal import utc
from dexsetup.report.redact import Redactor
from dexsetup.report.stream import tell

__all__ = ["JsonLines"]


class JsonLines:
    """A listener that writes."""

    def __init__(self, stream: TextIO, redactor: Redactor, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._redactor = redactor
        self._clock = clock

    def __call__(self, event: Event) -> None:
        """Write one event."""
        value = {"time": utc(self._clock()), **self._redactor.value(event_to_json(event))}
        tell(self._stream, json.dumps(value, ensure_ascii=True) + "\n")
