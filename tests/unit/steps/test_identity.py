"""The identity step: when a key is made, kept, taken over; and what else of the file changes."""

from __future__ import annotations

import difflib

import pytest

from dexrouter.config import BeaconMode, TunDevice, load_config
from dexsetup.errors import AnswersError, MachineError
from dexsetup.facts import FileFact
from dexsetup.plan.model import FileSharing, ManagedFile
from dexsetup.steps.identity import IdentityStep
from dexsetup.steps.node import CONFIG, address_of
from step_inputs import ADDRESS, DRAWN, answers, config, debian, file_of, inputs, with_node

STEP = IdentityStep()


def changed_lines(before: bytes, after: bytes | None) -> list[str]:
    assert after is not None
    diff = difflib.ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [line for line in diff if line.startswith(("+ ", "- "))]


def test_a_machine_without_a_node_gets_the_drawn_one_on_a_device_of_fixed_name() -> None:
    """Key, port and passwords are the drawn ones; the device can be named in a firewall."""
    plan = STEP.plan(inputs(answers(node={}), debian()))
    file = file_of(plan, CONFIG)
    assert plan is not None
    assert plan.address == ADDRESS
    assert (file.mode, file.owner, file.sharing, file.secret) == (0o600, "root", FileSharing.SHARED, True)
    assert file.based_on is None
    wanted, drawn = load_config(file.content or b""), load_config(DRAWN)
    assert wanted.private_key.reveal() == drawn.private_key.reveal()
    assert wanted.udp_interfaces == drawn.udp_interfaces
    assert wanted.tunnel == TunDevice("cjdns0")
    assert plan.risks == ()


def test_a_node_that_is_there_is_kept_byte_for_byte() -> None:
    """An empty node section asks for nothing that is not there already."""
    plan = STEP.plan(inputs(answers(node={}), with_node()))
    assert file_of(plan, CONFIG) == ManagedFile(
        CONFIG, DRAWN, 0o600, sharing=FileSharing.SHARED, based_on=DRAWN, secret=True
    )


def test_without_a_node_section_a_present_node_is_left_alone() -> None:
    assert STEP.plan(inputs(answers(mail={}), with_node())) is None


@pytest.mark.parametrize(
    "sections",
    [{"mail": {}}, {"phone": {}}, {"user": ({"login": "carol"},)}, {"peer": ({"public_key": "x"},)}],
    ids=lambda sections: next(iter(sections)),
)
def test_whatever_needs_an_address_brings_a_node(sections: dict[str, object]) -> None:
    """Without a node section and without a node, the default answers hold."""
    plan = STEP.plan(inputs(answers(**sections), debian()))
    assert plan is not None
    assert plan.address == ADDRESS


@pytest.mark.parametrize("sections", [{}, {"firewall": {}}, {"mail": {"enable": False}}])
def test_what_needs_no_address_brings_none(sections: dict[str, object]) -> None:
    assert STEP.plan(inputs(answers(**sections), debian())) is None


def test_port_beacons_and_device_are_edited_and_nothing_else() -> None:
    """Every line that is not named in the answers stays."""
    present = config(7)
    wanted = answers(node={"udp_port": 4711, "lan_peering": False, "device": "mesh0"})
    content = file_of(STEP.plan(inputs(wanted, with_node(present))), CONFIG).content
    read = load_config(content or b"")
    assert {interface.bind.port for interface in read.udp_interfaces} == {4711}
    assert read.udp_interfaces[0].beacon is BeaconMode.OFF
    assert read.tunnel == TunDevice("mesh0")
    assert len([line for line in changed_lines(present, content) if line.startswith("- ")]) <= 4


def test_an_empty_file_counts_as_no_node() -> None:
    facts = debian({CONFIG: FileFact(b"", 0o600, "root", "root")})
    file = file_of(STEP.plan(inputs(answers(node={}), facts)), CONFIG)
    assert file.based_on == b""
    assert address_of(file.content or b"") == ADDRESS


def test_a_new_key_keeps_peers_and_passwords_and_names_the_risk() -> None:
    """Only the three lines of the identity change; the address of before is named in the risk."""
    present = config(7)
    plan = STEP.plan(inputs(answers(node={"key": "new"}), with_node(present)))
    content = file_of(plan, CONFIG).content
    assert plan is not None
    assert plan.address == ADDRESS
    assert [risk.name for risk in plan.risks] == ["new-address"]
    assert address_of(present) in plan.risks[0].text
    removed = [line for line in changed_lines(present, content) if line.startswith("- ")]
    assert [line.split('"')[1] for line in removed] == ["privateKey", "publicKey", "ipv6"]


def test_a_new_key_is_made_once() -> None:
    """The second run with the same answers finds the key that the first one made."""
    wanted = answers(node={"key": "new"})
    first = file_of(STEP.plan(inputs(wanted, with_node(config(7)))), CONFIG).content
    assert first is not None
    second = STEP.plan(inputs(wanted, with_node(first)))
    assert file_of(second, CONFIG).content == first
    assert second is not None
    assert second.risks == ()


def test_a_new_key_on_a_fresh_machine_is_kept_by_the_second_run() -> None:
    wanted = answers(node={"key": "new"})
    first = file_of(STEP.plan(inputs(wanted, debian())), CONFIG).content
    assert first is not None
    assert file_of(STEP.plan(inputs(wanted, with_node(first))), CONFIG).content == first


def test_an_imported_configuration_becomes_the_node() -> None:
    """On a machine without one it is taken as it is, with its peers and its device."""
    other = config(9, tun_device="tun7")
    facts = debian({CONFIG: FileFact(None), "/root/old.conf": FileFact(other, 0o600, "root", "root")})
    wanted = answers(node={"key": "import:/root/old.conf"})
    assert STEP.reads(wanted, facts) == (CONFIG, "/root/old.conf")
    assert file_of(STEP.plan(inputs(wanted, facts)), CONFIG).content == other


def test_an_imported_key_goes_into_the_configuration_that_is_there() -> None:
    other = config(9)
    facts = with_node(files={"/root/old.conf": FileFact(other, 0o600, "root", "root")})
    plan = STEP.plan(inputs(answers(node={"key": "import:/root/old.conf"}), facts))
    content = file_of(plan, CONFIG).content or b""
    assert address_of(content) == address_of(other)
    assert load_config(content).authorized_passwords == load_config(DRAWN).authorized_passwords


def test_an_import_that_is_not_there_is_a_problem_of_the_answers() -> None:
    with pytest.raises(AnswersError, match=r"node.key: /root/old.conf is not there"):
        STEP.plan(inputs(answers(node={"key": "import:/root/old.conf"}), debian()))


def test_a_configuration_that_is_not_understood_is_not_touched() -> None:
    """The place is named, and the advice shows how to look again."""
    with pytest.raises(MachineError, match="cannot be understood") as caught:
        STEP.plan(inputs(answers(node={}), with_node(b'{ "privateKey": 5, "version": 2 }')))
    assert "/etc/cjdroute.conf" in caught.value.why
    assert "dexrouter --check" in caught.value.advice


def test_a_configuration_that_must_not_be_touched_says_why() -> None:
    facts = debian({CONFIG: FileFact(None, problem="it is a symbolic link")})
    with pytest.raises(MachineError, match="cannot be used") as caught:
        STEP.plan(inputs(answers(node={}), facts))
    assert caught.value.why == "it is a symbolic link"
