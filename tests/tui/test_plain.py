"""The linear wizard: the same questions as numbered lines, and the same answers as the screens give."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dexsetup.answers.load import load_answers
from dexsetup.exitcodes import ExitCode
from dexsetup.host.fake import FakeServices
from dexsetup.neighbours import Neighbour
from dexsetup.plan.places import ANSWERS
from dexsetup.ui.plain import PlainWizard
from person import Person
from step_inputs import OTHER_KEY, SPARE_KEY
from tui_rig import Driver, debian_host, desk_for, drive, fake_prober

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
    assert asked[:4] == ["node.key", "node.backend", "node.udp_port", "node.device"]
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


NEIGHBOUR = Neighbour("192.168.1.5:26041", OTHER_KEY, 21, password=b"\xff" * 20)
BY_FRAMES = Neighbour("02:00:00:00:00:0a", SPARE_KEY, 21, "eth0")


class Lan:
    """A local network on which one neighbour speaks up at once, and others when a test says so."""

    def __init__(self, *early: Neighbour, late: tuple[Neighbour, ...] = ()) -> None:
        self._early, self._late = early, late
        self._report: Callable[[Neighbour], None] | None = None
        self.is_heard = threading.Event()
        self.is_over = threading.Event()

    def listen(
        self, report: Callable[[Neighbour], None], is_stopped: Callable[[], bool], *, own_address: str
    ) -> tuple[str, ...]:
        """Be the ear of a desk."""
        assert own_address
        self._report = report
        for one in self._early:
            report(one)
        self.is_heard.set()
        while not is_stopped():
            self.is_over.wait(0.01)
        self.is_over.set()
        return ()

    def speak_up(self) -> None:
        """Let the late ones be heard."""
        assert self._report is not None
        for one in self._late:
            self._report(one)

    def probe(self, *arguments: object, **more: object) -> object:
        """Ask peers as the rig does, when the early ones have been heard."""
        assert self.is_heard.wait(10)
        return fake_prober(*arguments, **more)  # type: ignore[arg-type]  # handed on as it came


def test_neighbours_on_the_local_network_are_named_among_the_peers() -> None:
    """With address, answer and place, and the sentence of the screens above the question about them."""
    lan, out, person = Lan(NEIGHBOUR, BY_FRAMES), io.StringIO(), Person()
    desk = desk_for(debian_host(), ear=lan.listen, prober=lan.probe)
    assert PlainWizard(desk, out, person, secret=person).run() is ExitCode.OK
    shown = out.getvalue()
    assert f"{OTHER_KEY[:8]} v21  192.168.1.5:26041  no answer  local network\n" in shown
    assert f"{SPARE_KEY[:8]} v21  02:00:00:00:00:0a  heard  local network, eth0\n" in shown
    words = "2 found on the local network. Each is called by itself, if you answer yes:\n"
    assert words in shown
    assert shown.index(words) < shown.index("Shall it find neighbours on the local network by itself?")
    prompts = [prompt.split(" [")[0] for prompt in person.prompts]
    assert prompts.index("node.lan_peering") == prompts.index("peers") - 1
    assert lan.is_over.is_set()


def test_a_neighbour_that_speaks_up_later_is_named_before_the_next_prompt() -> None:
    """Nothing is printed while somebody types; until then the sentence says how long it may take."""
    lan, out = Lan(late=(NEIGHBOUR,)), io.StringIO()

    class Waiting(Person):
        def __call__(self, prompt: str) -> str:
            if prompt.startswith("node.lan_peering"):
                assert OTHER_KEY[:8] not in out.getvalue()
                lan.speak_up()
            return super().__call__(prompt)

    desk = desk_for(debian_host(), ear=lan.listen, prober=lan.probe)
    PlainWizard(desk, out, Waiting(), secret=Person()).run(("peer", "review"))
    assert "nobody yet. A neighbour speaks up every 33 seconds." in out.getvalue()
    assert out.getvalue().count(f"{OTHER_KEY[:8]} v21") == 1


def test_a_local_network_that_cannot_be_heard_is_said_in_lines_as_well() -> None:
    """In the kernel's words."""

    def deaf(*_: object, **__: object) -> tuple[str, ...]:
        return ("UDP: Address already in use",)

    out = io.StringIO()

    def probe(*arguments: object, **more: object) -> object:
        for thread in threading.enumerate():
            if thread.name == "listen":
                thread.join(10)
        return fake_prober(*arguments, **more)  # type: ignore[arg-type]  # handed on as it came

    desk = desk_for(debian_host(), ear=deaf, prober=probe)
    PlainWizard(desk, out, Person(), secret=Person()).run(("peer", "review"))
    assert "The local network cannot be heard. UDP: Address already in use" in out.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_applies_undoes_what_was_done(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the change that is under way; it used to leave the machine half set up, and to deny it."""
    start = FakeServices.start

    def interrupted(services: FakeServices, unit: str) -> None:
        os.kill(os.getpid(), number)
        start(services, unit)

    monkeypatch.setattr(FakeServices, "start", interrupted)
    host, out = debian_host(), io.StringIO()
    before = host.snapshot()
    person = Person(("Understood", "yes"), ("apply, diff", "apply"))
    assert PlainWizard(desk_for(host), out, person, secret=person).run() is ExitCode.INTERRUPTED
    assert "Stopping after the change that is under way" in out.getvalue()
    assert "Stopped, as asked. Everything was undone." in out.getvalue()
    assert host.snapshot() == before


def test_a_home_of_nobody_is_said_and_asked_again() -> None:
    """For a file of peers, and for a place to save to."""
    out = io.StringIO()
    person = Person(("peers", "~no-such-user/peers"), ("apply, diff", "save ~no-such-user/x"))
    assert PlainWizard(desk_for(debian_host()), out, person, secret=person).run() is ExitCode.OK
    assert "Not taken: ~no-such-user/peers: Could not determine home directory." in out.getvalue()
    assert "~no-such-user/x: cannot be written: Could not determine home directory." in out.getvalue()


@pytest.mark.parametrize(("login", "logins"), [("jo.doe", ["jo.doe"]), ("JoDoe", [])])
def test_it_opens_whatever_accounts_there_are(login: str, logins: list[str]) -> None:
    """One whose name no address could carry is not proposed; it used to end the wizard."""
    passwd = f"root:x:0:0::/root:/bin/sh\n{login}:x:1000:1000:Jo:/home/{login}:/bin/sh\n"
    host = debian_host(files={"/etc/passwd": passwd.encode()})
    wizard = PlainWizard(desk_for(host), io.StringIO(), Person(), secret=Person())
    assert wizard.run() is ExitCode.OK
    assert [user.login for user in wizard.draft.answers.user] == logins
