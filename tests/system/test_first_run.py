"""The built wizard in a real terminal, as root in a home behind NAT, against a real router as peer.

One scenario, in the order of this file: the terminal is lost in the middle of Apply, the wizard is killed in
the middle of Apply, then a whole first run by keys to the first letter, then a second run that adds a peer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from first_run import FirstRun
from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from router_pair import REFERENCE
from two_homes import ANN, differences

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(
        ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail"), program("tmux")
    ),
]

DECISIONS = 12
"""At most so many things have to be decided from Welcome to the first letter."""


@pytest.fixture
def first_run() -> Iterator[FirstRun]:
    with FirstRun() as made:
        yield made


def lose_the_terminal(run: FirstRun, before: str) -> None:
    """The change that is under way is finished, then all of it is undone, as without a screen."""
    run.open("Go on", f"People: {ANN.login}")
    run.go_to_review()
    run.begin_apply()
    run.terminal.shows("[>] router")
    wizard = run.terminal.processes()
    run.terminal.close()
    run.wait_for_end(wizard)
    assert differences(before, run.scenario.fingerprint(ANN)) == []
    assert [result for _, result in run.runs()] == ["undone"]


def kill_the_wizard(run: FirstRun, before: str) -> None:
    """Nothing is cut in half: the next start offers to go on or to undo, and undo gives everything back."""
    run.open("Go on", f"People: {ANN.login}")
    run.go_to_review()
    run.begin_apply()
    run.terminal.shows("[>] router")
    run.kill()
    assert run.terminal.code() == 137
    assert [result for _, result in run.runs()] == ["undone", "interrupted"]
    run.open("was interrupted after", "Go on with that run")
    run.terminal.press("Up")
    run.terminal.shows(">[ Undo it ]")
    run.terminal.press("Enter")
    run.terminal.shows("was undone: what was there before")
    assert run.quit() == 0
    assert differences(before, run.scenario.fingerprint(ANN)) == []


def whole_first_run(run: FirstRun) -> None:
    """From Welcome to a letter of one's own, with few keys and fewer decisions."""
    run.noted.clear()
    run.terminal.keys = 0
    run.open("Go on", f"People: {ANN.login}")
    run.go_to_review()
    run.begin_apply()
    run.wait_for_home()
    run.terminal.shows("public-node", "ESTABLISHED")
    run.send_letter()
    assert run.quit() == 0
    assert sum(step.is_decision for step in run.noted) <= DECISIONS
    assert run.states() == {"public-node": "ESTABLISHED"}


def second_run(run: FirstRun) -> None:
    """It opens Home; the peer that was there stays connected while the new one is added."""
    router = run.router()
    run.add_peer(run.start_second_node(), "second-node")
    assert run.quit() == 0
    assert run.states() == {"public-node": "ESTABLISHED", "second-node": "ESTABLISHED"}
    assert run.router() == router


def test_the_wizard_in_a_terminal_from_nothing_to_a_second_peer(first_run: FirstRun) -> None:
    """A lost terminal and a crash leave nothing behind; then Enter, a paste and a tick are enough."""
    before = first_run.scenario.fingerprint(ANN)
    lose_the_terminal(first_run, before)
    kill_the_wizard(first_run, before)
    whole_first_run(first_run)
    second_run(first_run)


@needs(REFERENCE)
def test_the_wizard_in_a_terminal_with_the_reference_router_as_peer() -> None:
    """The same keys, and cjdns' own router on the other side."""
    with FirstRun(reference=os.environ["DEX_CJDROUTE"]) as run:
        whole_first_run(run)
