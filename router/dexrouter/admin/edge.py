"""What the admin API asks of the edge: sockets, devices, the process (spec 07 §8.1, §8.8).

An edge is a set of parts, each a small protocol; a part that is `None` does not exist. A function that needs
a part that does not exist is missing from the API, and from its list of functions as well (spec 07 §11).
`Edge()` is the edge of a node without a process around it, as in tests.

Methods raise `EdgeError`, whose text becomes `error` of the reply; nothing else may come out of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dexrouter.core.peer import BeaconMode
from dexrouter.core.route_generation import RouteTable

__all__ = [
    "Account",
    "BeaconEdge",
    "Edge",
    "EdgeError",
    "EthernetEdge",
    "MemoryEdge",
    "Permissions",
    "ProcessEdge",
    "RoutesEdge",
    "SecurityEdge",
    "TimingEdge",
    "TunnelEdge",
    "UdpEdge",
]


class EdgeError(Exception):
    """The edge could not do it; the text says why."""


class UdpEdge(Protocol):
    """UDP sockets."""

    def udp_new(self, host: str, port: int, *, dscp: int, beacon_port: int) -> tuple[int, str]:
        """Bind a socket: its interface number, and the address with port that it really has, as text.

        `host` is numeric (an IPv6 address without brackets), port 0 is any, beacon port 0 none.
        """
        ...

    def udp_descriptor(self, interface: int) -> int:
        """File descriptor of a UDP interface."""
        ...


class BeaconEdge(Protocol):
    """Where the beacons of UDP interfaces go to."""

    def broadcast_devices(self) -> list[str]:
        """Names of the devices that have a broadcast address."""
        ...

    def beacon_devices(self, interface: int) -> list[str]:
        """Devices or addresses as they were set."""
        ...

    def set_beacon_devices(self, interface: int, devices: list[str]) -> None:
        """Set them: names of devices, `all`, broadcast addresses with port."""
        ...

    def beacon_addresses(self, interface: int) -> list[str]:
        """Addresses that beacons go to now, `a.b.c.d:port`."""
        ...

    def set_beacon_mode(self, interface: int, mode: BeaconMode) -> None:
        """Make ready for this mode. The node has not been told yet; the caller does it when this succeeds."""
        ...


class EthernetEdge(Protocol):
    """Ethernet devices; the beacon mode of an Ethernet interface needs nothing from the edge."""

    def ethernet_new(self, device: str) -> int:
        """Open a device for peering: its interface number."""
        ...

    def ethernet_devices(self) -> list[str]:
        """Names of the devices that could be opened."""
        ...


class TunnelEdge(Protocol):
    """The TUN device."""

    def init_tunnel(self, name: str | None) -> None:
        """Make the device with the node's address; without a name the kernel chooses one."""
        ...

    def stop_tunnel(self) -> bool:
        """Remove it; False if there is none."""
        ...

    def init_descriptor(self, descriptor: int, *, is_bare: bool) -> None:
        """Use an open descriptor in place of the device of before.

        Bare: packets as they are; else with the four bytes in front that say which protocol it is.
        """
        ...

    def init_socket(self, path: str) -> None:
        """Use the program behind a Unix socket in place of the device."""
        ...


class RoutesEdge(Protocol):
    """Routes into the IP tunnel."""

    @property
    def routes(self) -> RouteTable:
        """What they are made from."""
        ...

    def commit_routes(self, device: str) -> None:
        """Set the routes that follow from the table on the device of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the process may still do."""

    user: int
    can_open_files: bool
    knows_filters: bool
    """Whether the kernel has filters for system calls."""
    is_filtered: bool
    """Whether one is in force."""


class SecurityEdge(Protocol):
    """Giving up rights. The router has done so by itself when it answers; it can be asked for more."""

    def permissions(self) -> Permissions:
        """Tell what is in force."""
        ...

    def account(self, name: str | None) -> Account:
        """Look an account up, by default the one that the process runs as."""
        ...

    def become(self, uid: int, gid: int | None, *, keep_net_admin: bool) -> None:
        """Run as another user from now on."""
        ...

    def forbid_children(self) -> None:
        """Start no process any more."""
        ...


class TimingEdge(Protocol):
    """Measuring when packets come."""

    is_timing: bool
    """Whether a line of the log (DEBUG) tells of each batch that comes, and how long after the last one."""


class ProcessEdge(Protocol):
    """The process."""

    def exit(self) -> None:
        """End soon, after the replies of this round have gone out."""
        ...


class MemoryEdge(Protocol):
    """Memory of the process."""

    def memory(self) -> int:
        """Bytes in use (resident)."""
        ...

    def snapshot(self, *, every_kind: bool) -> None:
        """Write to the log what the memory is used for: the most frequent kinds of objects, or all."""
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """The parts that there are."""

    udp: UdpEdge | None = None
    beacons: BeaconEdge | None = None
    ethernet: EthernetEdge | None = None
    tunnel: TunnelEdge | None = None
    process: ProcessEdge | None = None
    memory: MemoryEdge | None = None
    routes: RoutesEdge | None = None
    security: SecurityEdge | None = None
    timing: TimingEdge | None = None
