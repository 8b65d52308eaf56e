"""The keys that a page shows are keys that it has; help is on every page; Esc comes back to where one was."""

from __future__ import annotations

import re

import pytest
from textual.events import Key

from dexsetup.ui.app import Wizard
from dexsetup.ui.widgets.fields import Push
from tui_rig import Driver, debian_host, desk_for, drive, two_peers

PAGES = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review", "Apply", "Home")
KNOWN = {"^A", "^S", "F3", "F5", "Esc", "Enter"}
"""Keys of the frame and of lists that pages name because they matter there."""


async def open_page(driver: Driver, number: int, page: str) -> None:
    """Open a page; Apply after a run."""
    await driver.opened()
    if page == "Apply":
        await driver.go(7, "Review")
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        await driver.press("ctrl+a")
        await driver.ran()
        await driver.until(lambda: getattr(driver.wizard.focused, "id", "") == "home")
        return
    await driver.go(number, page)
    if page == "Home":
        two_peers(driver.wizard)


@pytest.mark.parametrize(("number", "page"), list(enumerate(PAGES, 1)))
def test_help_is_on_every_page_and_esc_comes_back(number: int, page: str) -> None:
    """F1 says what the page changes and which keys it has; the keyboard is where it was afterwards."""

    async def play(driver: Driver) -> None:
        await open_page(driver, number, page)
        wizard = driver.wizard
        focused = wizard.focused
        await driver.press("f1")
        assert f"Help: {page}" in driver.text
        assert " ".join(wizard.page.help.split()[:4]) in driver.text
        await driver.press("escape")
        assert wizard.step == page
        assert wizard.focused is focused
        for key, _ in re.findall(r"(\S+) (\S+(?: \S+)?)(?:  |$)", wizard.page.keys):
            assert key in KNOWN or hasattr(wizard.page, f"key_{key}"), key

    drive(desk_for(debian_host()), play, size=(90, 30))


def test_control_z_is_refused_while_a_run_is_under_way() -> None:
    """A machine half made stays so as long as nobody brings the program back."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        driver.wizard.running.is_applying = True
        await driver.press("ctrl+z")
        assert "A run is under way" in driver.text
        driver.wizard.running.is_applying = False

    drive(desk_for(debian_host()), play)


def port(wizard: Wizard) -> int | None:
    node = wizard.draft.answers.node
    return None if node is None else node.udp_port


def test_keys_in_one_burst_after_a_tab_reach_the_next_field() -> None:
    """A slow line brings Tab and what was typed after it at once: nothing of it is lost."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(2, "Identity")
        await driver.press("tab", "tab")
        for key, character in [("tab", None), *((digit, digit) for digit in "4000"), ("shift+tab", None)]:
            driver.wizard.post_message(Key(key, character))
        await driver.until(lambda: port(driver.wizard))
        assert port(driver.wizard) == 4000
        assert driver.wizard.step == "Identity"

    drive(desk_for(debian_host()), play)


def test_a_text_longer_than_its_field_shows_its_end() -> None:
    """No scroll bar takes the one line of the field from the text."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(2, "Identity")
        await driver.press("tab", "tab", "tab", *("1" * 60), *"234")
        assert "1111234" in driver.text

    drive(desk_for(debian_host()), play)


def test_a_second_enter_on_its_way_does_not_answer_a_question_twice() -> None:
    """Whoever presses Enter twice at "Quit" stays in the wizard; it used to end with a fault."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(2, "Identity")
        await driver.press("tab", "tab", "tab", *"4000", "ctrl+q")
        await driver.until(lambda: "Your answers are not saved." in driver.text)
        stay = list(driver.wizard.screen.query(Push))[-1]
        stay.action_push()
        stay.action_push()
        await driver.at("Identity")

    wizard = drive(desk_for(debian_host()), play)
    assert port(wizard) == 4000
