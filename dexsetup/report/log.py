"""The log of a run, beside its journal: key=value lines, English, UTC. Written when a step ends.

A run that changes nothing has no directory, and so no log.
"""

from __future__ import annotations

import json

from dexsetup.errors import HostError
from dexsetup.host.base import Host
from dexsetup.plan.events import Event, PlanMade, RunDone, StepDone, StepFailed, event_to_json
from dexsetup.plan.journal import utc
from dexsetup.plan.places import RUNS
from dexsetup.report.redact import Redactor

__all__ = ["RunLog"]


class RunLog:
    """A listener that keeps lines until there is a directory to write them to."""

    def __init__(self, host: Host, run: str, redactor: Redactor) -> None:
        self._host = host
        self._directory = f"{RUNS}/{run}"
        self._redactor = redactor
        self._lines: list[str] = []

    def __call__(self, event: Event) -> None:
        """Take note; write at the end of a step."""
        self._lines.append(self._line(event))
        if isinstance(event, StepDone | StepFailed | RunDone):
            self._write()

    def _line(self, event: Event) -> str:
        value = event_to_json(event)
        if isinstance(event, PlanMade):
            value = {"event": "PlanMade", "address": event.address or "", "steps": len(event.steps)}
        pairs = " ".join(
            f"{key}={self._text(item)}" for key, item in value.items() if item not in ("", (), None)
        )
        return f"time={utc(self._host.wall_clock())} {pairs}\n"

    def _text(self, value: object) -> str:
        text = self._redactor.text(value if isinstance(value, str) else json.dumps(value, default=str))
        return json.dumps(text, ensure_ascii=True) if " " in text or '"' in text or "\n" in text else text

    def _write(self) -> None:
        if self._host.stat(self._directory) is None:
            return
        text = "".join(self._lines)
        self._lines = []
        try:
            self._host.append(f"{self._directory}/log", text.encode())
        except HostError:
            self._lines = [text]  # a full disk: the run's own message says so, the log waits for the next try
