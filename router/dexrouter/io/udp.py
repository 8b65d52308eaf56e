"""One UDP socket: a bounded burst of datagrams in, batches out (spec 02 §2).

Datagrams that cannot be sent are lost, as datagrams are; the reason is counted. Sizes above the largest link
packet are cut by the kernel and then fail to authenticate.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.io.errors import StartError
from dexrouter.io.log import event

__all__ = ["UdpSocket"]

_log = logging.getLogger(__name__)

MAX_DATAGRAM: Final = 3496
"""The largest link packet (spec 02 §2)."""
BURST: Final = 64
"""Datagrams taken before other descriptors have their turn."""
_BUFFER: Final = 4 * 1024 * 1024
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33

Batch = tuple[LinkAddress, list[bytes]]


class UdpSocket:
    """A bound, non-blocking socket of one address family."""

    def __init__(self, host: str, port: int, *, dscp: int = 0) -> None:
        """Bind it. Raises StartError naming address and reason."""
        self.kind = LinkKind.UDP6 if ":" in host else LinkKind.UDP4
        family = socket.AF_INET6 if self.kind is LinkKind.UDP6 else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if dscp and family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
            elif dscp:
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
            self._enlarge_buffers()
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise _bind_error(host, port, error) from error
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.drops: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """As cjdns tools show the interface: `UDP/IPv4/0.0.0.0:33000`."""
        host = f"[{self.host}]" if self.kind is LinkKind.UDP6 else self.host
        return f"{self.kind}/{host}:{self.port}"

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._socket.fileno()

    def receive(self) -> list[Batch]:
        """Take what has come, at most a burst: datagrams in order, runs from one address together."""
        batches: list[Batch] = []
        receive = self._socket.recvfrom
        last: LinkAddress | None = None
        for _ in range(BURST):
            try:
                datagram, source = receive(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError as error:
                # An ICMP error of an earlier datagram: reading on clears it.
                self._count(error)
                continue
            if source == last:
                batches[-1][1].append(datagram)
            else:
                batches.append((source, [datagram]))
                last = source
        return batches

    def send(self, address: LinkAddress, datagrams: list[bytes]) -> None:
        """Send each of them; what the kernel does not take is lost and counted."""
        send = self._socket.sendto
        for datagram in datagrams:
            try:
                send(datagram, address)
            except OSError as error:
                self._count(error)

    def close(self) -> None:
        """Release the port."""
        self._socket.close()

    def _count(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        self.drops[f"udp.{name}"] += 1
        if self.drops[f"udp.{name}"] == 1:
            _log.warning(event("udp", interface=self.name, error=error.strerror))

    def _enlarge_buffers(self) -> None:
        """Room for bursts; beyond the system's limit only with CAP_NET_ADMIN."""
        for forced, plain in (
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
        ):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)


def _bind_error(host: str, port: int, error: OSError) -> StartError:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    what = f"cannot bind UDP {where}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        return StartError(
            what, advice="Another program (perhaps another router) has this port: stop it, or change `bind`."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return StartError(what, advice="No interface of this machine has that address: change `bind`.")
    if error.errno == errno.EACCES:
        return StartError(what, advice="Ports below 1024 need root or CAP_NET_BIND_SERVICE: change `bind`.")
    return StartError(what)
