"""Laws of the IP tunnel: control messages survive, damage is refused, nobody uses another's address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from dexrouter.core.iptunnel import IpTunnel
from dexrouter.core.route_generation import generate_routes
from dexrouter.crypto.keys import PublicKey
from dexrouter.wire.errors import WireError
from dexrouter.wire.iptunnel import Block, Offer, Request, is_control, parse_control


def blocks(size: int) -> st.SearchStrategy[Block]:
    bits = size * 8
    return st.builds(
        Block, st.binary(min_size=size, max_size=size), st.integers(0, bits), st.integers(1, bits)
    )


TXIDS = st.binary(min_size=4, max_size=4)
MESSAGES = st.one_of(
    st.builds(Request, TXIDS), st.builds(Offer, TXIDS, st.none() | blocks(4), st.none() | blocks(16))
)


@given(MESSAGES, st.binary(max_size=8))
def test_a_message_is_read_as_it_was_written(message: Request | Offer, behind: bytes) -> None:
    """Whatever stands behind it."""
    packet = message.encode() + behind
    assert is_control(packet)
    assert parse_control(packet) == message


@given(MESSAGES, st.data())
def test_damage_is_refused_or_harmless(message: Request | Offer, data: st.DataObject) -> None:
    """One wrong byte behind the version, or a cut: the error of the wire layer, and never another message."""
    packet = bytearray(message.encode())
    if data.draw(st.booleans()):
        del packet[data.draw(st.integers(0, len(packet) - 1)) :]
    else:
        packet[data.draw(st.integers(40, len(packet) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse_control(bytes(packet))
    except WireError:
        return
    assert parsed == message


@given(st.binary(max_size=120))
def test_any_bytes_are_a_packet_or_nothing(content: bytes) -> None:
    """A tunnel without connections passes nothing and sends nothing, whatever comes."""
    tunnel = IpTunnel()
    assert tunnel.receive(PublicKey(bytes(32)), content, 1.0) is None
    assert tunnel.packet_for(content) is None
    assert tunnel.messages == []


@given(
    st.dictionaries(st.binary(min_size=32, max_size=32), blocks(4), min_size=1, max_size=6),
    st.binary(min_size=4, max_size=4),
    st.data(),
)
def test_a_client_sends_from_its_own_block_and_no_other(
    drawn: dict[bytes, Block], source: bytes, data: st.DataObject
) -> None:
    """A packet passes if and only if its source is in the block of the very client that sent it."""
    clients = {key: block for key, block in drawn.items() if any(block.address)}
    tunnel = IpTunnel()
    for key, block in clients.items():
        tunnel.allow(PublicKey(key), block, None)
    if clients:
        source = data.draw(st.sampled_from([source, *(block.address for block in clients.values())]))
    packet = b"\x45" + bytes(11) + source + b"\xc6\x33\x64\x01" + b"content"
    for key, block in clients.items():
        network = IPv4Network((block.address, block.alloc), strict=False)
        is_own = any(source) and IPv4Address(source) in network
        assert (tunnel.receive(PublicKey(key), packet, 1.0) == packet) is is_own


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=1, max_size=3),
    st.lists(st.integers(0, 2**32 - 1), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_routes_cover_what_is_wanted_and_nothing_else(
    wanted: list[tuple[int, int]], peers: list[int], probe: int
) -> None:
    """An address is routed if and only if it is wanted and no peer; premises of one's own are left open."""
    networks = [IPv4Network((address, length), strict=False) for address, length in wanted]
    made = generate_routes(networks, [IPv4Network(peer) for peer in peers])
    for address in (probe, *peers):
        target = IPv4Address(address)
        is_routed = any(target in route for route in made)
        is_wanted = any(target in network for network in networks)
        if address not in peers:
            assert is_routed is is_wanted
        elif not target.is_private:
            assert not is_routed
        else:
            assert is_wanted or not is_routed
    assert all(route.prefixlen for route in made)
