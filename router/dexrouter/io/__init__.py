"""The edge: sockets, the TUN device, the clock, the event loop. Everything that can block or fail is here."""

from __future__ import annotations
