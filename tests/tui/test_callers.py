"""Friends who may call: wished for on the card, reviewed, applied, shown, sent away."""

from __future__ import annotations

import io

from dexrouter.config import load_config
from dexsetup.answers.load import load_answers
from dexsetup.answers.save import save_answers
from dexsetup.card import find_card, read_card
from dexsetup.plan.build import plan_to_json
from dexsetup.plan.places import ANSWERS
from dexsetup.report.redact import Redactor
from dexsetup.ui.desk import Desk
from dexsetup.ui.plain import PlainWizard
from person import Person
from step_inputs import ADDRESS, DRAWN
from tui_rig import Driver, debian_host, desk_for, drive

SET_UP = {"/etc/cjdroute.conf": DRAWN, "/etc/dexsetup/answers.toml": b"schema = 1\n"}
PLACE = "5.6.7.8"
HOSTILE = 'Ann "the [1] \\ box"'


def desk(*uplink: str) -> Desk:
    host = debian_host(files=SET_UP)
    host.network.uplink = uplink
    return desk_for(host)


def users(work: Desk) -> list[str | None]:
    content = work.host.read("/etc/cjdroute.conf")
    return [entry.user for entry in load_config(content or b"").authorized_passwords]


async def open_callers(driver: Driver) -> None:
    """From Home: the card, and from there the friends."""
    await driver.until(lambda: driver.wizard.step == "Home")
    await driver.at("Home")
    await driver.planned()
    await driver.press("c")
    await driver.until(lambda: "f Fresh password for a friend" in driver.text)
    await driver.press("f")
    await driver.until(lambda: "Friends who may call this node" in driver.text)


async def name_friend(driver: Driver, name: str) -> None:
    await open_callers(driver)
    await driver.type(name)
    await driver.press("ctrl+n")
    await driver.at("Review")
    await driver.planned()


async def apply(driver: Driver) -> None:
    await driver.press("ctrl+a")
    await driver.until(lambda: driver.wizard.running.view is not None)
    await driver.until(lambda: not driver.wizard.running.is_applying)


def test_a_friend_is_named_reviewed_applied_and_the_card_is_shown() -> None:
    """Nothing is written before Apply; then the card is there by itself, with a link that can be read."""
    work = desk(PLACE)
    copied: list[str] = []

    async def play(driver: Driver) -> None:
        await name_friend(driver, HOSTILE)
        assert work.host.read("/etc/cjdroute.conf") == DRAWN
        assert "Who may call this node" in driver.text or "allow" in driver.text
        await apply(driver)
        await driver.until(lambda: "whoever has it can call this node" in driver.text)
        copied.append(driver.wizard.screen.to_copy)  # type: ignore[attr-defined]

    wizard = drive(work, play)
    assert users(work)[-1] == HOSTILE
    peer = read_card(copied[0]).peer
    assert peer is not None
    assert peer.address.startswith(f"{PLACE}:")
    assert peer.login == HOSTILE
    assert read_card(copied[0]).address == ADDRESS
    kept = load_answers(work.host.read(ANSWERS), ANSWERS).answers
    assert [one.login for one in kept.allow] == [HOSTILE]
    assert not wizard.draft.is_unsaved


def test_the_wish_and_the_saved_file_give_the_same_plan() -> None:
    """Byte for byte, with the same draws."""
    work = desk(PLACE)

    async def play(driver: Driver) -> None:
        await name_friend(driver, HOSTILE)

    typed = drive(work, play).draft.answers
    assert typed.allow[0].address is None
    loaded = load_answers(save_answers(typed).encode(), "saved").answers
    assert loaded == typed
    plans = [plan_to_json(work.session.planner(answers)(), Redactor()) for answers in (typed, loaded)]
    assert plans[0] == plans[1]
    assert '"name": "allow"' in plans[0]


def test_behind_a_gateway_the_card_says_so() -> None:
    """The private address is proposed, and the card names the port to forward."""
    work = desk("192.168.1.2")

    async def play(driver: Driver) -> None:
        await name_friend(driver, "Ann")
        await apply(driver)
        await driver.until(lambda: "192.168.1.2 is reached from the local network alone." in driver.text)

    drive(work, play)


def test_what_does_not_fit_is_said_beside_the_field() -> None:
    """Neither an empty name nor a host name is taken; what was typed stays."""
    work = desk()

    async def play(driver: Driver) -> None:
        await open_callers(driver)
        await driver.press("ctrl+n")
        assert "[!]" in driver.text
        await driver.type("Ann")
        await driver.press("tab")
        await driver.type("example.org")
        await driver.press("ctrl+n")
        assert '"example.org" is not an IP address' in driver.text
        assert "Ann" in driver.text

    assert drive(work, play).draft.answers.allow == ()


def test_a_friend_who_may_call_gets_the_card_shown_again_and_nothing_changes() -> None:
    """By Enter on the row, or by typing the name once more."""
    work = desk(PLACE)
    login = users(work)[0] or ""

    async def play(driver: Driver) -> None:
        await open_callers(driver)
        await driver.type(login)
        await driver.press("ctrl+n")
        await driver.until(lambda: f"The card for {login} alone" in driver.text)
        await driver.press("escape")
        driver.wizard.screen.query_one("#callers").focus()
        await driver.press("enter")
        await driver.until(lambda: f"The card for {login} alone" in driver.text)

    wizard = drive(work, play)
    assert all(one.state == "present" for one in wizard.draft.answers.allow)
    assert work.host.read("/etc/cjdroute.conf") == DRAWN


def test_a_friend_is_sent_away_and_may_stay_after_all() -> None:
    """The key d marks, d again takes the mark away; applied, the login is gone from the configuration."""
    work = desk(PLACE)
    login = users(work)[0] or ""

    async def play(driver: Driver) -> None:
        await open_callers(driver)
        driver.wizard.screen.query_one("#callers").focus()
        await driver.press("d")
        assert "may call no longer when you apply" in driver.text
        await driver.press("d")
        assert "may call no longer when you apply" not in driver.text
        await driver.press("d")
        await driver.press("ctrl+n")
        await driver.at("Review")
        await driver.planned()
        await apply(driver)

    drive(work, play)
    assert login not in users(work)


def test_plain_lines_ask_for_a_friend_and_print_the_card() -> None:
    """A wrong address is asked again; the card stands behind the run, with its password."""
    work = desk()
    out = io.StringIO()
    person = Person(
        ("friend", "Ann"),
        ("Where they", "example.org"),
        ("friend [", "Ann"),
        ("Where they reach", "192.0.2.9:77"),
        ("apply, diff", "apply"),
    )
    plain = PlainWizard(work, out, person, secret=person)
    plain.run(("peer", "review"))
    shown = out.getvalue()
    assert 'Not taken: "example.org" is not an IP address' in shown
    peer = read_card(find_card(shown)).peer
    assert peer is not None
    assert (peer.address, peer.login) == ("192.0.2.9:77", "Ann")
    assert shown.count(peer.password) == 1
