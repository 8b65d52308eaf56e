"""UDP beacons: finds neighbours on the local network (spec 02 §2.1).

A second socket on the beacon port sends and hears broadcasts; what it hears names the port of the neighbour's
data socket.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from dexrouter.core.links import LinkAddress
from dexrouter.io.burst import MOST
from dexrouter.io.errors import StartError
from dexrouter.io.log import event
from dexrouter.io.netlink import broadcast_addresses
from dexrouter.wire.beacon import UdpBeacon
from dexrouter.wire.errors import WireError

__all__ = ["BeaconSocket"]

_log = logging.getLogger(__name__)


class BeaconSocket:
    """The beacon socket beside one IPv4 data socket."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        data_port: int,
        devices: tuple[str, ...],
        own_device: Callable[[], str],
    ) -> None:
        """Bind it; `own_device` names the mesh's own device, which gets no beacons. Raises StartError."""
        self.devices = devices
        """Where beacons go to: `all`, names of devices, or broadcast addresses with port."""
        self.port = port
        self._data_port = data_port
        self._own_device = own_device
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise StartError(
                f"cannot bind the beacon port, UDP {host}:{port}: {error.strerror}",
                advice="Set `beacon` to 0 or choose another `beaconPort`: a network has one.",
            ) from error

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._socket.fileno()

    def receive(self) -> list[tuple[LinkAddress, bytes]]:
        """Take what has come: (where the neighbour listens, beacon content)."""
        heard: list[tuple[LinkAddress, bytes]] = []
        for _ in range(MOST):
            try:
                datagram, source = self._socket.recvfrom(256)
            except BlockingIOError:
                break
            except OSError as error:
                _log.debug(event("beacon", error=error.strerror))
                continue
            try:
                beacon = UdpBeacon.parse(datagram)
            except WireError:
                continue
            heard.append(((source[0], beacon.data_port), beacon.content))
        return heard

    def addresses(self) -> list[str]:
        """Broadcast addresses of the listed devices, whatever addresses these have now."""
        return broadcast_addresses(self.devices, port=self.port, own_device=self._own_device())

    def send(self, content: bytes) -> None:
        """Broadcast a beacon."""
        datagram = UdpBeacon(data_port=self._data_port, content=content).encode()
        for address in self.addresses():
            try:
                self._socket.sendto(datagram, (address, self.port))
            except OSError as error:
                _log.debug(event("beacon", to=address, error=error.strerror))

    def close(self) -> None:
        """Release the port."""
        self._socket.close()
