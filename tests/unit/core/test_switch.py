"""The switch moves, refuses and drops exactly as the reference implementation does (switchheader.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.switch import ROUTER, Switch, SwitchFullError
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import format_label

VECTORS = Path(__file__).parents[2] / "vectors" / "switchheader.json"
DOWN = 7


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTORS.read_text())
    return loaded


def switch_of(vectors: dict[str, Any]) -> Switch:
    switch = Switch()
    for entry in vectors["interfaces"]:
        number = switch.plug()
        assert number == entry["index"]
        assert format_label(V358.peer_label(number)).replace(".", "") == entry["labelAssigned"]
    return switch


def test_every_frame_of_the_vectors_goes_where_the_reference_sends_it(vectors: dict[str, Any]) -> None:
    """Forwarded, refused with an error frame, or dropped: 491 frames, byte for byte."""
    switch = switch_of(vectors)
    assert len(vectors["forward"]) == 491
    for entry in vectors["forward"]:
        switch.set_up(DOWN, "interface" not in entry["note"] or " down" not in entry["note"])
        out = switch.forward(bytes.fromhex(entry["in"]), entry["fromIf"])
        expected = None if entry["out"] is None else (entry["toIf"], bytes.fromhex(entry["out"]))
        assert out == expected, entry["note"]


def test_real_hops_change_only_the_header(vectors: dict[str, Any]) -> None:
    """Frames captured on both links of a relay: its switch (C on 0, A on 2) turns one into the other."""
    switch = Switch()
    for _ in range(2):
        switch.plug()
    for hop in vectors["realHops"]:
        one, other = bytes.fromhex(hop["onLinkAB"]), bytes.fromhex(hop["onLinkBC"])
        if hop["note"] == "request A to C":
            assert switch.forward(one, 2) == (0, other)
        else:
            assert switch.forward(other, 0) == (2, one)


def test_interfaces_are_numbered_from_the_lowest_free_and_never_the_routers() -> None:
    """A freed interface is the next to be given; number 1 is the router's."""
    switch = Switch()
    assert [switch.plug() for _ in range(4)] == [0, 2, 3, 4]
    switch.unplug(2)
    assert switch.plug() == 2


def test_there_is_room_for_256_peers_and_no_more() -> None:
    switch = Switch()
    numbers = [switch.plug() for _ in range(256)]
    assert ROUTER not in numbers
    assert max(numbers) == 256
    with pytest.raises(SwitchFullError):
        switch.plug()


def test_a_frame_that_is_too_short_is_counted_and_dropped() -> None:
    switch = Switch()
    assert switch.forward(bytes(11), ROUTER) is None
    assert switch.drops["switch.short"] == 1


def test_headers_of_runs_go_where_their_frames_go(vectors: dict[str, Any]) -> None:
    """Asked twice, for the second answer is remembered; what only `forward` can judge is left to it."""
    switch = switch_of(vectors)
    for entry in vectors["forward"]:
        switch.set_up(DOWN, "interface" not in entry["note"] or " down" not in entry["note"])
        frame = bytes.fromhex(entry["in"])
        if len(frame) < 12:
            continue
        first, again = (switch.header_for_run(frame[:12], entry["fromIf"]) for _ in range(2))
        assert first == again
        out = switch.forward(frame, entry["fromIf"])
        if first is None:
            assert out is None or out[0] == entry["fromIf"]
        else:
            assert out == (first[0], first[1] + frame[12:])


def test_a_remembered_way_is_forgotten_when_an_interface_changes() -> None:
    """Down, gone, and there again."""
    switch = Switch()
    one, other = switch.plug(), switch.plug()
    head = V358.peer_label(other).to_bytes(8, "big") + b"\0\x40\0\0"
    known = switch.header_for_run(head, one)
    assert known is not None
    assert known[0] == other
    switch.set_up(other, up=False)
    assert switch.header_for_run(head, one) is None
    switch.unplug(other)
    assert switch.header_for_run(head, one) is None
    assert switch.plug() == other
    assert switch.header_for_run(head, one) == known


def test_no_more_ways_are_remembered_than_there_is_room_for() -> None:
    switch = Switch()
    one, other = switch.plug(), switch.plug()
    label = V358.peer_label(other)
    for number in range(3000):
        head = (label | number << 20).to_bytes(8, "big") + b"\0\x40\0\0"
        assert switch.header_for_run(head, one) is not None
    assert len(switch.decided) <= 1024
