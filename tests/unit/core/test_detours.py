"""Frames for a silent neighbour get a label that leads around it, and nothing else does."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.core.detours import Detours
from dexrouter.core.pathfinder.pathfinder import Pathfinder, SendMessage
from dexrouter.core.switch import Switch
from dexrouter.crypto.keys import PublicKey, address_of
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import MAX_PATH_BITS, label_bits
from dexrouter.wire.switch_header import pack_header, unpack_header
from tests.sim.labelmesh import make_key

RANDOM = Random(9)
OWN, SILENT, OTHER, BEHIND = (make_key(RANDOM) for _ in range(4))
WIDE = 9
"""An interface whose director has seven bits."""


def pathfinder() -> Pathfinder:
    """Make one that knows SILENT at 13, OTHER at 15, BEHIND at 153 over the one and at 175 over the other.

    SILENT itself was reached over BEHIND, too; then its link went dead.
    """
    made = Pathfinder(own=OWN, entropy=Random(1).randbytes, now=0.0)
    made.peer_up(SILENT, 21, 0x13, 0.0)
    made.peer_up(OTHER, 21, 0x15, 0.0)
    for key, path in ((SILENT, 0x13), (OTHER, 0x15), (BEHIND, 0x153), (BEHIND, 0x175), (SILENT, 0x1975)):
        answer(made, key, path)
    made.peer_gone(0x13, 1.0)
    return made


def answer(made: Pathfinder, key: PublicKey, path: int) -> None:
    made.drain()
    made.poll(0.1)
    made.probe(key, 21, path, 0.1)
    (asked,) = [
        message
        for output in made.drain()
        if isinstance(output, SendMessage) and (output.key, output.path) == (key, path)
        if (message := DhtMessage.parse(output.content)).query == b"pn"
    ]
    reply = DhtMessage(txid=asked.txid, version=21, scheme=V358, inverse_form=0)
    made.message(key, path, reply.encode(), 0.1)


WAYS = pathfinder()


def frame(label: int, shift: int = 4, content: bytes = b"some content") -> bytes:
    return pack_header(label, 0, 1 << 6 | shift, 0xFFFF) + content


def around(label: int, *, source: int = 2, shift: int = 4) -> int | None:
    changed = Detours(pathfinder(), 1.0).around(frame(label, shift), source, address_of(SILENT), 1.0)
    if changed is None:
        return None
    assert changed[8:] == frame(label, shift)[8:]
    new: int = unpack_header(changed)[0]
    return new


@pytest.mark.parametrize(
    ("label", "new"),
    [
        (0x8000_0000_0000_0013, 0x8000_0000_0000_1975),
        (0x8000_0000_0000_0153, 0x8000_0000_0000_0175),
        (0x8000_0000_0000_1B53, 0x8000_0000_0000_1B75),
        (0x8000_0000_0000_1D13, 0x8000_0000_001D_1975),
    ],
    ids=["for the neighbour", "for a node behind it", "farther on, unknown there", "self in the middle"],
)
def test_the_rest_of_a_label_is_exchanged_and_the_way_back_stays(label: int, new: int) -> None:
    assert around(label) == new


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.sampled_from([0, *range(2, 257)]))
def test_any_header_at_all_is_led_around_with_its_way_back_or_left_alone(
    label: int, version_shift: int, source: int
) -> None:
    """Nothing raises, no label gets longer than a path may be, and nothing behind the header changes."""
    header = pack_header(label, 0, version_shift, 0xFFFF)
    changed = Detours(WAYS, 1.0).around(header + b"some content", source, address_of(SILENT), 1.0)
    if changed is None:
        return
    assert changed[8:] == header[8:] + b"some content"
    shift = version_shift & 63
    new: int = unpack_header(changed)[0]
    assert (new ^ label) >> 64 - shift == 0
    assert label_bits(new & (1 << 64 - shift) - 1) + shift <= MAX_PATH_BITS


def test_a_switch_tells_which_frames_are_for_a_silent_peer() -> None:
    """Of all interfaces only one that is down counts, and never the router's."""
    switch = Switch()
    here, there = switch.plug(), switch.plug()
    one, other = (pack_header(V358.peer_label(slot), 0, 0x40, 0) for slot in (here, there))
    has_silent = [switch.has_silent]
    switch.set_up(here, up=False)
    has_silent.append(switch.has_silent)
    assert (switch.silent_next(one), switch.silent_next(other)) == (here, None)
    assert switch.silent_next(pack_header(1, 0, 0x40, 0)) is None
    assert switch.silent_next(one[:11]) is None
    switch.unplug(here)
    has_silent.append(switch.has_silent)
    assert switch.silent_next(one) is None
    assert has_silent == [False, True, False]


def test_a_wide_way_back_gets_a_wide_first_hop() -> None:
    """Else our own switch would refuse it."""
    label = around(0x8000_0000_0000_0013, source=WIDE)
    assert label is not None
    assert V358.director_bits(label) == 7
    assert V358.director(label) == V358.director(0x15)
    assert label >> 7 & 0xFFF == 0x197


def test_what_cannot_be_led_around_is_left_alone() -> None:
    """No way is known, no rest of a path is there, or the label would be longer than a path may be."""
    assert around(0x8000_0000_0000_0003) is None
    assert around((1 << 47 | 0x13) | 1 << 63, shift=12) is None
    lonely = Pathfinder(own=OWN, entropy=Random(1).randbytes, now=0.0)
    assert Detours(lonely, 1.0).around(frame(0x153), 2, address_of(SILENT), 1.0) is None


def test_control_frames_are_not_led_around() -> None:
    """They ask, or tell, about this very path."""
    control = frame(0x8000_0000_0000_0013, content=b"\xff\xff\xff\xff and more")
    assert Detours(pathfinder(), 1.0).around(control, 2, address_of(SILENT), 1.0) is None


def test_a_way_that_has_changed_is_seen_soon() -> None:
    """What was computed for a header counts for a quarter of a second."""
    ways = pathfinder()
    detours = Detours(ways, 1.0)
    one = frame(0x8000_0000_0000_0013)
    assert detours.around(one, 2, address_of(SILENT), 1.0) is not None
    ways.peer_gone(0x15, 1.1)
    ways.poll(1.2)
    assert detours.around(one, 2, address_of(SILENT), 1.2) is not None
    assert detours.around(one, 2, address_of(SILENT), 1.3) is None
    assert detours.sent == 2


def test_origins_are_told_ten_times_a_second_at_most() -> None:
    """However many frames are led around."""
    detours = Detours(pathfinder(), 1.0)
    told = [detours.may_tell(1.0 + number / 1000) for number in range(5000)]
    assert 60 <= sum(told) <= 75
