"""The probe against a real router core behind a loopback socket, a dead port, and keys that are wrong."""

from __future__ import annotations

import random
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from dexrouter.config import ConnectTo
from dexrouter.crypto.keys import generate_key_pair, public_key_text
from dexsetup.probe import Answer, Result, probe_peers
from loop_nodes import GUEST_PASSWORD, running_node

PASSWORD = GUEST_PASSWORD


def other_key() -> str:
    return public_key_text(generate_key_pair(random.Random(99).randbytes).public)


def one(peer: ConnectTo, seconds: float = 3.0) -> Result:
    (result,) = probe_peers([peer], seconds=seconds)
    return result


def test_a_real_router_answers_with_its_round_trip_and_version() -> None:
    """A node of ours with these credentials answers the first hello."""
    with running_node() as node:
        result = one(node.guest)
    assert result.answer is Answer.OK
    assert result.rtt_ms is not None
    assert 1 <= result.rtt_ms < 3000
    assert result.version == 21
    assert result.text == f"{result.rtt_ms} ms"


@pytest.mark.parametrize("change", ["key", "password", "login"])
def test_wrong_credentials_get_no_answer(change: str) -> None:
    """A router is silent to a hello that is not for its key, or shows a password it does not know."""
    with running_node() as node:
        peer = node.guest
        changes: dict[str, dict[str, Any]] = {
            "key": {"public_key": other_key()},
            "password": {"password": "another-one", "login": None},
            "login": {"login": "nobody"},
        }
        result = one(replace(peer, **changes[change]), seconds=0.4)
    assert result.answer is Answer.SILENT
    assert result.rtt_ms is None


def test_a_dead_port_is_refused_at_once() -> None:
    """Where the kernel says that nothing listens, nobody waits for a timeout."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    started = time.monotonic()
    result = one(ConnectTo(f"127.0.0.1:{port}", other_key(), PASSWORD), seconds=5.0)
    assert result.answer is Answer.REFUSED
    assert time.monotonic() - started < 2.0


def test_a_silent_port_times_out() -> None:
    """Somebody who listens and never answers is "no answer" after the time given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        result = one(ConnectTo(address, other_key(), PASSWORD), seconds=0.3)
    assert result.answer is Answer.SILENT


@pytest.mark.parametrize(
    ("address", "key", "answer"),
    [
        ("127.0.0.1:1", "not-a-key", Answer.BAD_KEY),
        ("127.0.0.1:1", "0" * 52 + ".k", Answer.BAD_KEY),
        ("example.org:1", "", Answer.BAD_ADDRESS),
        ("127.0.0.1", "", Answer.BAD_ADDRESS),
    ],
)
def test_what_cannot_be_asked_says_why(address: str, key: str, answer: Answer) -> None:
    """An entry that is no peer is named as such, and no datagram is sent."""
    assert one(ConnectTo(address, key or other_key(), PASSWORD)).answer is answer


def test_many_are_asked_at_once_and_each_is_reported() -> None:
    """The silent ones do not keep the others waiting, and the results come back in the order given."""
    heard: list[Result] = []
    with running_node() as node, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        silent = ConnectTo(f"127.0.0.1:{mute.getsockname()[1]}", other_key(), PASSWORD)
        bad = ConnectTo("nowhere", other_key(), PASSWORD)
        results = probe_peers([silent, bad, node.guest], seconds=0.6, report=heard.append)
    assert [result.answer for result in results] == [Answer.SILENT, Answer.BAD_ADDRESS, Answer.OK]
    assert sorted(result.answer for result in heard) == sorted(result.answer for result in results)
    assert heard[-1].answer is Answer.SILENT


def test_a_probe_stops_when_asked() -> None:
    """Leaving the screen ends the waiting."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        peer = ConnectTo(f"127.0.0.1:{mute.getsockname()[1]}", other_key(), PASSWORD)
        started = time.monotonic()
        probe_peers([peer], seconds=30.0, is_stopped=lambda: time.monotonic() - started > 0.2)
    assert time.monotonic() - started < 5.0
