"""Distances in the keyspace, against known answers of the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.pathfinder.keyspace import bucket, flip_bit, position_of
from dexrouter.crypto.keys import Address

CLOSEST = json.loads((Path(__file__).parents[2] / "vectors" / "dht.json").read_text())["functions"]["closest"]


@pytest.mark.parametrize("entry", CLOSEST, ids=lambda entry: entry["target"])
def test_which_of_two_is_closer(entry: dict[str, Any]) -> None:
    """The order of two addresses by distance from a target, and the bucket of the first."""
    target, one, other = (position_of(bytes.fromhex(entry[name])) for name in ("target", "a", "b"))
    difference = (one ^ target) - (other ^ target)
    assert (difference > 0) - (difference < 0) == entry["result"]
    assert bucket(target, one) == entry["bucket_t_a"]


def test_flipping_a_bit_lands_in_that_bucket() -> None:
    """The address with one bit flipped shares exactly the bits before it."""
    address = Address(bytes.fromhex("fce57171434d0bdad96b7bd2fb4163ef"))
    for bit in range(128):
        flipped = flip_bit(address, bit)
        assert bucket(position_of(address), position_of(flipped)) == bit
        assert flip_bit(flipped, bit) == address
