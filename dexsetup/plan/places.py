"""Where dexsetup keeps its records and programs on a machine (architecture, "Where things are kept")."""

from __future__ import annotations

__all__ = ["ANSWERS", "ANSWERS_DIRECTORY", "LOCK", "PROGRAMS", "REPORTS", "RUNS", "STATE", "STATE_DIRECTORY"]

ANSWERS_DIRECTORY = "/etc/dexsetup"
ANSWERS = f"{ANSWERS_DIRECTORY}/answers.toml"
"""What was applied last, 0600: it holds the peers' passwords as they were given."""
STATE_DIRECTORY = "/var/lib/dexsetup"
STATE = f"{STATE_DIRECTORY}/state.json"
"""Which files we wrote, by hash."""
LOCK = "/run/dexsetup.lock"
RUNS = f"{STATE_DIRECTORY}/runs"
"""One directory per run: journal, before-images, log, the answers used. All 0700 and 0600."""
REPORTS = f"{STATE_DIRECTORY}/reports"
PROGRAMS = "/opt/dexsetup"
"""A copy of these programs that only root can write: what the services run."""
