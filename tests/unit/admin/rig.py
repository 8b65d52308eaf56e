"""A small mesh without sockets and an admin server on one of its nodes, on a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from dexrouter.admin.auth import cookie_at, sign
from dexrouter.admin.edge import Account, Edge, EdgeError, Permissions
from dexrouter.admin.message import Value, decode_reply, encode
from dexrouter.admin.server import AdminServer
from dexrouter.admin.table import Source
from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.core.peer import BeaconMode
from dexrouter.core.route_generation import RouteTable
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.keys import generate_key_pair
from dexrouter.crypto.users import Credentials

PASSWORD = "adminpw-beta-0123456789"
WALL_MS = 1_795_366_957_000
CLIENT = ("127.0.0.1", 50000)
PEER_PASSWORD = b"a password between peers"

_MOST_ROUNDS = 20_000

Reply = dict[str, Value]


class Mesh:
    """Some nodes with links between them; packets arrive at once, time passes only in `run`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.nodes: list[Node] = []
        self._links: dict[LinkAddress, tuple[Node, int]] = {}
        self._addresses: dict[tuple[int, int], LinkAddress] = {}

    def add(self) -> Node:
        """Add a node with an IPv4 and an IPv6 interface."""
        number = len(self.nodes)
        entropy = SeededEntropy(bytes([number]) * 64)
        node = Node(own=generate_key_pair(entropy), entropy=entropy, now=self.now)
        node.users.add(Credentials(PEER_PASSWORD, b"default-login"))
        node.users.add(Credentials(b"another password", b"friend-of-alpha"))
        kinds: tuple[tuple[LinkKind, str, LinkAddress], ...] = (
            (LinkKind.UDP4, "0.0.0.0:33000", (f"192.0.2.{number + 1}", 33000)),
            (LinkKind.UDP6, "[::]:33000", (f"2001:db8::{number + 1}", 33000, 0, 0)),
        )
        for kind, bound, address in kinds:
            interface = node.peering.add_interface(kind, f"{kind}/{bound}")
            self._links[address] = (node, interface)
            self._addresses[id(node), interface] = address
        self.nodes.append(node)
        return node

    def link(self, caller: Node, called: Node, interface: int, name: str = "outer") -> None:
        """Let one node call another."""
        address = self._addresses[id(called), interface]
        credentials = Credentials(PEER_PASSWORD, b"default-login")
        caller.peering.connect(interface, address, called.own.public, credentials, self.now, name=name)
        caller.flush(self.now)

    def settle(self) -> None:
        """Carry packets until none is on its way."""
        while sum(self._carry(node) for node in self.nodes):
            pass

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.settle()
        for _ in range(_MOST_ROUNDS):
            due = min(node.next_deadline() for node in self.nodes)
            if due > end:
                break
            self.now = max(self.now, due)
            for node in self.nodes:
                node.poll(self.now)
            self.settle()
        else:
            raise AssertionError("a node's deadline does not move on")
        self.now = end

    def _carry(self, node: Node) -> int:
        outputs = node.drain()
        for output in outputs:
            if not isinstance(output, Transmit) or output.address not in self._links:
                continue
            receiver, interface = self._links[output.address]
            source = self._addresses[id(node), output.interface]
            receiver.receive(interface, source, output.datagrams, self.now)
        return len(outputs)


@dataclass
class FakeEdge:
    """Sockets that are only numbers and names."""

    node: Node
    devices: dict[int, list[str]] = field(default_factory=dict)
    modes: dict[int, BeaconMode] = field(default_factory=dict)
    has_tunnel: bool = True
    has_exited: bool = False
    next_port: int = 53801
    routes: RouteTable = field(default_factory=RouteTable)
    committed: list[str] = field(default_factory=list)
    is_timing: bool = False
    is_filtered: bool = False
    snapshots: list[bool] = field(default_factory=list)
    rights: list[str] = field(default_factory=list)
    """What was given up."""

    def udp_new(self, host: str, port: int, *, dscp: int, beacon_port: int) -> tuple[int, str]:
        if host == "192.0.2.99":
            raise EdgeError(f"cannot bind {host} (dscp {dscp}, beacons on {beacon_port})")
        if not port:
            port, self.next_port = self.next_port, self.next_port + 1
        kind = LinkKind.UDP6 if ":" in host else LinkKind.UDP4
        bound = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self.node.peering.add_interface(kind, f"{kind}/{bound}"), bound

    def udp_descriptor(self, interface: int) -> int:
        return 14 + interface

    def broadcast_devices(self) -> list[str]:
        return ["v01"]

    def beacon_devices(self, interface: int) -> list[str]:
        return self.devices.get(interface, [])

    def set_beacon_devices(self, interface: int, devices: list[str]) -> None:
        self.devices[interface] = devices

    def beacon_addresses(self, interface: int) -> list[str]:
        return ["192.0.2.255:64512"] if self.devices.get(interface) else []

    def set_beacon_mode(self, interface: int, mode: BeaconMode) -> None:
        self.modes[interface] = mode

    def ethernet_new(self, device: str) -> int:
        if device != "v02":
            raise EdgeError(f"no such device: {device}")
        return self.node.peering.add_interface(LinkKind.ETHERNET, f"{LinkKind.ETHERNET}/{device}")

    def ethernet_devices(self) -> list[str]:
        return ["v02", "v01"]

    def init_tunnel(self, name: str | None) -> None:
        raise EdgeError(f"no TUN here for {name}")

    def stop_tunnel(self) -> bool:
        had, self.has_tunnel = self.has_tunnel, False
        return had

    def init_descriptor(self, descriptor: int, *, is_bare: bool) -> None:
        raise EdgeError(f"descriptor {descriptor} is not open, bare: {is_bare}")

    def init_socket(self, path: str) -> None:
        raise EdgeError(f"socket {path}: nobody is there")

    def commit_routes(self, device: str) -> None:
        if device != "tun0":
            raise EdgeError(f"{device}: No such device")
        self.committed = [str(one) for one in self.routes.generate()]

    def permissions(self) -> Permissions:
        return Permissions(65534, can_open_files=True, knows_filters=True, is_filtered=self.is_filtered)

    def account(self, name: str | None) -> Account:
        if name not in (None, "dexrouter"):
            raise EdgeError("Could not find user [No such file or directory]")
        return Account("dexrouter", 990, 980)

    def become(self, uid: int, gid: int | None, *, keep_net_admin: bool) -> None:
        self.rights.append(f"become {uid} {gid} {keep_net_admin}")

    def forbid_children(self) -> None:
        self.rights.append("no children")

    def snapshot(self, *, every_kind: bool) -> None:
        self.snapshots.append(every_kind)

    def exit(self) -> None:
        self.has_exited = True

    def memory(self) -> int:
        return 356_984

    def as_edge(self) -> Edge:
        """Have every part."""
        return Edge(
            udp=self,
            beacons=self,
            ethernet=self,
            tunnel=self,
            process=self,
            memory=self,
            routes=self,
            security=self,
            timing=self,
        )


class Rig:
    """An admin server, and a client that signs."""

    def __init__(self, *, password: str = PASSWORD, edge: bool = True) -> None:
        self.mesh = Mesh()
        self.node = self.mesh.add()
        self.edge = FakeEdge(self.node)
        self.password = password
        self.wall_ms = WALL_MS
        self.server = AdminServer(
            node=self.node,
            edge=self.edge.as_edge() if edge else Edge(),
            password=password,
            entropy=SeededEntropy(bytes(range(64))),
            pid=4711,
        )

    def send(self, datagram: bytes, source: Source = CLIENT) -> list[bytes]:
        """Hand a datagram in; gives what goes back to its sender."""
        sent = self.server.receive(source, datagram, self.mesh.now, self.wall_ms)
        self.mesh.settle()
        sent += self.server.poll(self.mesh.now, self.wall_ms)
        return [reply for target, reply in sent if target == source]

    def later(self, seconds: float, source: Source = CLIENT) -> list[Reply]:
        """Let time pass; gives what is sent to the client meanwhile."""
        self.mesh.run(seconds)
        self.wall_ms += int(seconds * 1000)
        sent = self.server.poll(self.mesh.now, self.wall_ms)
        return [decode_reply(reply) for target, reply in sent if target == source]

    def ask(self, function: str, source: Source = CLIENT, /, **arguments: Value) -> list[Reply]:
        """Call with authentication; gives all replies, decoded, without their transaction id."""
        datagram = sign(
            function,
            arguments,
            password=self.password.encode(),
            cookie=cookie_at(self.wall_ms),
            txid="t",
        )
        replies = [decode_reply(reply) for reply in self.send(datagram, source)]
        for reply in replies:
            assert reply.pop("txid") == "t"
        return replies

    def call(self, function: str, /, **arguments: Value) -> Reply:
        """Call with authentication; gives the one reply."""
        (reply,) = self.ask(function, **arguments)
        return reply

    def call_open(self, function: str, /, **arguments: Value) -> Reply:
        """Call without authentication; gives the one reply."""
        (reply,) = self.send(encode({"q": function, "args": arguments}))
        return decode_reply(reply)
