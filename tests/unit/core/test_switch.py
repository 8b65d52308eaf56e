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
