"""An admin server behind a real socket on the loopback, served by a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dexrouter.admin.access import Access
from tests.unit.admin.rig import Rig

Answer = Callable[[bytes, tuple[str, int]], list[bytes]]


@contextmanager
def serve(answer: Answer, password: str) -> Iterator[Access]:
    """Answer datagrams until the end; an empty datagram ends the thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def run() -> None:
            while True:
                datagram, source = server.recvfrom(65535)
                if not datagram:
                    return
                for reply in answer(datagram, source):
                    server.sendto(reply, source)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Access("127.0.0.1", port, password, "the test")
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"", ("127.0.0.1", port))
            thread.join()


@contextmanager
def serve_rig(rig: Rig) -> Iterator[Access]:
    """Serve a rig's node."""
    with serve(rig.send, rig.password) as access:
        yield access
