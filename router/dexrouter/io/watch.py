"""A bell that rings when links or addresses of this machine change.

What has changed is not read out of the messages: whoever hears the bell looks at the machine as it is, so
that a lost message (the kernel drops them under load) loses nothing. Rings within a moment count as one.
"""

from __future__ import annotations

import socket
from typing import Final

__all__ = ["NetworkWatch"]

GATHER_FOR: Final = 0.2
"""Seconds from the first ring until somebody looks: changes come in swarms."""

_BURST: Final = 64
_GROUPS: Final = 0x1 | 0x10 | 0x100 | 0x40 | 0x400
"""RTMGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR, _IPV4_ROUTE, _IPV6_ROUTE."""


class NetworkWatch:
    """A netlink socket that only listens."""

    def __init__(self) -> None:
        """Open it. Raises OSError where netlink is forbidden."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        try:
            self._socket.bind((0, _GROUPS))
        except OSError:
            self._socket.close()
            raise
        self._due: float | None = None

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._socket.fileno()

    def receive(self, now: float) -> None:
        """Hear the bell; what rings is emptied."""
        for _ in range(_BURST):
            try:
                self._socket.recv(65536)
            except OSError:
                # Nothing more; or ENOBUFS, messages were lost: news as well.
                break
        self.ring(now)

    def ring(self, now: float) -> None:
        """Let somebody look soon: something may have changed, or the last look failed."""
        if self._due is None:
            self._due = now + GATHER_FOR

    def next_deadline(self) -> float | None:
        """When to look; None: nothing has changed."""
        return self._due

    def is_due(self, now: float) -> bool:
        """Whether to look now; says so once."""
        if self._due is None or now < self._due:
            return False
        self._due = None
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
