"""Requests to the kernel: what it lists, and what it refuses. What it changes, the system tests show."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dexrouter.io.rtnetlink import Kernel, _attribute, _attributes, _messages

LOOPBACK = 772
NO_DEVICE = 1 << 30


def test_devices_are_those_that_the_system_names() -> None:
    """With their numbers and kinds."""
    with Kernel() as kernel:
        links = kernel.links()
    assert {(link.index, link.name) for link in links} == set(socket.if_nameindex())
    for link in links:
        place = Path("/sys/class/net", link.name)
        assert link.hardware == int((place / "type").read_text())
        assert link.is_up == bool(int((place / "flags").read_text(), 16) & 1)
        assert link.has_master == (place / "master").exists()
    assert LOOPBACK in {link.hardware for link in links}


def test_addresses_are_asked_for_by_family() -> None:
    """Of both families together there are those of each."""
    with Kernel() as kernel:
        four, six, both = (
            kernel.addresses(family) for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNSPEC)
        )
    assert set(four) | set(six) == set(both)
    assert all(":" not in one.address for one in four)
    assert all(":" in one.address for one in six)


def test_a_refusal_has_the_kernels_reason() -> None:
    """And the next request is answered as if nothing had been."""
    with Kernel() as kernel:
        with pytest.raises(OSError, match=r"No such device|Operation not permitted"):
            kernel.put_address(NO_DEVICE, bytes(15) + b"\x07", 128)
        with pytest.raises(OSError, match=r"No such device|Operation not permitted"):
            kernel.change_link(NO_DEVICE, mtu=1304)
        assert kernel.links()


def test_attributes_of_any_length_read_back() -> None:
    """Each is padded to four bytes; what is cut off is left out."""
    values = [(kind, bytes(kind)) for kind in range(9)]
    data = b"".join(_attribute(kind, value) for kind, value in values)
    assert list(_attributes(data)) == values
    assert list(_attributes(data + b"\1")) == values


def test_a_message_that_is_shorter_than_its_head_ends_the_reading() -> None:
    """It does not go round for ever."""
    assert list(_messages(bytes(64))) == []
    assert list(_attributes(bytes(64))) == []
