"""Room in the kernel for what comes while a busy machine gives its processors to others."""

from __future__ import annotations

import socket
from typing import Final

__all__ = ["enlarge_buffers"]

_SIZE: Final = 4 * 1024 * 1024
"""With an eighth of it, TCP lost half of its speed on such a machine."""
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33


def enlarge_buffers(link: socket.socket) -> None:
    """Make room for bursts; beyond the system's limit only with CAP_NET_ADMIN."""
    for forced, plain in (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
    ):
        try:
            link.setsockopt(socket.SOL_SOCKET, forced, _SIZE)
        except PermissionError:
            link.setsockopt(socket.SOL_SOCKET, plain, _SIZE)
