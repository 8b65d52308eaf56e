"""The TUN device: IP packets of the host in and out (spec 04 §9).

Opened without the packet-information prefix, so that a packet is a packet. The device is made when it is not
there and goes with the process; its address is set through netlink (io/netlink.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections import Counter
from typing import Final

from dexrouter.io.errors import StartError

__all__ = ["MTU", "TunDevice"]

MTU: Final = 1304
"""Leaves room for every header, the longest handshake included, in a 1492-byte link (spec 04 §10)."""

BURST: Final = 64
_PATH: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_IFREQ: Final = struct.Struct("16sH22x")
_READ_SIZE: Final = 65536


class TunDevice:
    """An open TUN device."""

    def __init__(self, name: str | None) -> None:
        """Make or attach to the device; without a name the kernel takes the next `tunN`.

        Raises StartError.
        """
        try:
            self._descriptor = os.open(_PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise StartError(
                f"cannot open {_PATH}: {error.strerror}",
                advice="The kernel's TUN driver is needed: `modprobe tun`; a container needs /dev/net/tun.",
            ) from error
        request = _IFREQ.pack((name or "").encode(), _IFF_TUN | _IFF_NO_PI)
        try:
            answer = fcntl.ioctl(self._descriptor, _TUNSETIFF, request)
        except OSError as error:
            os.close(self._descriptor)
            raise _attach_error(name, error) from error
        self.name: str = _IFREQ.unpack(answer)[0].rstrip(b"\0").decode()
        self.drops: Counter[str] = Counter()

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._descriptor

    def read(self) -> list[bytes]:
        """Take the packets that wait, at most a burst."""
        packets: list[bytes] = []
        for _ in range(BURST):
            try:
                packets.append(os.read(self._descriptor, _READ_SIZE))
            except BlockingIOError:
                break
            except OSError:
                # EIO: the device is down. What was read before still counts.
                self.drops["tun.read"] += 1
                break
        return packets

    def write(self, packets: list[bytes]) -> None:
        """Hand packets to the host; one that the kernel refuses is lost and counted."""
        for packet in packets:
            try:
                os.write(self._descriptor, packet)
            except OSError as error:
                self.drops[f"tun.{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1

    def close(self) -> None:
        """Let the device go; the kernel removes it."""
        os.close(self._descriptor)


def _attach_error(name: str | None, error: OSError) -> StartError:
    what = f"cannot make the TUN device {name or '(any name)'}: {error.strerror}"
    if error.errno == errno.EBUSY:
        return StartError(what, advice="Another program has this device: stop it, or change `tunDevice`.")
    if error.errno == errno.EPERM:
        return StartError(what, advice="Root or CAP_NET_ADMIN is needed.")
    return StartError(what)
