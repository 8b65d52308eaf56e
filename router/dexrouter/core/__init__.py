"""The protocol as state machines without I/O: bytes and time in, bytes and events out (see node.py)."""

from __future__ import annotations
