"""A first run by keyboard alone: from Welcome to Home, and all that may be in the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from dexrouter.config import ConnectTo
from dexsetup.answers.load import load_answers
from dexsetup.errors import HostError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Completed
from dexsetup.plan.places import ANSWERS
from dexsetup.probe import Answer, Result
from tui_rig import Driver, debian_host, desk_for, drive

PAGES = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review")


def test_enter_alone_leads_to_a_sensible_setup() -> None:
    """Six times Enter: a node, the two fastest peers of different places, mail for the person here."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        for page in PAGES[1:]:
            await driver.press("enter")
            await driver.at(page)
            if page == "Peers":
                await driver.until(lambda: driver.wizard.draft.answers.peer)
        await driver.planned()
        assert "Nothing has been written." in driver.text

    host = debian_host()
    before = host.snapshot()
    wizard = drive(desk_for(host), play)
    answers = wizard.draft.answers
    assert answers.node is not None
    assert answers.node.key == "keep"
    assert [peer.name for peer in answers.peer] == ["trnsz-jp", "sssemil.k"]
    assert answers.mail is not None
    assert answers.mail.enable
    assert [user.login for user in answers.user] == ["jo"]
    assert answers.firewall is not None
    assert wizard.planning.looked is not None
    assert wizard.planning.looked.plan is not None
    assert not wizard.planning.looked.problems
    assert host.snapshot() == before


def test_apply_asks_for_the_risk_first_then_applies_and_home_opens() -> None:
    """The risk has to be ticked; then all is done, the answers are kept, and Home is one Enter away."""
    host = debian_host()

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        await driver.press("enter")
        await driver.until(lambda: "Read the risk mesh-mail" in driver.text)
        await driver.press("space")
        await driver.planned()
        await driver.press("ctrl+a")
        await driver.until(lambda: driver.wizard.step == "Apply" and not driver.wizard.running.is_applying)
        assert "Done: everything is in place." in driver.text
        await driver.until(lambda: driver.wizard.focused is not None and driver.wizard.focused.id == "home")
        await driver.press("enter")
        await driver.at("Home")
        assert driver.wizard.address in driver.text

    wizard = drive(desk_for(host), play)
    saved = host.read(ANSWERS)
    assert load_answers(saved, ANSWERS).answers == wizard.draft.answers
    assert wizard.draft.answers.firewall is not None
    assert wizard.draft.answers.firewall.accept_risk == ("mesh-mail",)
    assert b"Jo Doe" in (host.read("/home/jo/.mailrc") or b"")
    assert wizard.running.view is not None
    assert wizard.running.view.done is not None
    assert wizard.running.view.done.code == ExitCode.OK
    assert not wizard.draft.is_unsaved


def test_the_address_is_in_the_header_as_soon_as_there_is_a_key() -> None:
    """It stands there on the first page already: the key is drawn when the machine was looked at."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        assert driver.wizard.address in driver.text.splitlines()[0]

    assert drive(desk_for(debian_host()), play).address.startswith("fc")


def test_nobody_answers_and_none_is_ticked() -> None:
    """Without a peer that answers the page says so, and the setup goes on without one."""

    def silent(
        peers: Iterable[ConnectTo], *, report: Callable[[Result], None], is_stopped: Callable[[], bool]
    ) -> tuple[Result, ...]:
        results = tuple(Result(peer, Answer.SILENT) for peer in peers)
        for result in results:
            report(result)
        return results

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: "None answers" in driver.text)

    wizard = drive(desk_for(debian_host(), prober=silent), play)
    assert wizard.draft.answers.peer == ()


def test_a_choice_of_ones_own_is_never_added_to() -> None:
    """Whoever unticks every peer keeps none."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: driver.wizard.draft.answers.peer)
        driver.wizard.page.query_one("#peers").focus()
        for _ in range(2):
            await driver.press("home", "space")
        await driver.press("f5")
        await driver.until(lambda: not driver.wizard.probing.is_under_way)

    wizard = drive(desk_for(debian_host()), play)
    assert wizard.draft.answers.peer == ()
    assert wizard.draft.is_peers_chosen


def test_without_root_apply_saves_the_answers_and_shows_the_command(tmp_path: Path) -> None:
    """Nothing is tried that needs root; the command can be pasted, and the file is nobody else's."""
    target = tmp_path / "my answers.toml"

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        await driver.press("ctrl+a")
        await driver.until(lambda: "Apply needs root" in driver.text)
        field = driver.wizard.screen.query_one("Input")
        field.value = str(target)  # type: ignore[attr-defined]
        await driver.press("enter", "enter")
        await driver.until(lambda: "sudo dexsetup --answers" in driver.text)

    host = debian_host(uid=1000)
    before = host.snapshot()
    wizard = drive(desk_for(host), play, size=(120, 30))
    assert host.snapshot() == before
    assert target.stat().st_mode & 0o777 == 0o600
    assert load_answers(target.read_bytes(), "x").answers == wizard.draft.answers


def test_stopping_finishes_the_change_and_takes_everything_back() -> None:
    """Esc in the middle of a run: what was there before is there again, and the page says so."""
    host = debian_host()
    before = host.snapshot()

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        wizard = driver.wizard

        def stop(_: bytes) -> str:
            """Press Esc while smtpd looks at its file."""
            if host.read("/etc/cjdroute.conf") is not None:
                wizard.desk.request_stop()
            return ""

        host.validators["/usr/sbin/smtpd"] = stop
        await driver.press("ctrl+a")
        await driver.ran()
        await driver.until(lambda: "Everything was undone." in driver.text)

    wizard = drive(desk_for(host), play)
    assert wizard.running.view is not None
    assert wizard.running.view.done is not None
    assert wizard.running.view.done.code == ExitCode.INTERRUPTED
    assert host.snapshot() == before


def test_a_failing_step_offers_again_and_undo() -> None:
    """The others are done; the page names what failed in the program's own words, and what can be done."""
    host = debian_host()
    host.services.refuses_to_start["opensmtpd.service"] = "bind: Cannot assign requested address"

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        await driver.press("ctrl+a")
        await driver.until(
            lambda: driver.wizard.running.view is not None and not driver.wizard.running.is_applying
        )
        await driver.until(lambda: "FAIL mail" in driver.text)
        assert "Try again" in driver.text
        assert "Undo everything" in driver.text
        host.services.refuses_to_start.clear()
        await driver.until(lambda: getattr(driver.wizard.focused, "id", "") == "again")
        await driver.press("enter")
        await driver.until(lambda: "Done: everything is in place." in driver.text)

    wizard = drive(desk_for(host), play, size=(100, 40))
    assert wizard.running.view is not None
    assert not wizard.running.view.failures


def test_a_conflict_has_to_be_decided() -> None:
    """A smtpd.conf that somebody wrote: Apply goes to the decision, and the file survives beside ours."""
    host = debian_host(files={"/etc/smtpd.conf": b"listen on localhost # mine\n"})

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        await driver.planned()
        assert "[!] mail" in driver.text
        await driver.press("ctrl+a")
        await driver.until(lambda: "Decide what shall happen with /etc/smtpd.conf" in driver.text)
        await driver.press("right")
        await driver.planned()
        await driver.until(lambda: "Risk mesh-mail" in driver.text)
        await driver.press("ctrl+a")
        await driver.until(lambda: "Read the risk" in driver.text)
        await driver.press("space", "ctrl+a")
        await driver.until(
            lambda: driver.wizard.running.view is not None and not driver.wizard.running.is_applying
        )

    wizard = drive(desk_for(host), play, size=(100, 40))
    assert wizard.draft.decisions == {"/etc/smtpd.conf": "ours"}
    assert host.read("/etc/smtpd.conf.dexsetup-saved") == b"listen on localhost # mine\n"
    assert b"dexsetup" in (host.read("/etc/smtpd.conf") or b"")


def test_a_text_that_does_not_fit_is_kept_marked_and_stops_the_plan() -> None:
    """The sentence stands under the field as it is typed; leaving the page and coming back loses nothing."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(2, "Identity")
        next(f for f in driver.wizard.page.query("TextField") if f.name == "node.udp_port").query_one(
            "Input"
        ).focus()
        await driver.type("99999")
        assert "[!] must be at most 65535" in driver.text
        await driver.press("escape")
        await driver.at("Welcome")
        assert "[!] Identity" in driver.text
        await driver.go(2, "Identity")
        assert "99999" in driver.text
        await driver.go(7, "Review")
        assert "node.udp_port" in driver.text
        await driver.press("ctrl+a")
        assert driver.wizard.running.view is None

    drive(desk_for(debian_host()), play, size=(80, 40))


def test_quitting_asks_only_if_something_would_be_lost() -> None:
    """Untouched defaults are nobody's work; a tick is."""

    async def leave_at_once(driver: Driver) -> None:
        await driver.opened()
        await driver.press("ctrl+q")

    assert drive(desk_for(debian_host()), leave_at_once).return_value == ExitCode.OK

    async def change_then_leave(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        driver.wizard.page.query("Tick").first().focus()
        await driver.press("space", "ctrl+q")
        assert "Save the answers" in driver.text
        await driver.press("down", "enter")

    assert drive(desk_for(debian_host()), change_then_leave).return_value == ExitCode.OK


def test_control_c_says_how_to_quit() -> None:
    """Nobody loses answers by a habit."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.press("ctrl+c")
        assert "To quit: ^Q or F10." in driver.text

    assert drive(desk_for(debian_host()), play).return_value is None


@pytest.mark.parametrize(
    "name",
    [
        'Jo "the [bold]Doe[/bold]" O\\Hara',
        "[red]Jo[/]",
        "\u05d9\u05d5 \u200fJo\u200e Doe",
        "Jo \U0001f600 Doe",
        "[/][",
        "Jo $HOME `id` #1",
    ],
)
def test_hostile_names_are_shown_as_they_are_and_reach_every_file(name: str) -> None:
    """Brackets are no markup, marks of writing are shown as escapes; each program's file has the name."""
    host = debian_host()
    files = (".mailrc", ".pinerc", ".linphonerc", ".baresip/accounts")

    async def play(driver: Driver) -> None:
        await driver.opened()
        draft = driver.wizard.draft
        for program in ("pinerc", "linphonerc", "baresip"):
            draft.put_program("jo", program, is_on=True)
        draft.put_real_name("jo", name)
        for risk in ("mesh-mail", "mesh-calls"):
            draft.accept(risk, is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        for number, page in enumerate(PAGES, 1):
            await driver.go(number, page)
            await driver.planned()
            assert "\u200f" not in driver.text
        await driver.press("ctrl+a")
        await driver.ran()
        assert "Done" in driver.text

    drive(desk_for(host), play, size=(110, 40))
    (user,) = load_answers(host.read(ANSWERS), ANSWERS).answers.user
    assert user.real_name == name
    letters = [part for part in re.findall(r"\w+", name) if part not in {"O", "Hara"}]
    for file in files:
        written = (host.read(f"/home/jo/{file}") or b"").decode()
        assert all(part in written for part in letters), file


@pytest.mark.parametrize("name", ["\u202eoJ eoD", "\x1b[31mJo"])
def test_a_name_that_no_file_can_carry_is_said_where_it_is_typed(name: str) -> None:
    """Marks that turn the rest of a line round, and control characters: nothing is planned with them."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(5, "Mail")
        field = next(f for f in driver.wizard.page.query("TextField") if f.name == "name:jo")
        field.query_one("Input").value = name  # type: ignore[attr-defined]
        await driver.until(lambda: "[!]" in driver.text and "cannot be written into" in driver.text)
        assert "\x1b" not in driver.text
        assert "\u202e" not in driver.text
        await driver.go(2, "Identity")
        assert "[!] Mail" in driver.text
        await driver.go(7, "Review")
        await driver.press("ctrl+a")
        assert driver.wizard.running.view is None

    drive(desk_for(debian_host()), play, size=(80, 40))


def test_a_machine_that_cannot_be_looked_at_says_why() -> None:
    """A fault while looking becomes a sentence on the first page, not the end of the program."""
    host = debian_host()

    def broken(argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        raise HostError("id cannot be started", why="Exec format error")

    host.probe = broken  # type: ignore[method-assign]

    async def play(driver: Driver) -> None:
        await driver.until(lambda: "id cannot be started" in driver.text)

    drive(desk_for(host), play)
