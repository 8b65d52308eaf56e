"""GNU mail among a person's programs: asked about where it is what `mail` means, and nowhere else."""

from __future__ import annotations

from dexsetup.ui.widgets.fields import Tick
from tui_rig import Driver, debian_host, desk_for, drive

NAME = "program:jo:mailutils"


def ticks(driver: Driver) -> list[str]:
    return [field.name or "" for field in driver.wizard.page.query(Tick)]


def test_gnu_mail_is_ticked_for_a_person_where_it_is() -> None:
    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(5, "Mail")
        next(field for field in driver.wizard.page.query(Tick) if field.name == NAME).focus()
        await driver.press("space")
        await driver.planned()

    host = debian_host()
    host.make_directory("/etc/alternatives", mode=0o755, owner="root", group="root")
    host.make_link("/etc/alternatives/mailx", "/usr/bin/mail.mailutils")
    wizard = drive(desk_for(host), play, size=(120, 40))
    assert wizard.draft.answers.user[0].files == ("mailrc", "mailutils")


def test_gnu_mail_is_not_asked_about_where_it_is_not() -> None:
    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(5, "Mail")
        assert NAME not in ticks(driver)

    drive(desk_for(debian_host()), play, size=(120, 40))
