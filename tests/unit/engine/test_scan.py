"""A node of one's own, looked at from outside: which ports are asked, and which are found open."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexsetup.scan import USUAL_PORTS, open_tcp_ports, parse_ports

PORTS = st.integers(1, 65535)


@given(st.lists(st.tuples(PORTS, PORTS).map(sorted), min_size=1, max_size=5))
def test_ports_and_ranges_name_each_port_once(ranges: list[list[int]]) -> None:
    text = ",".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)
    wanted = {port for first, last in ranges for port in range(first, last + 1)}
    assert parse_ports(text) == tuple(sorted(wanted))


@pytest.mark.parametrize("text", ["", "0", "65536", "ssh", "10-9", "1-70000", "22,,25", "-5", "5-", "²"])
def test_what_is_no_port_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no port and no range of ports"):
        parse_ports(text)


def test_without_a_list_the_ports_of_mail_calls_and_ssh_are_among_those_asked() -> None:
    assert {22, 25, 5060} <= set(USUAL_PORTS)
    assert len(set(USUAL_PORTS)) == len(USUAL_PORTS)


def test_exactly_what_listens_is_found_and_every_port_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        heard = [one.getsockname()[1], other.getsockname()[1]]
        with socket.socket() as shut:
            shut.bind(("127.0.0.1", 0))
            counted: list[int] = []
            asked = [*heard, shut.getsockname()[1]]
            found = asyncio.run(open_tcp_ports("127.0.0.1", asked, seconds=10, progress=counted.append))
    assert found == tuple(sorted(heard))
    assert counted == [1, 2, 3]
