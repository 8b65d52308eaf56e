"""The tunnel step: who gives addresses to whom, in a configuration that otherwise stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dexrouter.config.model import AllowedConnection, IpTunnel, TunnelAddress
from dexsetup.answers.load import parse_answers
from dexsetup.errors import AnswersError
from dexsetup.plan.model import Unit
from dexsetup.steps.node import CONFIG, parsed
from dexsetup.steps.peers import PeersStep
from dexsetup.steps.tunnel import TunnelStep
from step_inputs import DRAWN, OTHER_KEY, SPARE_KEY, answers, debian, file_of, inputs, peer, with_node

TUNNEL = TunnelStep()


def tunnels(content: bytes, *entries: Mapping[str, object]) -> bytes:
    plan = TUNNEL.plan(inputs(answers(tunnel=entries), with_node(content)))
    return file_of(plan, CONFIG).content or b""


def test_a_node_without_addresses_is_asked_for_some() -> None:
    assert parsed(tunnels(DRAWN, {"public_key": SPARE_KEY})).ip_tunnel == IpTunnel(outgoing=(SPARE_KEY,))


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("10.66.0.2", TunnelAddress("10.66.0.2", 0, 32)),
        ("10.66.0.2/24", TunnelAddress("10.66.0.2", 24, 32)),
        ("10.66.0.2/32", TunnelAddress("10.66.0.2", 32, 32)),
    ],
)
def test_a_node_with_an_address_gets_it_and_reaches_the_network_behind_it(
    text: str, given: TunnelAddress
) -> None:
    """Without a network, it reaches all of the Internet."""
    read = parsed(tunnels(DRAWN, {"public_key": SPARE_KEY, "ip4": text, "ip6": "2001:db8:77::4/64"}))
    six = TunnelAddress("2001:db8:77::4", 64, 128)
    assert read.ip_tunnel == IpTunnel(allowed=(AllowedConnection(SPARE_KEY, given, six),))


def test_the_same_again_changes_no_byte_and_absent_gives_back_the_bytes() -> None:
    wanted = ({"public_key": SPARE_KEY, "ip4": "10.66.0.2"}, {"public_key": OTHER_KEY})
    once = tunnels(DRAWN, *wanted)
    assert tunnels(once, *wanted) == once
    gone = [{"public_key": entry["public_key"], "state": "absent"} for entry in wanted]
    assert tunnels(once, *gone) == DRAWN


def test_who_gave_addresses_can_be_given_some_instead() -> None:
    asked = tunnels(DRAWN, {"public_key": SPARE_KEY})
    turned = parsed(tunnels(asked, {"public_key": SPARE_KEY, "ip4": "10.66.0.2"})).ip_tunnel
    assert turned.outgoing == ()
    assert [entry.public_key for entry in turned.allowed] == [SPARE_KEY]


def test_a_running_router_is_told_once_with_all_lists_in_its_configuration() -> None:
    """The peers' step leaves it to the tunnels', whose file has both."""
    wanted = inputs(answers(peer=(peer(),), tunnel=({"public_key": OTHER_KEY},)), with_node())
    first, last = PeersStep().plan(wanted), TUNNEL.plan(wanted)
    assert last is not None
    assert file_of(last, CONFIG).based_on == file_of(first, CONFIG).content
    assert first is not None
    assert [item for item in first.resources if isinstance(item, Unit)] == []
    assert [item.reload_on for item in last.resources if isinstance(item, Unit)] == [(CONFIG,)]


def test_who_gives_addresses_is_told_what_else_that_takes() -> None:
    given = TUNNEL.plan(inputs(answers(tunnel=({"public_key": SPARE_KEY, "ip4": "10.66.0.2"},)), with_node()))
    asked = TUNNEL.plan(inputs(answers(tunnel=({"public_key": SPARE_KEY},)), with_node()))
    assert given is not None
    assert asked is not None
    assert "ip_forward" in " ".join(given.notes)
    assert asked.notes == ()


def test_without_a_node_there_is_no_tunnel_to_take_away() -> None:
    with pytest.raises(AnswersError, match="no node here"):
        TUNNEL.plan(inputs(answers(tunnel=({"public_key": SPARE_KEY, "state": "absent"},)), debian()))


def test_what_is_no_key_and_no_address_is_named_where_it_stands() -> None:
    text = 'schema = 1\n[[tunnel]]\npublic_key = "x"\nip4 = "2001:db8::1"\nip6 = "10.0.0.1"\n'
    text += f'[[tunnel]]\npublic_key = "{SPARE_KEY}"\n[[tunnel]]\npublic_key = "{SPARE_KEY}"\n'
    with pytest.raises(AnswersError) as caught:
        parse_answers(text, "my.toml")
    assert [problem.split(": ", 2)[:2] for problem in caught.value.problems] == [
        ["my.toml:3", "tunnel[1].public_key"],
        ["my.toml:4", "tunnel[1].ip4"],
        ["my.toml:5", "tunnel[1].ip6"],
        ["my.toml:9", "tunnel[3].public_key"],
    ]
