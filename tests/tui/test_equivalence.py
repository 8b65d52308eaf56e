"""The keystone: answers typed on the screen and the file that is saved give the same plan, byte for byte."""

from __future__ import annotations

import shlex
from pathlib import Path

from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Answers
from dexsetup.answers.save import save_answers
from dexsetup.cli import _flags, _parser
from dexsetup.commands.apply import apply_file
from dexsetup.commands.session import Session
from dexsetup.exitcodes import ExitCode
from dexsetup.plan.build import plan_to_json
from dexsetup.report.redact import Redactor
from dexsetup.steps.base import Draws
from dexsetup.ui.desk import Desk, command_line, save_draft
from dexsetup.ui.draft import Draft
from step_inputs import DRAWN, SECRET
from tui_rig import Driver, debian_host, desk_for, drive

PASTED = """Here you are:
"198.51.100.7:26041": {
    "login": "for jo", "password": "s3cret-of-a-friend", "contact": "a@example.org",
    "publicKey": "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k", "peerName": "Ann's \\"box\\" [1]"
}"""


def plan_of(desk: Desk, answers: Answers) -> str:
    return plan_to_json(desk.session.planner(answers)(), Redactor())


async def type_everything(driver: Driver) -> None:
    """Answer a question on every page, by keyboard alone."""
    wizard = driver.wizard
    await driver.opened()
    await driver.go(2, "Identity")
    await driver.press("tab", "tab", "tab")
    await driver.type("26041")
    await driver.go(3, "Peers")
    await driver.until(lambda: wizard.draft.answers.peer)
    await driver.press("shift+tab", "right")
    await driver.press("p")
    wizard.screen.query_one("#area").text = PASTED  # type: ignore[attr-defined]
    await driver.press("ctrl+n")
    await driver.at("Peers")
    await driver.go(5, "Mail")
    await driver.press("shift+tab", "shift+tab", "right", "shift+tab")
    await driver.type(" the [3rd]")
    await driver.go(6, "Phone")
    await driver.press("shift+tab", "shift+tab")
    await driver.type("ben fc00::2 Ben")
    await driver.press("enter", "enter")
    await driver.press("shift+tab", "shift+tab", "shift+tab", "space")
    await driver.go(7, "Review")
    await driver.planned()


def test_typed_and_saved_answers_give_the_same_plan(tmp_path: Path) -> None:
    """Every page was answered; the file that is saved loads as an equal object and plans the same bytes."""
    desk = desk_for(debian_host())
    wizard = drive(desk, type_everything, size=(80, 40))
    typed = wizard.draft.answers
    assert typed.node is not None
    assert (typed.node.udp_port, typed.node.lan_peering) == (26041, True)
    assert [peer.address for peer in typed.peer][-1] == "198.51.100.7:26041"
    assert typed.user[0].real_name == "Jo Doe the [3rd]"
    assert "linphonerc" in typed.user[0].files
    assert [contact.address for contact in typed.contact] == ["fc00::2"]
    path = tmp_path / "answers.toml"
    save_draft(wizard.draft, str(path))
    loaded = load_answers(path.read_bytes(), "answers").answers
    assert loaded == typed
    assert plan_of(desk, loaded) == plan_of(desk, typed)


def test_a_file_opened_in_the_wizard_is_the_same_answers(tmp_path: Path) -> None:
    """`--answers FILE --ask SECTION`: what the file says stands in the form, and nothing else is added."""
    given = Answers.model_validate(
        {"schema": 1, "mail": {"relay": "any"}, "user": ({"login": "jo", "files": ("pinerc",)},)}
    )
    path = tmp_path / "mine.toml"
    path.write_text(save_answers(given))

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.at("Mail")
        assert "( ) mesh  (x) any" in driver.text

    wizard = drive(desk_for(debian_host(), answers=str(path)), play, page="mail")
    assert wizard.draft.answers == given
    assert not wizard.draft.is_unsaved


def test_a_broken_file_opens_with_its_problems_named(tmp_path: Path) -> None:
    """No traceback: the first page shows each problem with its line."""
    path = tmp_path / "broken.toml"
    path.write_text('schema = 1\n[mail]\nenabel = true\nrelay = "moon"\n')

    async def play(driver: Driver) -> None:
        await driver.opened()
        shown = " ".join(driver.text.replace("\u2502", " ").split())
        assert 'broken.toml:3: mail.enabel: unknown key. Did you mean "enable"?' in shown
        assert "broken.toml:4: mail.relay: must be one of mesh, any" in shown

    drive(desk_for(debian_host(), answers=str(path)), play, size=(99, 40))


def test_the_command_that_repeats_names_decisions_and_risks() -> None:
    """It can be pasted as it stands, spaces in names included."""
    draft = Draft(decisions={"/etc/smtpd.conf": "ours", "/etc/x y": "theirs"}, accepted={"mesh-mail"})
    assert command_line(draft, "/home/jo/my answers.toml") == (
        "sudo dexsetup --answers '/home/jo/my answers.toml' --accept-risk mesh-mail "
        "--take-over /etc/smtpd.conf --leave '/etc/x y'"
    )


async def ask_peers(driver: Driver) -> None:
    """Add to a file's answers what `--ask peers` is for: a peer that was sent, and a friend who may call."""
    wizard = driver.wizard
    await driver.opened()
    await driver.at("Peers")
    await driver.until(lambda: not wizard.probing.is_under_way)
    await driver.press("p")
    wizard.screen.query_one("#area").text = PASTED  # type: ignore[attr-defined]
    await driver.press("ctrl+n")
    await driver.at("Peers")
    wizard.page.query_one("#peers").focus()
    await driver.press("c")
    await driver.press("f")
    await driver.type('Ann\'s "box"')
    await driver.press("ctrl+n")
    await driver.at("Review")
    await driver.planned()


GIVEN = """\
schema = 1
[node]
udp_port = 26041
[[peer]]
public_key = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"
address = "192.0.2.1:1"
password = "of-the-file"
[mail]
relay = "any"
[[user]]
login = "jo"
"""


def test_a_file_with_a_section_asked_on_screen_has_both(tmp_path: Path) -> None:
    """`--answers FILE --ask peers`: what the file says stays, what was typed is added."""
    path = tmp_path / "mine.toml"
    path.write_text(GIVEN)
    given = load_answers(GIVEN.encode(), "mine").answers
    typed = drive(desk_for(debian_host(), answers=str(path)), ask_peers, page="peers").draft.answers
    assert (typed.node, typed.mail, typed.user) == (given.node, given.mail, given.user)
    assert [peer.address for peer in typed.peer] == ["192.0.2.1:1", "198.51.100.7:26041"]
    assert [one.login for one in typed.allow] == ['Ann\'s "box"']


def test_the_command_that_is_offered_does_what_the_screens_did(tmp_path: Path) -> None:
    """Apply on the screen, and the command line on another machine like it: the same files, byte for byte."""
    path, saved = tmp_path / "mine.toml", tmp_path / "saved answers.toml"
    path.write_text(GIVEN)
    screen, line = debian_host(), debian_host()

    async def play(driver: Driver) -> None:
        await ask_peers(driver)
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        save_draft(driver.wizard.draft, str(saved))
        await driver.press("ctrl+a")
        await driver.ran()

    wizard = drive(desk_for(screen, answers=str(path)), play, page="peers")
    assert wizard.running.code is ExitCode.OK
    sudo, name, *words = shlex.split(command_line(wizard.draft, str(saved)))
    assert (sudo, name) == ("sudo", "dexsetup")
    given = _parser().parse_args(words)
    session = Session(_flags(given), line)
    session.__dict__["draws"] = Draws(DRAWN, SECRET)
    assert apply_file(session, given.answers) is ExitCode.OK
    assert line.snapshot() == screen.snapshot()
    assert b"Ann's" in (line.read("/etc/cjdroute.conf") or b"")
