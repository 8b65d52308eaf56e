"""The phone page: who calls with which program, and whom the address books know."""

from __future__ import annotations

from dexsetup.host.base import Completed
from dexsetup.plan.places import ANSWERS
from dexsetup.ui.widgets.fields import Push, TextField, Tick
from tui_rig import Driver, debian_host, desk_for, drive

KNOWN = b"""\
schema = 1
[[user]]
login = "jo"
files = ["mailrc"]
[[contact]]
name = "ann"
address = "fc00::1"
"""


def tick(driver: Driver, name: str) -> Tick:
    return next(field for field in driver.wizard.page.query(Tick) if field.name == name)


async def typed(driver: Driver, text: str) -> None:
    """Type a contact and push Add, by keyboard."""
    field = next(field for field in driver.wizard.page.query(TextField) if field.name == "contact")
    field.query_one("_Line").focus()
    await driver.type(text)
    await driver.press("enter")
    assert isinstance(driver.wizard.focused, Push)
    await driver.press("enter")


def test_a_phone_is_ticked_for_a_person() -> None:
    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(6, "Phone")
        tick(driver, "program:jo:baresip").focus()
        await driver.press("space")
        await driver.planned()
        assert "/home/jo/.baresip/config" in driver.text

    wizard = drive(desk_for(debian_host()), play, size=(120, 40))
    assert wizard.draft.answers.user[0].files == ("mailrc", "baresip")


def test_a_contact_is_typed_added_and_taken_out_again() -> None:
    """Nothing of it stays in the draft: it never was anywhere else."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(6, "Phone")
        await typed(driver, "ben FC00::0:2 Ben Birch")
        assert "[x] ben  fc00::2  Ben Birch" in driver.text
        assert [contact.real_name for contact in driver.wizard.draft.answers.contact] == ["Ben Birch"]
        tick(driver, "contact:ben").focus()
        await driver.press("space")
        assert "ben  fc00::2" not in driver.text

    assert drive(desk_for(debian_host()), play).draft.answers.contact == ()


def test_what_is_no_contact_is_said_below_and_stays_to_be_mended() -> None:
    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(6, "Phone")
        await typed(driver, "ben fd00::1")
        assert '[!] "fd00::1" is not a mesh address' in driver.text
        assert "[ ben fd00::1" in driver.text

    assert drive(desk_for(debian_host()), play).draft.answers.contact == ()


def test_a_contact_that_is_in_the_address_books_is_asked_to_be_absent() -> None:
    """Else it would stay there; ticked again, it is kept."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(6, "Phone")
        states = []
        for _ in range(2):
            tick(driver, "contact:ann").focus()
            await driver.press("space")
            states += [contact.state for contact in driver.wizard.draft.answers.contact]
        assert states == ["absent", "present"]

    drive(desk_for(debian_host(files={ANSWERS: KNOWN})), play)


def test_calls_are_on_as_soon_as_somebody_makes_some() -> None:
    """Without the switch the programs would be set up and the ports stay shut."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(6, "Phone")
        assert "[ ] Shall calls be set up" in driver.text
        tick(driver, "program:jo:baresip").focus()
        await driver.press("space")
        assert "[x] Shall calls be set up" in driver.text

    answers = drive(desk_for(debian_host()), play).draft.answers
    assert answers.phone is not None
    assert answers.phone.enable


def test_where_a_phone_is_installed_calls_are_proposed() -> None:
    host = debian_host()
    host.programs[("baresip", "-h")] = Completed(("baresip", "-h"), 0, "baresip v1.0.0\n", "")

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        await driver.until(lambda: "[+] calls 5060" in driver.text)

    answers = drive(desk_for(host), play).draft.answers
    assert answers.phone is not None
    assert answers.user[0].files == ("mailrc", "baresip")
