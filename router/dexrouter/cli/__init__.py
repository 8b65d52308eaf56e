"""The two commands: dexrouter (the daemon) and dexctl (talks to a running one)."""

from __future__ import annotations
