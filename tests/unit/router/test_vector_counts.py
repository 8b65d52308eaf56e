"""How many known answers the tests of the router's lower rooms go through, by file.

The numbers are quoted in the documentation: a vector file that shrinks, or a part of it that is no longer
read, shows up here. The test's name holds the number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "vectors"


def _keys(data: Any) -> int:
    return sum(
        len(data[part]) for part in ("pairs", "parse_cases", "not_cjdns_keys", "base32", "genconf_seed")
    )


def _labels(data: Any) -> int:
    schemes = ["schemeSerialize", "schemeDeserialize", "director", "serializeDirector"]
    parts = [*schemes, "getLabelFor", "splice", "unsplice", "routesThrough", "bits"]
    compressed = sum(
        sum(len(numbers) for numbers in scheme["compressed"].values())
        + len(scheme["decompressAllLowBits"]["bitsUsed_and_number"])
        for scheme in data["numberCompress"].values()
    )
    return compressed + sum(len(data[part]) for part in parts)


def _switch_headers(data: Any) -> int:
    forwarded = sum(1 for entry in data["forward"] for side in ("in", "out") if entry[side])
    hops = sum(1 for hop in data["realHops"] for key in hop if key.startswith("onLink"))
    return forwarded + hops + len(data["headers"])


def _control(data: Any) -> int:
    frames = sum(1 + len(exchange["answers"]) for exchange in data["exchanges"])
    return frames + sum(len(data[part]) for part in ("checksum", "captured", "getsnodeWithSupernode"))


def _cryptoauth(data: Any) -> int:
    windows = sum(len(entry["steps"]) for entry in data["replay_protector"])
    events = sum(
        len(role["events"]) for capture in data["captures"] for role in capture["replay"].values() if role
    )
    packets = sum(len(capture["packets"]) for capture in data["captures"])
    return windows + events + packets + len(data["auth_derivation"])


def _beacons(data: Any) -> int:
    captured = sum(len(capture["beacons"]) + len(capture["packets"]) for capture in data["captures"])
    return captured + len(data["single_frames"])


def _trace(data: Any) -> int:
    return len(data["packets"]) + len(data["tun"]) + len(data["sessions"])


def _dht(data: Any) -> int:
    unread = ("closest",)
    functions = sum(len(rows) for name, rows in data["functions"].items() if name not in unread)
    return functions + len(data["messages"]) + len(data["ctrl"])


def _announce(data: Any) -> int:
    return len(data["announcements"])


def _exchanges(data: Any) -> int:
    return sum(len(client["exchanges"]) for client in data["clients"])


COUNTS: list[tuple[str, Callable[[Any], int], int]] = [
    ("keys.json", _keys, 40),
    ("labels.json", _labels, 4242),
    ("switchheader.json", _switch_headers, 1479),
    ("control.json", _control, 267),
    ("cryptoauth.json", _cryptoauth, 1079),
    ("beacons.json", _beacons, 65),
    ("trace-abc.json", _trace, 166),
    ("dht.json", _dht, 1791),
    ("announce.json", _announce, 22),
    ("route_server.json", _exchanges, 23),
]


@pytest.mark.parametrize(
    ("name", "count", "expected"), COUNTS, ids=[f"{name}-{number}" for name, _, number in COUNTS]
)
def test_vector_counts(name: str, count: Callable[[Any], int], expected: int) -> None:
    """Every file holds as many known answers as the documentation says."""
    found = count(json.loads((VECTORS / name).read_text()))
    assert found == expected
