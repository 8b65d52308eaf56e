"""The page of the firewall: its questions, the doors before and after, and the risks that go with them."""

from __future__ import annotations

from dexsetup.host.base import FirewallState
from tui_rig import Driver, debian_host, desk_for, drive

WIDE = (("ssh", ("22/tcp",)), ("", ("1025-65535/tcp", "1025-65535/udp")))


def test_ssh_is_a_door_with_a_risk_of_its_own() -> None:
    """Ticked, it is in the table, and its risk can be accepted on the page: Apply asks no more for it."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        assert "[=] ssh 22/tcp" in driver.text
        await driver.press("shift+tab", "shift+tab", "space")
        await driver.planned()
        await driver.until(lambda: "[+] ssh 22/tcp" in driver.text)
        names = [tick.name for tick in driver.wizard.page.query("Tick")]
        driver.wizard.page.query("Tick")[names.index("risk:mesh-ssh")].focus()
        await driver.press("space")
        await driver.planned()

    wizard = drive(desk_for(debian_host()), play, size=(80, 40))
    firewall = wizard.draft.answers.firewall
    assert firewall is not None
    assert firewall.ssh
    assert firewall.accept_risk == ("mesh-ssh",)


def test_a_wide_zone_is_named_and_kept_from_the_mesh() -> None:
    """What the default zone lets in stays open to other networks, and is spared the mesh interface."""
    host = debian_host()
    host.firewall.uplink = "FedoraWorkstation"
    host.firewall.openings["FedoraWorkstation"] = WIDE

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        shown = " ".join(driver.text.replace("\u2502", " ").split())
        assert "[=] 1025-65535/tcp open open" in shown
        assert "the mesh would reach more: ssh 22/tcp, 1025-65535/tcp, 1025-65535/udp" in shown

    drive(desk_for(host), play, size=(80, 40))


def test_where_there_is_no_firewalld_a_guard_is_proposed() -> None:
    """With it what was not chosen is shut; without it everything that listens is open, and marked."""
    host = debian_host()
    host.firewall.state = FirewallState.NONE

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        assert "[=] everything else" in driver.text
        names = [tick.name for tick in driver.wizard.page.query("Tick")]
        driver.wizard.page.query("Tick")[names.index("firewall.guard")].focus()
        await driver.press("space")
        await driver.planned()
        await driver.until(lambda: "[!] everything else" in driver.text)
        assert "listening: sshd 22" in driver.text

    wizard = drive(desk_for(host), play, size=(80, 40))
    assert wizard.draft.answers.firewall is not None
    assert not wizard.draft.answers.firewall.guard


def test_with_firewalld_no_guard_is_asked_for() -> None:
    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(4, "Firewall")
        names = [tick.name for tick in driver.wizard.page.query("Tick")]
        assert names[:2] == ["firewall.enable", "firewall.ssh"]
        assert "firewall.guard" not in names

    drive(desk_for(debian_host()), play)
