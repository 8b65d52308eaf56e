"""Either end is killed and started again: ours beside ours, and beside the reference router."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from router_pair import REFERENCE, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(120), needs(ROOT, TUN, NAMESPACES)]

PORT = 4001
BACK_AGAIN = 10.0
"""Seconds from the restart until pings pass both ways."""

_KILL_ALL_OF = (
    'for exe in /proc/[0-9]*/exe; do [ "$(readlink "$exe")" != "$0" ] || echo "${exe%/exe}"; done'
    " | sed s,/proc/,, | xargs kill -9"
)
"""What the place's shell runs: the place has processes of its own, and sees no others."""


@pytest.fixture(params=[frozenset[int](), pytest.param(frozenset({0}), marks=needs(REFERENCE))])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterPair]:
    with RouterPair(tmp_path, reference=request.param) as built:
        yield built


def kill(pair: RouterPair, number: int) -> None:
    """End a router without a word; the reference is two processes, and both go."""
    if number not in pair.reference:
        pair.stop(number, signal.SIGKILL)
        return
    pair.places[number].run("sh", "-c", _KILL_ALL_OF, os.environ["DEX_CJDROUTE"])
    pair.processes.pop(number).wait(timeout=10)


@pytest.mark.parametrize("caller", [0, 1])
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_router_is_reached_again_within_ten_seconds(
    pair: RouterPair, caller: int, killed: int
) -> None:
    """Router 0 may be the reference: the one that is killed, the one that waits, the one that calls."""
    called = 1 - caller
    peer = {f"10.77.0.{called + 1}:{PORT}": pair.credentials(called)}
    for number, calls in ((caller, peer), (called, {})):
        pair.configure(number, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": calls}])
        pair.start(number)
    pair.wait_for_pings()
    kill(pair, killed)
    assert not pair.reaches(1 - killed)
    pair.start(killed)
    pair.wait_for_pings(seconds=BACK_AGAIN)
