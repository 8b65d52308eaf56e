"""Listeners of the engine's events: the console, JSON lines, the log file. None of them decides anything."""

from __future__ import annotations
