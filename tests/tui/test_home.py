"""Home is live: the router's peers by its admin API, the mail queue, the sparkline, and its keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from dexrouter.admin.access import Access
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Completed
from dexsetup.plan.events import Checked, Grade
from dexsetup.plan.places import ANSWERS, RUNS
from dexsetup.ui.pulse import Pulse, Watcher, queue_of, sparkline
from loop_nodes import ADMIN_PASSWORD, running_node
from tui_rig import Driver, debian_host, desk_for, drive

QUEUE = """\
1f2e3d4c5b6a7988|local|mta||jo@[IPv6:fc00::1]|ann@[IPv6:fc00::2]|ann@[IPv6:fc00::2]|1795366957|1796576557|\
1795367000|2|pending|388|Network error | on destination MXs
not a letter

"""


def watch(watcher: Watcher, holds: Callable[[Pulse], object], seconds: float = 10.0) -> Pulse:
    deadline = time.monotonic() + seconds
    while not holds(pulse := watcher.look()):
        assert time.monotonic() < deadline, pulse
        time.sleep(0.05)
    return pulse


def test_a_real_router_s_peers_with_state_round_trip_and_rates() -> None:
    """Two cores on loopback: one calls the other, and Home's look shows it within a second of the change."""
    with running_node(1, has_admin=True) as here, running_node(2) as there:
        watcher = Watcher(debian_host(), Access("127.0.0.1", here.admin_port, ADMIN_PASSWORD))
        empty = watch(watcher, lambda pulse: pulse.is_router_there)
        assert empty.peers == ()
        assert empty.address.startswith("fc")
        here.call(there.guest)
        changed = time.monotonic()
        watch(watcher, lambda pulse: [peer.state for peer in pulse.peers] == ["ESTABLISHED"])
        assert time.monotonic() - changed < 5.0
        pulse = watch(watcher, lambda pulse: pulse.peers[0].rtt_ms is not None)
        (peer,) = pulse.peers
        assert peer.address == there.guest.address
        assert peer.name == "node 2"
        assert not peer.is_incoming
        assert peer.loss_percent == 0.0
        assert len(peer.minute) > 1
        assert any(value > 0 for value in peer.minute)
        watcher.close()


def test_a_peer_without_a_name_goes_by_its_key() -> None:
    """The router's own word for it says nothing to anybody."""
    with running_node(1, has_admin=True) as here, running_node(2) as there:
        here.call(replace(there.guest, peer_name=None))
        watcher = Watcher(debian_host(), Access("127.0.0.1", here.admin_port, ADMIN_PASSWORD))
        (peer,) = watch(watcher, lambda pulse: pulse.peers).peers
        assert peer.name == there.guest.public_key[:12]
        watcher.close()


def test_a_router_that_is_not_there_is_said() -> None:
    """No traceback and no wait: the sentence of the client."""
    with running_node(1, has_admin=True) as node:
        port = node.admin_port
    pulse = Watcher(debian_host(), Access("127.0.0.1", port)).look()
    assert not pulse.is_router_there
    assert pulse.said == f"No router listens at 127.0.0.1:{port}."


def test_a_wrong_password_still_shows_the_peers() -> None:
    """PeerStats is open to everybody here; only the round trip needs the password."""
    with running_node(1, has_admin=True) as here, running_node(2) as there:
        here.call(there.guest)
        watcher = Watcher(debian_host(), Access("127.0.0.1", here.admin_port, "wrong"))
        pulse = watch(watcher, lambda pulse: [peer.state for peer in pulse.peers] == ["ESTABLISHED"])
        assert pulse.peers[0].rtt_ms is None
        watcher.close()


def test_the_mail_queue_is_read_from_smtpctl() -> None:
    """Recipient, state, seconds to the next try, and the whole error, bars in it included."""
    (letter,) = queue_of(QUEUE)
    assert letter.recipient == "ann@[IPv6:fc00::2]"
    assert (letter.state, letter.next_seconds) == ("pending", 388)
    assert letter.error == "Network error | on destination MXs"


def test_the_queue_is_on_home() -> None:
    """The letter that waits is named with its next try."""
    host = debian_host(files={"/etc/dexsetup/answers.toml": b"schema = 1\n"})
    words = ("smtpctl", "show", "queue")
    host.programs[words] = Completed(words, 0, QUEUE, "")

    async def play(driver: Driver) -> None:
        await driver.at("Home")
        await driver.until(lambda: "1 letter waiting" in driver.text)
        assert "next try in 388 s" in driver.text

    drive(desk_for(host), play)


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ((), ""),
        ((0.0, 0.0), "\u2581\u2581"),
        ((0.0, 1.0), "\u2581\u2588"),
        ((5.0, 10.0, 0.0), "\u2585\u2588\u2581"),
    ],
)
def test_the_sparkline_has_the_greatest_value_full(values: tuple[float, ...], bars: str) -> None:
    """One character a value, the last ones if there are more than fit."""
    assert sparkline(values, 20) == bars
    assert (
        sparkline((9.0,) * 40 + values, 20)[-len(bars) :] == sparkline((9.0,) * 20 + values, 20)[-len(bars) :]
    )


async def applied(driver: Driver) -> None:
    """Apply the defaults and come to Home."""
    await driver.opened()
    await driver.go(7, "Review")
    driver.wizard.draft.accept("mesh-mail", is_on=True)
    driver.wizard.draft_changed()
    await driver.planned()
    await driver.press("ctrl+a")
    await driver.until(
        lambda: driver.wizard.running.view is not None and not driver.wizard.running.is_applying
    )
    await driver.planned()
    await driver.go(9, "Home")


def test_verify_says_what_holds() -> None:
    """V looks end to end and shows each observation with its word."""
    host = debian_host()

    async def play(driver: Driver) -> None:
        await applied(driver)
        driver.wizard.watching.checks = []
        host.services.units["opensmtpd.service"] = host.services.state("opensmtpd.service").__class__(
            exists=True, enabled=True, active=False, detail="killed"
        )
        await driver.press("v")
        await driver.until(lambda: "opensmtpd.service is not active: killed" in driver.text)
        assert "ok   router" in driver.text

    drive(desk_for(host), play, size=(100, 40))


def test_home_says_what_the_mesh_reaches_now() -> None:
    """By the zone that has the mesh interface, not by what somebody wished."""
    host = debian_host()

    async def play(driver: Driver) -> None:
        await applied(driver)
        await driver.until(lambda: "open     to the mesh: mail 25/tcp" in driver.text)
        services, interfaces = host.firewall.zones["cjdns"]
        host.firewall.zones["cjdns"] = (services | {"ssh"}, interfaces)
        driver.wizard.survey_again()
        await driver.until(lambda: "to the mesh: mail 25/tcp, ssh 22/tcp" in driver.text)

    drive(desk_for(host), play, size=(100, 40))


def test_in_a_small_window_what_is_not_well_is_seen_first() -> None:
    """Observations that do not fit are counted, the good ones."""
    host = debian_host()

    async def play(driver: Driver) -> None:
        await applied(driver)
        driver.wizard.watching.checks = [
            *(Checked("router", Grade.OK, f"{number} is well") for number in range(9)),
            Checked("mail", Grade.FAIL, "smtpd is away"),
        ]
        driver.wizard.renew()
        assert "FAIL mail     smtpd is away" in driver.text
        assert "more: v checks again" in driver.text

    drive(desk_for(host), play)


def test_undo_asks_and_gives_back_what_was_there() -> None:
    """u, then the second button: the machine is as it was before the run."""
    host = debian_host()
    before = host.snapshot()

    async def play(driver: Driver) -> None:
        await applied(driver)
        await driver.until(lambda: driver.wizard.survey is not None and driver.wizard.survey.runs)
        await driver.press("u")
        assert "Undo gives back" in driver.text
        await driver.press("down", "enter")
        await driver.until(lambda: driver.wizard.step == "Apply" and not driver.wizard.running.is_applying)
        await driver.until(lambda: "was undone" in driver.text)

    drive(desk_for(host), play, size=(100, 40))
    assert host.snapshot() == before
    assert host.list_directory(RUNS)


def test_going_on_with_an_interrupted_run_keeps_what_was_typed() -> None:
    """Its answers are the draft: the risk that was accepted, the peers that were chosen, the port."""
    host = debian_host()

    async def play(driver: Driver) -> None:
        await driver.opened()
        driver.wizard.draft.put("node", "udp_port", 26041)
        await applied(driver)

    answers = drive(desk_for(host), play).draft.answers
    wanted = host.snapshot()
    (run,) = host.list_directory(RUNS)
    path = f"{RUNS}/{run}/journal.jsonl"
    lines = (host.read(path) or b"").splitlines(keepends=True)
    host.put(path, b"".join(line for line in lines if b'"end"' not in line), mode=0o600)
    host.remove(ANSWERS)

    async def go_on(driver: Driver) -> None:
        await driver.opened()
        driver.wizard.page.query_one("#resume").focus()
        await driver.press("enter")
        await driver.until(lambda: driver.wizard.running.view is not None)
        await driver.until(lambda: not driver.wizard.running.is_applying)
        assert driver.wizard.running.code is ExitCode.OK

    assert drive(desk_for(host), go_on).draft.answers == answers
    assert host.snapshot() == wanted


def test_an_interrupted_run_is_offered_on_the_first_page() -> None:
    """After a crash the wizard opens at Welcome, names the run, and undo gives back what was there."""
    host = debian_host()
    before = host.snapshot()
    with_journal = desk_for(host)

    async def play(driver: Driver) -> None:
        await applied(driver)

    drive(with_journal, play)
    (run,) = host.list_directory(RUNS)
    path = f"{RUNS}/{run}/journal.jsonl"
    lines = (host.read(path) or b"").splitlines(keepends=True)
    host.put(path, b"".join(line for line in lines if b'"end"' not in line), mode=0o600)

    async def mend(driver: Driver) -> None:
        await driver.opened()
        assert f"Run {run} was interrupted" in driver.text
        assert "Go on with that run" in driver.text
        driver.wizard.page.query_one("#undo").focus()
        await driver.press("enter")
        await driver.until(
            lambda: driver.wizard.running.view is not None and not driver.wizard.running.is_applying
        )

    drive(desk_for(host), mend)
    assert host.snapshot() == before
