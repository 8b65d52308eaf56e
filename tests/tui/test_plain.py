"""The linear wizard: the same questions as numbered lines, and the same answers as the screens give."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dexsetup.answers.load import load_answers
from dexsetup.exitcodes import ExitCode
from dexsetup.plan.places import ANSWERS
from dexsetup.ui.plain import PlainWizard
from person import Person
from step_inputs import SPARE_KEY
from tui_rig import Driver, debian_host, desk_for, drive

PEER = f'"198.51.100.7:26041": {{"publicKey": "{SPARE_KEY}", "password": "a-secret-password"}}'


def test_enter_alone_writes_nothing_and_gives_the_answers_of_the_screens() -> None:
    """Both wizards make the same proposal, and the last Enter quits."""
    out = io.StringIO()
    host = debian_host()
    before = host.snapshot()
    plain = PlainWizard(desk_for(host), out, Person(), secret=Person())
    assert plain.run() is ExitCode.OK
    assert host.snapshot() == before

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: driver.wizard.draft.answers.peer)

    assert drive(desk_for(debian_host()), play).draft.answers == plain.draft.answers
    assert "Nothing was changed." in out.getvalue()
    assert out.getvalue().isascii()


def test_every_question_of_a_section_is_asked_with_its_sentence() -> None:
    """The prompts come from the declarations."""
    person = Person()
    out = io.StringIO()
    PlainWizard(desk_for(debian_host()), out, person, secret=person).run(("node", "review"))
    asked = [prompt.split(" [")[0] for prompt in person.prompts]
    assert asked[:5] == ["node.key", "node.backend", "node.udp_port", "node.lan_peering", "node.device"]
    assert "Which key shall the node have?" in out.getvalue()


def test_a_wrong_answer_is_explained_and_asked_again() -> None:
    """The second time it fits."""
    person = Person(("node.udp_port", "99999"), ("node.udp_port [left out]", "26041"))
    out = io.StringIO()
    wizard = PlainWizard(desk_for(debian_host()), out, person, secret=person)
    wizard.run(("node", "review"))
    assert "Not taken: must be at most 65535" in out.getvalue()
    assert wizard.draft.answers.node is not None
    assert wizard.draft.answers.node.udp_port == 26041


def test_apply_after_the_risk_was_accepted() -> None:
    """Yes to the risk, then apply: everything is done and the answers are kept."""
    host = debian_host()
    person = Person(("Understood", "yes"), ("apply, diff", "apply"))
    wizard = PlainWizard(desk_for(host), io.StringIO(), person, secret=person)
    assert wizard.run() is ExitCode.OK
    assert load_answers(host.read(ANSWERS), ANSWERS).answers == wizard.draft.answers


def test_apply_without_the_risk_changes_nothing() -> None:
    """The engine refuses, as it does headless."""
    host = debian_host()
    before = host.snapshot()
    person = Person(("apply, diff", "apply"))
    assert PlainWizard(desk_for(host), io.StringIO(), person, secret=person).run() is ExitCode.RISK
    assert host.snapshot() == before


def test_pasted_peers_and_passwords_that_are_not_printed() -> None:
    """A peer on one line is taken; its password is in no line of the output, diffs included."""
    out = io.StringIO()
    person = Person(("peers", PEER), ("apply, diff", "diff"))
    wizard = PlainWizard(desk_for(debian_host()), out, person, secret=person)
    wizard.run()
    assert wizard.draft.peer(SPARE_KEY) is not None
    assert "+++ /etc/cjdroute.conf" in out.getvalue()
    assert "a-secret-password" not in out.getvalue()


def test_a_conflict_is_decided_by_a_word() -> None:
    """Ours or theirs, asked until one of them is said."""
    host = debian_host(files={"/etc/smtpd.conf": b"# mine\n"})
    person = Person(("/etc/smtpd.conf, ours", "theirs"))
    wizard = PlainWizard(desk_for(host), io.StringIO(), person, secret=person)
    assert wizard.run(("mail", "review")) is ExitCode.OK
    assert wizard.draft.decisions == {"/etc/smtpd.conf": "theirs"}


@pytest.mark.parametrize("name", ["mine.toml", "with space.toml"])
def test_saving_names_the_command_that_repeats(tmp_path: Path, name: str) -> None:
    """The file loads as the same answers."""
    out = io.StringIO()
    path = tmp_path / name
    person = Person(("apply, diff", f"save {path}"))
    wizard = PlainWizard(desk_for(debian_host()), out, person, secret=person)
    wizard.run()
    assert load_answers(path.read_bytes(), "x").answers == wizard.draft.answers
    assert "sudo dexsetup --answers" in out.getvalue()
