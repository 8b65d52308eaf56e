"""The peers page: the public list by round trip, pasted entries, files, removal, cards."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

from textual.widgets import TextArea

from dexrouter.config import ConnectTo, apply_edits, upsert_peer
from dexrouter.crypto.keys import address_of, parse_public_key
from dexsetup.card import Card, card_link
from dexsetup.host.base import UnitState
from dexsetup.neighbours import Neighbour
from dexsetup.ui.pulse import PeerLine, Pulse
from dexsetup.ui.widgets.lines import Rows
from step_inputs import ADDRESS, DRAWN, OTHER_KEY, SPARE_KEY
from tui_rig import Driver, debian_host, desk_for, drive

GOOD = f'"198.51.100.7:26041": {{"publicKey": "{SPARE_KEY}", "password": "pw", "peerName": "ann"}}'
BAD = '"198.51.100.8:1": {"publicKey": "tooshort.k", "password": "pw"}'


async def paste(driver: Driver, text: str) -> None:
    await driver.opened()
    await driver.go(3, "Peers")
    await driver.press("p")
    driver.wizard.screen.query_one("#area").text = text  # type: ignore[attr-defined]
    await driver.press("ctrl+n")


def test_the_list_is_sorted_by_round_trip_and_says_what_came_of_each() -> None:
    """Who answers stands on top with milliseconds, who does not says so; two are ticked."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: driver.wizard.draft.answers.peer)
        rows = driver.wizard.page.query_one("#peers", Rows).rows
        assert [row.text[:3] for row in rows[:3]] == ["[x]", "[x]", "[ ]"]
        times = [int(row.text.split(" ms")[0].split()[-1]) for row in rows if " ms" in row.text]
        assert times[2:] == sorted(times[2:])
        assert len(times) == 11
        assert "no answer" in rows[-1].text

    drive(desk_for(debian_host()), play, size=(150, 30))


def test_pasted_rubbish_says_which_entry_and_why_and_keeps_the_good_ones() -> None:
    """The good peer is in the draft; the sheet stays with the reason and with the text."""

    async def play(driver: Driver) -> None:
        await paste(driver, f"{GOOD}, {BAD}")
        assert "entry 2 (198.51.100.8:1)" in driver.text
        await driver.press("escape")
        await driver.at("Peers")
        assert "[x] ann" in driver.text
        await driver.press("p")
        assert driver.wizard.sheets.pasted.startswith(GOOD)

    wizard = drive(desk_for(debian_host()), play)
    assert [peer.name for peer in wizard.draft.answers.peer if peer.public_key == SPARE_KEY] == ["ann"]


def test_text_without_a_peer_says_so() -> None:
    """Nothing is guessed."""

    async def play(driver: Driver) -> None:
        await paste(driver, "see you tonight")
        assert "There are no peers in that text." in driver.text

    drive(desk_for(debian_host()), play)


def test_a_link_to_a_list_on_the_web_says_to_paste_what_stands_there() -> None:
    """A page is not fetched."""

    async def play(driver: Driver) -> None:
        await paste(driver, "https://example.org/peers/eu/de.k")
        assert "dexsetup fetches none: open it, and paste the entries" in " ".join(driver.text.split())

    drive(desk_for(debian_host()), play)


def test_what_is_wrong_is_in_sight_however_long_the_text() -> None:
    """A whole file was pasted: the reason and the buttons are on an ordinary screen all the same."""

    async def play(driver: Driver) -> None:
        await paste(driver, f"{BAD}\n" + "// a comment\n" * 200)
        await driver.until(lambda: "entry 1 (198.51.100.8:1)" in driver.text)
        assert "[ Take them ]" in driver.text

    drive(desk_for(debian_host()), play)


def test_another_paste_takes_the_place_of_the_one_that_was_wrong() -> None:
    """The rejected text is marked as a whole when the sheet opens again."""

    async def play(driver: Driver) -> None:
        await paste(driver, BAD)
        await driver.press("escape", "p")
        area = driver.wizard.screen.query_one("#area", TextArea)
        assert area.selected_text == BAD

    drive(desk_for(debian_host()), play)


def test_a_file_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    """The path stays in the field when it is wrong."""
    path = tmp_path / "peers.json"
    path.write_text(GOOD)

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.press("o")
        await driver.type("/nowhere/x")
        await driver.press("enter", "enter")
        assert "No such file" in driver.text
        driver.wizard.screen.query_one("Input").value = str(path)  # type: ignore[attr-defined]
        await driver.press("enter")
        await driver.at("Peers")

    wizard = drive(desk_for(debian_host()), play)
    assert wizard.draft.peer(SPARE_KEY) is not None


def test_peers_of_the_machine_are_kept_and_one_is_removed_by_d() -> None:
    """[=] stays, d makes it [-] and asks for it to be absent; Space takes that back."""
    entry = ConnectTo("203.0.113.5:1", OTHER_KEY, "pw", None, "old friend")
    config = apply_edits(DRAWN, upsert_peer(DRAWN, entry))

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: not driver.wizard.probing.is_under_way)
        driver.wizard.page.query_one("#peers").focus()
        await driver.press("home")
        assert "[=] old friend" in driver.text
        await driver.press("d")
        assert "[-] old friend" in driver.text
        answer = driver.wizard.draft.peer(OTHER_KEY)
        assert answer is not None
        assert answer.state == "absent"
        await driver.press("space")
        assert "[=] old friend" in driver.text

    wizard = drive(desk_for(debian_host(files={"/etc/cjdroute.conf": config})), play)
    assert wizard.draft.answers.peer == ()


def test_a_friends_card_is_pasted_like_a_peer() -> None:
    """A link with a credential adds its peer, asked at once and by F5; one without says who it is."""
    address = str(IPv6Address(address_of(parse_public_key(SPARE_KEY))))
    card = Card(address, "Ann", "ann", ConnectTo("198.51.100.7:1", SPARE_KEY, "pw", None, "Ann"))

    async def play(driver: Driver) -> None:
        await paste(driver, f"my card: {card_link(Card(address, 'Ann', 'ann'))}")
        assert "it has no peer to call" in " ".join(driver.text.split())
        driver.wizard.screen.query_one("#area").text = card_link(card)  # type: ignore[attr-defined]
        await driver.press("ctrl+n")
        await driver.at("Peers")
        probing = driver.wizard.probing
        await driver.until(lambda: "198.51.100.7:1" in probing.results and not probing.is_under_way)
        await driver.press("f5")
        await driver.until(lambda: "198.51.100.7:1" in probing.results and not probing.is_under_way)

    wizard = drive(desk_for(debian_host()), play)
    assert wizard.draft.peer(SPARE_KEY) is not None


def test_the_own_card_shows_text_link_and_a_code_where_it_fits() -> None:
    """A large window has the QR code, a small one says that a larger would."""

    async def large(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.press("c")
        assert f"dex:{ADDRESS}?name=Jo%20Doe&user=jo" in driver.text
        assert f"jo@[IPv6:{ADDRESS}]" in driver.text
        assert "\u2588\u2588\u2588" in driver.text

    async def small(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.press("c")
        assert "A larger window" in driver.text

    drive(desk_for(debian_host()), large, size=(100, 50))
    drive(desk_for(debian_host()), small, size=(80, 20))


def test_secrets_are_nowhere_on_the_screen() -> None:
    """Neither the private key of the draw nor a pasted password is shown by any page or diff."""
    secret = "hunter2hunter2hunter2"
    private = DRAWN.decode().split('"privateKey": "')[1].split('"')[0]

    async def play(driver: Driver) -> None:
        await paste(driver, GOOD.replace('"pw"', f'"{secret}"'))
        await driver.planned()
        for number, page in enumerate(
            ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review"), 1
        ):
            await driver.go(number, page)
            await driver.planned()
            await driver.press("f2")
            lines = driver.wizard.screen.query_one("#text").text  # type: ignore[attr-defined]
            assert secret not in lines
            assert private not in lines
            assert secret not in driver.text
            await driver.press("escape")

    drive(desk_for(debian_host()), play)


NEIGHBOUR = Neighbour("192.168.1.5:26041", OTHER_KEY, 21, password=b"\xff" * 20)
BY_FRAMES = Neighbour("02:00:00:00:00:0a", SPARE_KEY, 21, "eth0")


def hears(*neighbours: Neighbour) -> Callable[..., tuple[str, ...]]:
    """Return an ear that hears these, and then nothing more until the wizard ends."""

    def listen(
        report: Callable[[Neighbour], None], is_stopped: Callable[[], bool], *, own_address: str
    ) -> tuple[str, ...]:
        assert own_address == ADDRESS
        for neighbour in neighbours:
            report(neighbour)
        while not is_stopped():
            time.sleep(0.01)
        return ()

    return listen


def test_neighbours_are_shown_before_a_router_runs() -> None:
    """With address and place; UDP ones are asked for a handshake, and the best public ones stay proposed."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: driver.wizard.draft.answers.peer)
        rows = driver.wizard.page.query_one("#peers", Rows).rows
        assert [row.text[:3] for row in rows[:4]] == ["[x]"] * 4
        assert f"{OTHER_KEY[:8]} v21" in rows[0].text
        assert "192.168.1.5:26041" in rows[0].text
        assert "no answer" in rows[0].text
        assert rows[0].text.endswith("local network")
        assert "02:00:00:00:00:0a" in rows[1].text
        assert "heard" in rows[1].text
        assert "2 found on the local network" in driver.text
        driver.wizard.page.query_one("#peers").focus()
        await driver.press("home", "space")
        assert "A neighbour needs no tick" in driver.text

    wizard = drive(desk_for(debian_host(), ear=hears(NEIGHBOUR, BY_FRAMES)), play, size=(150, 30))
    assert [peer.name for peer in wizard.draft.answers.peer] == ["trnsz-jp", "sssemil.k"]


def test_neighbours_are_not_looked_for_when_the_answer_is_no() -> None:
    """They are heard all the same, and shown without a tick."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        driver.wizard.draft.put("node", "lan_peering", value=False)
        driver.wizard.renew()
        await driver.until(lambda: f"[ ] {OTHER_KEY[:8]}" in driver.text)

    drive(desk_for(debian_host(), ear=hears(NEIGHBOUR)), play, size=(150, 30))


def test_a_local_network_that_cannot_be_heard_says_why() -> None:
    def deaf(*_: object, **__: object) -> tuple[str, ...]:
        return "UDP: Address already in use", "Ethernet: Operation not permitted"

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: "cannot be heard. UDP: Address already in use" in driver.text)

    drive(desk_for(debian_host(), ear=deaf), play, size=(150, 30))


def test_neighbours_of_a_running_router_come_from_the_router() -> None:
    """Who calls without being configured stands there with its state, and whether it is near."""
    host = debian_host()
    host.services.units["dexrouter.service"] = UnitState(exists=True, enabled=True, active=True)
    desk = desk_for(host)
    near, far = (
        PeerLine(address, "outer", "ESTABLISHED", True, 0.0, 0.0, 3, 0, 9, ())
        for address in ("192.168.1.9:4000", "9.9.9.9:4000")
    )
    desk.__dict__["pulse"] = lambda: Pulse(ADDRESS, True, (near, far), (), "")

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.until(lambda: "192.168.1.9:4000" in driver.text)
        rows = {row.key.strip(): row.text for row in driver.wizard.page.query_one("#peers", Rows).rows}
        assert rows["192.168.1.9:4000"].startswith("[=] ESTABLISHED")
        assert rows["192.168.1.9:4000"].endswith("local network")
        assert rows["9.9.9.9:4000"].endswith("calls this node")

    drive(desk, play, size=(150, 30))
