"""Router cores behind real UDP sockets on loopback, each in a thread, with the admin API if wanted."""

from __future__ import annotations

import os
import random
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dexrouter.admin.edge import Edge
from dexrouter.config import ConnectTo
from dexrouter.core.links import LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.crypto.keys import generate_key_pair, parse_public_key, public_key_text
from dexrouter.crypto.users import Credentials
from dexrouter.io.admin_socket import AdminSocket
from dexrouter.io.clock import boot_time

__all__ = ["ADMIN_PASSWORD", "GUEST_PASSWORD", "LoopNode", "running_node"]

GUEST_PASSWORD = "a-password-for-guests"
ADMIN_PASSWORD = "a-password-for-admins"


class LoopNode:
    """One node. Everything but `call` and the attributes runs in its own thread."""

    def __init__(self, seed: int, *, has_admin: bool) -> None:
        own = generate_key_pair(random.Random(seed).randbytes)
        self.node = Node(own=own, entropy=os.urandom, now=boot_time())
        self.node.users.add(Credentials(GUEST_PASSWORD.encode(), b"guest"))
        self._interface = self.node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/127.0.0.1:0")
        self._link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._link.bind(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._admin: AdminSocket | None = None
        self.admin_port = 0
        if has_admin:
            self.admin_port = _free_port()
            self._admin = AdminSocket(
                "127.0.0.1", self.admin_port, password=ADMIN_PASSWORD, node=self.node, edge=Edge()
            )
        port = self._link.getsockname()[1]
        key = public_key_text(own.public)
        self.guest = ConnectTo(f"127.0.0.1:{port}", key, GUEST_PASSWORD, "guest", f"node {seed}")
        """What somebody needs who calls this node."""
        self._thread = threading.Thread(target=self._serve)

    def call(self, other: ConnectTo) -> None:
        """Let this node call another one."""
        host, _, port = other.address.rpartition(":")
        credentials = Credentials(other.password.encode(), (other.login or "").encode())
        with self._lock:
            self.node.peering.connect(
                self._interface,
                (host, int(port)),
                parse_public_key(other.public_key),
                credentials,
                boot_time(),
                name=other.peer_name or "",
            )
            self.node.flush(boot_time())

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and release the ports."""
        self._stop.set()
        self._thread.join()
        self._link.close()
        if self._admin is not None:
            self._admin.close()

    def _serve(self) -> None:
        sockets: list[socket.socket | AdminSocket] = [self._link]
        if self._admin is not None:
            sockets.append(self._admin)
        while not self._stop.is_set():
            ready = select.select(sockets, [], [], 0.02)[0]
            with self._lock:
                if self._link in ready:
                    datagram, source = self._link.recvfrom(2048)
                    self.node.receive(self._interface, source, [datagram], boot_time())
                if self._admin is not None:
                    if self._admin in ready:
                        self._admin.receive()
                    self._admin.poll(boot_time())
                self.node.poll(boot_time())
                self._send()

    def _send(self) -> None:
        for output in self.node.drain():
            if isinstance(output, Transmit) and not isinstance(output.address, bytes):
                for packet in output.datagrams:
                    self._link.sendto(packet, output.address)


@contextmanager
def running_node(seed: int = 7, *, has_admin: bool = False) -> Iterator[LoopNode]:
    """Run a node until the block ends."""
    node = LoopNode(seed, has_admin=has_admin)
    node.start()
    try:
        yield node
    finally:
        node.stop()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        port: int = spare.getsockname()[1]
        return port
