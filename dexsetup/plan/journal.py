"""The record of a run, written before each change and fsynced: all that undo ever reads.

/var/lib/dexsetup/runs/<run>/journal.jsonl, one JSON object per line, append-only, 0600 in a directory 0700:

    {"record": "begin", "run": ..., "time": ..., "version": ...}
    {"record": "change", "n": 1, "step": ..., "kind": ..., "subject": ..., "before": {...}, "after": {...}}
    {"record": "done", "n": 1}              the change was made
    {"record": "undone", "n": 1, "kept": ""}
    {"record": "end", "result": "applied" | "undone" | "partial", "time": ...}

Before-images (whole files as they were) lie beside it as before-N. A line cut short by a crash counts as not
written: its change cannot have begun. Empty lines mean nothing. A run without "end" was interrupted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dexsetup import __version__
from dexsetup.errors import HostError
from dexsetup.host.base import Host
from dexsetup.plan.places import RUNS, STATE_DIRECTORY

__all__ = [
    "ChangeRecord",
    "Journal",
    "RunRecord",
    "journal_path",
    "list_runs",
    "new_run_name",
    "read_run",
    "utc",
]

_ABOVE = (("/var", 0o755), ("/var/lib", 0o755))
"""There on every machine; an image in the making may lack them."""
_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{2}(-\d+)?\Z")


def utc(wall_clock: float) -> str:
    """Return a time as it stands in files: UTC, ISO 8601, whole seconds."""
    return datetime.fromtimestamp(wall_clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def journal_path(run: str) -> str:
    """Return where the journal of a run is."""
    return f"{RUNS}/{run}/journal.jsonl"


def new_run_name(wall_clock: float) -> str:
    """Return the name of a run that begins now: names sort as runs follow one another.

    Behind the second stands which 256th part of it, as two hex digits: a run takes longer than one of those.
    """
    second = datetime.fromtimestamp(int(wall_clock), UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{second}-{int(wall_clock % 1 * 256):02x}"


@dataclass(slots=True)
class ChangeRecord:
    """One change: what it is about, and how it was before."""

    n: int
    step: str
    kind: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]
    is_done: bool = False
    is_undone: bool = False


@dataclass(slots=True)
class RunRecord:
    """A whole journal, as read."""

    run: str
    time: str = ""
    changes: list[ChangeRecord] = field(default_factory=list)
    result: str = ""
    """The word of the last "end"; empty: the run was interrupted."""

    @property
    def is_unfinished(self) -> bool:
        """Whether it neither ended nor was undone."""
        return not self.result

    @property
    def is_undoable(self) -> bool:
        """Whether anything of it is still in place."""
        return self.result != "undone" and any(not change.is_undone for change in self.changes)


class Journal:
    """An open journal. The run's directory is made with the first change: without one, nothing is left."""

    def __init__(self, host: Host, run: str, *, answers: bytes | None = None, count: int = 0) -> None:
        self.host = host
        self.run = run
        self.directory = f"{RUNS}/{run}"
        self.count = count
        self.is_begun = count > 0
        self._may_be_torn = self.is_begun
        """A crash or a full disk may have cut the last line short: the next one needs a line of its own."""
        self._answers = answers

    def _begin(self) -> None:
        """Make the directory, write the first line, and keep the answers of the run beside it."""
        if self.is_begun:
            return
        self.is_begun = True
        for path, mode in (*_ABOVE, (STATE_DIRECTORY, 0o700), (RUNS, 0o700), (self.directory, 0o700)):
            if self.host.stat(path) is None:
                self.host.make_directory(path, mode=mode, owner="root", group="root")
        time = utc(self.host.wall_clock())
        self._append({"record": "begin", "run": self.run, "time": time, "version": __version__})
        if self._answers is not None:
            path = f"{self.directory}/answers.toml"
            self.host.write(path, self._answers, mode=0o600, owner="root", group="root")

    def keep(self, content: bytes, part: str = "") -> str:
        """Keep the content of a file that is about to change; return the path of the before-image.

        `part` tells the files of one change apart, if there are several.
        """
        self._begin()
        path = f"{self.directory}/before-{self.count + 1}{part}"
        self.host.write(path, content, mode=0o600, owner="root", group="root")
        return path

    @contextmanager
    def change(
        self, step: str, kind: str, subject: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[None]:
        """Write down a change, let it happen, write down that it did."""
        self._begin()
        self.count += 1
        record = {"record": "change", "n": self.count, "step": step, "kind": kind, "subject": subject}
        self._append({**record, "before": dict(before), "after": dict(after)})
        n = self.count
        yield
        self._append({"record": "done", "n": n})

    def undone(self, n: int, kept: str) -> None:
        """Write down that a change was taken back (or why what is there was kept)."""
        self._append({"record": "undone", "n": n, "kept": kept})

    def end(self, result: str) -> None:
        """Write the last line."""
        self._append({"record": "end", "result": result, "time": utc(self.host.wall_clock())})

    def _append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
        lead = "\n" if self._may_be_torn else ""
        self._may_be_torn = True
        self.host.append(journal_path(self.run), f"{lead}{line}\n".encode())
        self._may_be_torn = False


def read_run(host: Host, run: str) -> RunRecord | None:
    """Read the journal of a run; None if there is none. Lines that make no sense are passed over."""
    if _RUN_NAME.match(run) is None:
        return None
    content = host.read(journal_path(run))
    if content is None:
        return None
    found = RunRecord(run)
    by_number: dict[int, ChangeRecord] = {}
    for line in content.splitlines():
        try:
            _take(found, by_number, json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _take(found: RunRecord, by_number: dict[int, ChangeRecord], value: dict[str, Any]) -> None:
    """Take in one line."""
    match value["record"]:
        case "begin":
            found.time = value["time"]
        case "change":
            change = ChangeRecord(
                value["n"], value["step"], value["kind"], value["subject"], value["before"], value["after"]
            )
            by_number[change.n] = change
            found.changes.append(change)
            found.result = ""
        case "done":
            by_number[value["n"]].is_done = True
        case "undone":
            by_number[value["n"]].is_undone = True
        case "end":
            found.result = value["result"]
        case other:
            raise ValueError(other)


def list_runs(host: Host) -> tuple[RunRecord, ...]:
    """Return all runs of this machine, oldest first."""
    try:
        names = host.list_directory(RUNS)
    except HostError as error:
        raise HostError(
            "The records of earlier runs cannot be read.", why=error.what, advice="Use sudo."
        ) from error
    found = (read_run(host, name) for name in names)
    return tuple(record for record in found if record is not None)
