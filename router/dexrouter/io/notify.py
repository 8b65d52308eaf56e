"""Tells systemd how the service is (sd_notify): one datagram to the socket that it names, if it names one."""

from __future__ import annotations

import os
import socket

__all__ = ["notify"]


def notify(state: str) -> bool:
    """Send a state such as `READY=1`; False when nobody is listening."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as server:
        try:
            server.connect("\0" + address[1:] if address.startswith("@") else address)
            server.send(state.encode())
        except OSError:
            return False
    return True
