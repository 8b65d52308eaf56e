"""dexrouter: a cjdns mesh router in Python, wire-compatible with the C one."""

from __future__ import annotations

__all__ = ["OLDEST_COMPATIBLE_VERSION", "PROTOCOL_VERSION", "__version__"]

__version__ = "0.1.0"

PROTOCOL_VERSION = 21
"""Announced everywhere. Never 22: a beacon that says so makes a v22.0 neighbour use Noise (spec 01 §13)."""

OLDEST_COMPATIBLE_VERSION = 20
"""Nodes below this speak another language (spec 02 §7.3)."""
