"""The chat bookmark: a network more in a list that HexChat wrote, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexsetup.facts import FileFact
from dexsetup.plan.model import StepPlan
from dexsetup.steps.irc import IrcStep
from step_inputs import answers, file_of, inputs, with_node

LIST = "/home/carol/.config/hexchat/servlist.conf"
WRITTEN = b"v=2.16.1\n\nN=Libera.Chat\nE=UTF-8 (Unicode)\nF=23\nD=0\nS=irc.libera.chat\n\n"
OURS = b"N=Mesh\nE=UTF-8 (Unicode)\nF=19\nS=irc.fc00.io/6667\n"


def planned(content: bytes | None, *, enable: bool = True, problem: str = "") -> StepPlan:
    files = {LIST: FileFact(content, 0o600, "carol", "carol", problem)}
    wanted = answers(irc={"enable": enable}, user=({"login": "carol"},))
    plan = IrcStep().plan(inputs(wanted, with_node(files=files)))
    assert plan is not None
    return plan


def edited(content: bytes, *, enable: bool = True) -> bytes:
    return file_of(planned(content, enable=enable), LIST).content or b""


def test_the_network_stands_behind_those_that_are_there() -> None:
    assert edited(WRITTEN) == WRITTEN + OURS + b"\n"


@given(
    st.lists(st.sampled_from([b"N=A\n", b"S=x\n", b"\n", b"\r\n", b"F=19\n", b"tail", OURS])).map(b"".join)
)
def test_twice_is_once_and_every_other_byte_stays(before: bytes) -> None:
    """Whatever is in the list: what was there begins the new one, or ours was in it already."""
    once = edited(before)
    assert edited(once) == once
    assert once.startswith(before)
    assert OURS in once + b"\n"


def test_switched_off_ours_goes_and_a_network_that_was_changed_stays() -> None:
    assert edited(WRITTEN + OURS + b"\n", enable=False) == WRITTEN
    changed = WRITTEN + OURS.replace(b"F=19", b"F=27") + b"\n"
    assert edited(changed, enable=False) == changed


def test_without_a_list_nothing_is_written_and_it_is_said_why() -> None:
    plan = planned(None)
    assert plan.resources == ()
    assert "when it is first started" in plan.notes[0]


def test_what_is_no_plain_file_is_left_alone() -> None:
    plan = planned(WRITTEN, problem="it is a symbolic link")
    assert plan.resources == ()
    assert "symbolic link" in plan.unavailable


def test_a_running_hexchat_is_waited_for() -> None:
    assert file_of(planned(WRITTEN), LIST).unless_running == ("hexchat",)
