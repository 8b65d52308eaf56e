"""The UDP socket of the admin API, and what the API may ask of the process (spec 07 §1)."""

from __future__ import annotations

import errno
import gc
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dexrouter.admin.edge import Edge
from dexrouter.admin.server import AdminServer, Outgoing
from dexrouter.core.node import Node
from dexrouter.io.clock import boot_time, wall_milliseconds
from dexrouter.io.errors import StartError
from dexrouter.io.log import event

__all__ = ["AdminSocket", "Process"]

_log = logging.getLogger(__name__)

_MAX_REQUEST: Final = 65535
_BURST: Final = 16
_MOST_KINDS: Final = 25


class Process:
    """What the API may know of and do to the process."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def exit(self) -> None:
        """End after the present round, so that the reply still goes out."""
        self._stop()

    def memory(self) -> int:
        """Give the resident memory in bytes."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def snapshot(self, *, every_kind: bool) -> None:
        """Log how many objects of each kind were made since the start and are still there."""
        kinds = Counter(type(one).__qualname__ for one in gc.get_objects())
        for kind, count in kinds.most_common(None if every_kind else _MOST_KINDS):
            _log.info(event("memory", kind=kind, objects=count))
        _log.info(event("memory", kinds=len(kinds), objects=kinds.total(), resident=self.memory()))


class AdminSocket:
    """A bound socket with the server behind it."""

    def __init__(self, host: str, port: int, *, password: str, node: Node, edge: Edge) -> None:
        """Bind it. Raises StartError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            advice = "Change `admin.bind`."
            if error.errno == errno.EADDRINUSE:
                advice = "Is another router running? Stop it, or change `admin.bind`."
            raise StartError(
                f"cannot bind the admin API, UDP {host}:{port}: {error.strerror}", advice=advice
            ) from error
        self._server = AdminServer(
            node=node, edge=edge, password=password, entropy=os.urandom, pid=os.getpid()
        )

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._socket.fileno()

    def receive(self) -> None:
        """Answer the requests that wait, at most a burst."""
        for _ in range(_BURST):
            try:
                datagram, source = self._socket.recvfrom(_MAX_REQUEST)
            except BlockingIOError:
                return
            except OSError as error:
                # An ICMP error of an earlier reply: its client is gone.
                _log.debug(event("admin", error=error.strerror))
                continue
            self._send(self._server.receive(source, datagram, boot_time(), wall_milliseconds()))

    def poll(self, now: float) -> None:
        """Send answers that came later, and log records."""
        self._send(self._server.poll(now, wall_milliseconds()))

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called at the latest."""
        return self._server.next_deadline()

    def close(self) -> None:
        """Release the port; the log is no longer listened to."""
        self._server.close()
        self._socket.close()

    def _send(self, outgoing: list[Outgoing]) -> None:
        for address, datagram in outgoing:
            try:
                self._socket.sendto(datagram, address)
            except OSError as error:
                _log.debug(event("admin", error=error.strerror))
