"""Which of the kernel's offloads this machine has: opens a socket and a device for a moment and asks them."""

from __future__ import annotations

from dexrouter.io.errors import StartError
from dexrouter.io.tun import TunDevice
from dexrouter.io.udp import UdpSocket

__all__ = ["probe_offloads"]


def probe_offloads() -> dict[str, str]:
    """Give each offload by name, with `on` or the reason why it is not used."""
    found: dict[str, str] = {}
    for host in ("127.0.0.1", "::1"):
        try:
            link = UdpSocket(host, 0)
        except StartError as error:
            found[f"UDP {host}"] = error.args[0].splitlines()[0]
            continue
        found |= {f"{link.kind} {name}": state for name, state in link.offloads.items()}
        link.close()
    try:
        device = TunDevice(None)
    except StartError as error:
        found["TUN"] = error.args[0].splitlines()[0]
        return found
    found |= {f"TUN {name}": state for name, state in device.offloads.items()}
    device.close()
    return found
