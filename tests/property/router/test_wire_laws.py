"""Laws of the wire layer: what is written reads back, and any bytes at all give a value or `WireError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.wire import bencode, control
from dexrouter.wire.beacon import Beacon, UdpBeacon
from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.crypto_header import CryptoHeader
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import (
    CANONICAL,
    F4,
    F8,
    V4X8,
    V358,
    V358_INTERFACES,
    EncodingScheme,
    extend_route,
)
from dexrouter.wire.errors import WireError
from dexrouter.wire.ethernet import both_headers, unwrap
from dexrouter.wire.ipv6 import rebuild, strip
from dexrouter.wire.labels import (
    INVALID_LABEL,
    MAX_PATH_BITS,
    format_label,
    label_bits,
    parse_label,
    reverse64,
    routes_through,
    splice,
    unsplice,
)
from dexrouter.wire.route_header import Routed, from_program
from dexrouter.wire.session_frame import parse_content_type
from dexrouter.wire.switch_header import SwitchHeader

WORD = st.integers(0, 2**32 - 1)
LABEL = st.integers(0, 2**64 - 1)
PATH = st.integers(1, 2**40)
KEY = st.binary(min_size=32, max_size=32)
DATA = st.binary(max_size=80)
SCHEME = st.sampled_from([V358, F4, F8, V4X8])

HEADER = st.builds(
    SwitchHeader,
    label=LABEL,
    congestion=st.integers(0, 127),
    suppress_errors=st.booleans(),
    version=st.integers(0, 3),
    label_shift=st.integers(0, 63),
    traffic_class=st.integers(0, 65535),
)
CONTROL = st.one_of(
    st.builds(control.SwitchError, WORD, DATA),
    st.builds(control.Ping, WORD, DATA),
    st.builds(control.Pong, WORD, DATA),
    st.builds(control.KeyPing, WORD, KEY, st.binary(max_size=64)),
    st.builds(control.KeyPong, WORD, KEY, st.binary(max_size=64)),
    st.builds(control.GetSnodeQuery, WORD, WORD, WORD, KEY, LABEL, DATA),
    st.builds(control.GetSnodeReply, WORD, WORD, WORD, KEY, LABEL, DATA),
    st.builds(control.RPathQuery, WORD, LABEL, DATA),
    st.builds(control.RPathReply, WORD, LABEL, DATA),
    st.builds(control.LlAddrQuery, WORD, KEY, DATA),
    st.builds(control.LlAddrReply, WORD, KEY, DATA),
)
SOME = st.none() | st.binary(max_size=24)
MESSAGE = st.builds(
    DhtMessage,
    txid=st.binary(min_size=1, max_size=60),
    query=SOME,
    snode_query=SOME,
    version=WORD,
    scheme=st.none() | SCHEME,
    inverse_form=st.none() | st.integers(0, 40),
    target=SOME,
    nodes=st.lists(st.builds(NodeEntry, KEY, LABEL, WORD), max_size=9).map(tuple),
    dnd=st.booleans(),
    receive_time=st.none() | st.integers(0, 2**62),
    state_hash=SOME,
    error=SOME,
    source=SOME,
    announcement=SOME,
)
ROUTED = st.builds(
    Routed,
    content_type=st.integers(0, 0xFFFF),
    content=DATA,
    flags=st.sampled_from([0, 1, 4, 5]),
    key=KEY,
    label=LABEL,
    version=WORD,
    address=st.binary(min_size=16, max_size=16),
)
CRYPTO_HEADER = st.builds(
    CryptoHeader,
    st.integers(0, 3),
    st.binary(min_size=12, max_size=12),
    st.binary(min_size=24, max_size=24),
    KEY,
)
BEACON = st.builds(Beacon, WORD, st.binary(min_size=20, max_size=20), KEY)
UDP_BEACON = st.builds(UdpBeacon, st.integers(0, 65535), BEACON.map(Beacon.encode))
CAUSE = st.builds(control.AuthenticationCause, HEADER, st.binary(min_size=16, max_size=16), WORD, WORD)
BENCODED: st.SearchStrategy[bencode.Bencoded] = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(value=HEADER | BEACON | UDP_BEACON | MESSAGE | CAUSE | ROUTED)
def test_written_values_read_back(value: Any) -> None:
    """parse(encode(x)) == x, and what was parsed encodes to the same bytes."""
    data = value.encode()
    assert type(value).parse(data) == value
    assert type(value).parse(memoryview(data)).encode() == data


@given(frame=CONTROL)
def test_control_frames_read_back(frame: control.Control) -> None:
    """Each control frame reads back, has a right checksum, and does not survive a flipped bit."""
    data = frame.encode()
    assert internet_checksum(data) == 0
    assert control.parse_control(memoryview(data)) == frame
    with pytest.raises(WireError):
        control.parse_control(bytes((data[0] ^ 1,)) + data[1:])


@given(head=CRYPTO_HEADER, box=st.binary(min_size=48, max_size=60))
def test_handshake_headers_read_back(head: CryptoHeader, box: bytes) -> None:
    """The clear part of a handshake packet reads back with any box behind it."""
    assert CryptoHeader.parse(head.encode() + box) == head


@given(value=BENCODED)
def test_bencode_reads_back(value: bencode.Bencoded) -> None:
    """Any value survives bencode, also with bytes behind it."""
    data = bencode.encode(value)
    assert bencode.decode(data) == value
    assert bencode.decode(data + b"e", trailing=True) == value


PARSERS: list[Callable[[bytes], object]] = [
    SwitchHeader.parse,
    Beacon.parse,
    UdpBeacon.parse,
    CryptoHeader.parse,
    control.AuthenticationCause.parse,
    control.parse_control,
    DhtMessage.parse,
    EncodingScheme.parse,
    bencode.decode,
    parse_content_type,
    strip,
    unwrap,
    Routed.parse,
    from_program,
]


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__qualname__)
@given(data=st.binary(max_size=160))
def test_any_bytes_are_a_value_or_a_wire_error(parser: Callable[[bytes], object], data: bytes) -> None:
    """No bytes make a parser raise anything but `WireError`, and that points into them."""
    failure = None
    try:
        parser(data)
    except WireError as error:
        failure = error
    assert failure is None or (failure.what and 0 <= failure.offset <= len(data))


@given(kind=st.integers(0, 13), body=st.binary(max_size=120))
def test_any_control_body_is_a_value_or_a_wire_error(kind: int, body: bytes) -> None:
    """Frames that have a right checksum, but any body, give a value or `WireError`."""
    blank = kind.to_bytes(4, "big") + body
    frame = internet_checksum(blank).to_bytes(2, "big") + blank[2:]
    try:
        parsed = control.parse_control(frame)
    except WireError:
        return
    assert parsed.encode() == frame


@given(text=st.text(alphabet="dlie:-0123456789tx", max_size=40))
def test_near_bencode_is_a_value_or_a_wire_error(text: str) -> None:
    """Texts that look like bencode decode to what they re-encode to, or are refused."""
    try:
        value = bencode.decode(text.encode())
    except WireError:
        return
    assert bencode.decode(bencode.encode(value)) == value


@given(label=LABEL)
def test_labels_reverse_and_print(label: int) -> None:
    """Reversing twice gives the label, and so does reading what was printed."""
    assert reverse64(reverse64(label)) == label
    assert parse_label(format_label(label)) == label


@given(go=PATH, via=PATH)
def test_splicing_undone(go: int, via: int) -> None:
    """What was spliced runs through where it was spliced, and cuts back to what was put on."""
    path = splice(go, via)
    if label_bits(go) + label_bits(via) > MAX_PATH_BITS:
        assert path == INVALID_LABEL
        return
    assert unsplice(path, via) == go
    assert routes_through(path, via)
    assert label_bits(path) == label_bits(go) + label_bits(via)


@given(interface=st.integers(0, V358_INTERFACES - 1), rest=PATH, form=st.integers(0, 2))
def test_conversion_keeps_the_way(interface: int, rest: int, form: int) -> None:
    """A label in another form leads to the same interface and on by the same rest; canonical undoes it."""
    label = rest << V358.width(V358.canonical_form(interface)) | V358.encode_director(interface)
    converted = V358.convert(label, form)
    if converted == INVALID_LABEL:
        assert interface == 1 or form < V358.form_number(label) or label_bits(rest) > MAX_PATH_BITS - 10
        return
    assert V358.director(converted) == interface
    assert converted >> V358.director_bits(converted) == rest
    assert V358.convert(converted, CANONICAL) == label


@given(path=PATH, first=st.integers(0, 256), inverse_form=st.integers(0, 2))
def test_extended_routes_are_wide_enough(path: int, first: int, inverse_form: int) -> None:
    """The director at B is never narrower than B's way back needs, and leads to the same interface."""
    extended = extend_route(path, V358, V358.peer_label(first), inverse_form)
    if first == 1 or extended == INVALID_LABEL:
        return
    at_b = unsplice(extended, path)
    assert V358.director(at_b) == first
    assert V358.director_bits(at_b) >= V358.width(inverse_form)
    assert routes_through(extended, path)


@given(scheme=SCHEME, padding=st.integers(0, 4))
def test_schemes_read_back(scheme: EncodingScheme, padding: int) -> None:
    """A scheme reads back whatever number of zero bytes follows."""
    assert EncodingScheme.parse(scheme.serialize() + bytes(padding)) == scheme


@given(payload=st.binary(max_size=100), padding=st.integers(0, 46))
def test_ethernet_padding_is_cut(payload: bytes, padding: int) -> None:
    """A payload comes out as it went in, however far the frame was padded."""
    head = both_headers(bytes(6), bytes(6), len(payload))[14:]
    assert unwrap(head + payload + bytes(padding)) == payload


@given(addresses=st.binary(min_size=32, max_size=32), next_header=st.integers(0, 255), content=DATA)
def test_ipv6_headers_come_off_again(addresses: bytes, next_header: int, content: bytes) -> None:
    """A rebuilt packet gives back its next header and its content."""
    packet = rebuild(addresses[:16], addresses[16:], next_header, content)
    assert strip(packet) == (next_header, content)


@given(data=st.binary(max_size=64) | st.binary(min_size=100, max_size=2000))
def test_checksum_as_rfc_1071_has_it(data: bytes) -> None:
    """The sum by one division equals the sum word by word."""
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    assert internet_checksum(data) == total ^ 0xFFFF
