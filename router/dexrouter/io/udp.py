"""One UDP socket: a bounded burst of datagrams in, batches out (spec 02 §2).

Datagrams that cannot be sent are lost, as datagrams are; the reason is counted. Sizes above the largest link
packet are cut by the kernel and then fail to authenticate.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from collections.abc import Sequence
from struct import Struct
from sys import byteorder
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.outputs import Buffer, Train
from dexrouter.core.packets import Packets, Spans
from dexrouter.io.burst import REST, Burst
from dexrouter.io.clock import boot_time
from dexrouter.io.errors import StartError
from dexrouter.io.log import event
from dexrouter.io.socket_buffers import enlarge_buffers

__all__ = ["UdpSocket"]

_log = logging.getLogger(__name__)

MAX_DATAGRAM: Final = 3496
"""The largest link packet (spec 02 §2)."""
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_U16: Final = Struct("=H")
_ANCILLARY_SIZE: Final = 64
_LONGEST: Final = 65535
_BURST_SIZE: Final = 64 * 1024
_LONGEST_TRAIN: Final = 65000
_MOST_SEGMENTS: Final = 64
"""The kernel's own limits on what is cut by it."""
_NOT_SO: Final = frozenset({errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT})

_NOTHING: Final = Spans([], [])

Batch = tuple[LinkAddress, Packets]


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
            enlarge_buffers(self._socket)
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise _bind_error(host, port, error) from error
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.drops: Counter[str] = Counter()
        self._burst = Burst()
        self._packets = Packets(bytearray(_BURST_SIZE + 2 * _LONGEST))
        self._room = (self._packets.view[:_LONGEST],)
        self._lone = Spans([0], [0])
        self.offloads = {"segmentation": "on", "receive offload": "on"}
        """Which are in use, or why not."""
        self._segment_limit = MAX_DATAGRAM
        """Longest datagrams that are left to the kernel to cut; 0: none."""
        self._probe_offloads()

    @property
    def name(self) -> str:
        """As cjdns tools show the interface: `UDP/IPv4/0.0.0.0:33000`."""
        host = f"[{self.host}]" if self.kind is LinkKind.UDP6 else self.host
        return f"{self.kind}/{host}:{self.port}"

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._socket.fileno()

    def receive(self) -> list[Batch]:
        """Take what has come, at most a burst: datagrams in order, runs from one address together.

        They are good until the next call.
        """
        now, burst, packets = boot_time(), self._burst, self._packets
        if now - burst.last < REST:
            return self._receive_burst(burst.next(now))
        # A packet that comes alone shall pass few functions (core/lone.py): here is what `next` does then.
        burst.last, burst.size = now, 1
        try:
            size, ancillary, _, source = self._socket.recvmsg_into(self._room, _ANCILLARY_SIZE)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                self._count(error)
            return []
        if ancillary:
            packets.spans = _divided(0, size, ancillary)
        else:
            packets.spans = self._lone
            packets.spans.sizes[0] = min(size, MAX_DATAGRAM)
        return [(source, packets)]

    def _receive_burst(self, reads: int) -> list[Batch]:
        batches: list[Batch] = []
        packets = self._packets
        receive, view = self._socket.recvmsg_into, packets.view
        spans = _NOTHING
        last: LinkAddress | None = None
        at = 0
        for _ in range(reads):
            if at > _BURST_SIZE:
                break
            try:
                size, ancillary, _, source = receive((view[at : at + _LONGEST],), _ANCILLARY_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                # An ICMP error of an earlier datagram: reading on clears it.
                self._count(error)
                continue
            come = _divided(at, size, ancillary)
            if source == last:
                spans.extend(come)
            else:
                spans, last = come, source
                if batches:
                    packets = packets.sharing(spans)
                packets.spans = spans
                batches.append((source, packets))
            at += size
        return batches

    def send(self, address: LinkAddress, parts: Sequence[Buffer | Train]) -> None:
        """Send each datagram, those of one size in one call; what the kernel refuses is lost and counted."""
        if len(parts) == 1 and not isinstance(parts[0], Train):
            # What stands in _send_one: a packet that comes alone shall pass few functions (core/lone.py).
            try:
                self._socket.sendto(parts[0], address)
            except OSError as error:
                self._count(error)
            return
        singles: list[Buffer] = []
        for part in parts:
            if not isinstance(part, Train):
                singles.append(part)
                continue
            if singles:
                self._send_each(singles, address)
                singles = []
            self._send_joined(part, address)
        if singles:
            self._send_each(singles, address)

    def _send_joined(self, train: Train, address: LinkAddress) -> None:
        """Send datagrams that lie one behind the other."""
        size, whole = train.size, train.joined
        if size > self._segment_limit:
            self._send_each(list(train), address)
            return
        longest = min(_LONGEST_TRAIN // size, _MOST_SEGMENTS) * size
        for at in range(0, len(whole), longest):
            self._send_train((whole[at : at + longest],), size, address)

    def _send_each(self, datagrams: list[Buffer], address: LinkAddress) -> None:
        sizes = list(map(len, datagrams))
        first, count = 0, len(datagrams)
        while first < count:
            size = sizes[first]
            last = first + self._train(sizes, first)
            if last - first == 1:
                self._send_one(datagrams[first], address)
            else:
                self._send_train(datagrams[first:last], size, address)
            first = last

    def _train(self, sizes: list[int], first: int) -> int:
        """Count the datagrams that may go in one call: of one size, but the last may be shorter."""
        size = sizes[first]
        if not 0 < size <= self._segment_limit:
            return 1
        most = min(_LONGEST_TRAIN // size, _MOST_SEGMENTS)
        some = sizes[first : first + most]
        if some.count(size) == len(some):
            return len(some)
        same = next(place for place, other in enumerate(some) if other != size)
        return same + (0 < some[same] < size)

    def _send_one(self, datagram: Buffer, address: LinkAddress) -> None:
        try:
            self._socket.sendto(datagram, address)
        except OSError as error:
            self._count(error)

    def _send_train(self, buffers: Sequence[Buffer], size: int, address: LinkAddress) -> None:
        """Let the kernel cut what the buffers hold together; only the last datagram may be shorter."""
        try:
            self._socket.sendmsg(buffers, ((_SOL_UDP, _UDP_SEGMENT, _U16.pack(size)),), 0, address)
        except OSError as error:
            if error.errno not in _NOT_SO:
                self._count(error, -(-sum(map(len, buffers)) // size))
                return
            # This size does not fit the way there, or its device cannot: one by one it may.
            self._segment_limit = 0 if error.errno == errno.EIO else size - 1
            self.offloads["segmentation"] = f"up to {self._segment_limit} bytes: {error.strerror}"
            for buffer in buffers:
                for at in range(0, len(buffer), size):
                    self._send_one(buffer[at : at + size], address)

    def close(self) -> None:
        """Release the port."""
        self._socket.close()

    def _count(self, error: OSError, lost: int = 1) -> None:
        name = f"udp.{errno.errorcode.get(error.errno or 0, 'unknown')}"
        is_first = name not in self.drops
        self.drops[name] += lost
        if is_first:
            _log.warning(event("udp", interface=self.name, error=error.strerror))

    def _probe_offloads(self) -> None:
        try:
            self._socket.getsockopt(_SOL_UDP, _UDP_SEGMENT)
        except OSError as error:
            self._segment_limit = 0
            self.offloads["segmentation"] = f"{error.strerror}"
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError as error:
            self.offloads["receive offload"] = f"{error.strerror}"


def _divided(at: int, size: int, ancillary: list[tuple[int, int, bytes]]) -> Spans:
    """Give the datagrams that have come as one."""
    each = _segment_size(ancillary) if ancillary else size
    if 0 < each < size:
        count = -(-size // each)
        return Spans.train(at, each, each, size - (count - 1) * each, count)
    return Spans([at], [min(size, MAX_DATAGRAM)])


def _segment_size(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Size of the datagrams that came as one; 0: it is one."""
    for level, kind, data in ancillary:
        if level == _SOL_UDP and kind == _UDP_GRO:
            return int.from_bytes(data[:2], byteorder)
    return 0


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
