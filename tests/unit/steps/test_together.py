"""All steps with the real engine, on a machine in memory and in a directory: the laws of the whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dexsetup.answers.model import Answers
from dexsetup.exitcodes import ExitCode
from dexsetup.facts import Facts
from dexsetup.host.base import UnitState
from dexsetup.host.fake import FakeHost
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.build import build_plan, plan_to_json, read_files
from dexsetup.plan.engine import Engine, Options, Outcome
from dexsetup.plan.events import Event, PlanMade
from dexsetup.plan.model import Plan
from dexsetup.plan.undo import undo_run
from dexsetup.render.jinja import JinjaRenderer
from dexsetup.report.redact import Redactor
from dexsetup.steps import all_steps
from dexsetup.steps.base import Draws, Inputs
from machine import ROOT, needs
from step_inputs import ADDRESS, DRAWN, OTHER_KEY, SECRET, SPARE_KEY, answers, debian, peer

EVERYTHING = answers(
    node={},
    peer=(peer(), peer(OTHER_KEY, "192.0.2.9:9")),
    firewall={"accept_risk": ("mesh-mail",)},
    mail={},
    user=({"login": "carol", "files": ("mailrc", "pinerc", "linphonerc")},),
)

PACKAGED = b"listen on localhost\n"


def planner(host: FakeHost | RootedHost, wanted: Answers, facts: Facts) -> Callable[[], Plan]:
    """Return what the engine calls to plan: it reads the machine each time."""
    steps = all_steps()

    def make_plan() -> Plan:
        seen = read_files(host, wanted, facts, steps)
        return build_plan(Inputs(wanted, seen, Draws(DRAWN, SECRET), JinjaRenderer()), steps)

    return make_plan


def run(
    host: FakeHost | RootedHost, wanted: Answers, facts: Facts, name: str = "20261122T140211Z-3f"
) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    risks = frozenset(wanted.firewall.accept_risk) if wanted.firewall else frozenset()
    engine = Engine(
        host, planner(host, wanted, facts), events.append, run=name, options=Options(accepted_risks=risks)
    )
    return engine.run(), events


def machine() -> FakeHost:
    host = FakeHost()
    host.sources["/var/cache/dexsetup/program/tree"] = {"bin/dexrouter": b"#!/usr/bin/python3\n"}
    host.put("/home/carol/.pinerc", b"# mine\nsort-key=date\n", mode=0o600, owner="carol")
    host.packages.brings["opensmtpd"] = {"/etc/smtpd.conf": PACKAGED}
    host.services.units["opensmtpd.service"] = UnitState(exists=True, enabled=False, active=False)
    host.add_system_user("carol", home="/home/carol", comment="")
    host.network.bound.add(ADDRESS)
    host.network.greetings[(ADDRESS, 25)] = f"220 [IPv6:{ADDRESS}] ESMTP OpenSMTPD"
    host.network.peers = (("192.0.2.1:2000", "ESTABLISHED"),)
    return host


def test_one_run_brings_all_of_it_about() -> None:
    host = machine()
    outcome, events = run(host, EVERYTHING, debian())
    assert outcome.code is ExitCode.OK, events
    assert host.services.state("dexrouter.service").active
    assert host.services.state("opensmtpd.service").active
    assert (host.read("/etc/mailname") or b"") == f"[IPv6:{ADDRESS}]\n".encode()
    assert b"192.0.2.1:2000" in (host.read("/etc/cjdroute.conf") or b"")
    assert host.nodes["/etc/cjdroute.conf"].mode == 0o600
    (plan,) = [event for event in events if isinstance(event, PlanMade)]
    names = [step.name for step in plan.steps]
    assert names[:4] == ["packages", "identity", "peers", "router"]
    assert set(names[4:]) == {"firewall", "boot", "mail", "userfiles", "verify"}


def test_the_router_is_started_once_with_all_its_peers() -> None:
    host = machine()
    run(host, EVERYTHING, debian())
    starts = [line for line in host.services.log if line.endswith(" dexrouter.service")]
    assert starts == ["enable dexrouter.service", "start dexrouter.service"]


def test_the_second_run_changes_nothing() -> None:
    host = machine()
    run(host, EVERYTHING, debian())
    before = dict(host.nodes)
    outcome, _ = run(host, EVERYTHING, debian(running_router="embedded"), "20261122T150000Z-00")
    assert outcome == Outcome(ExitCode.OK)
    assert host.nodes == before


def test_undo_gives_back_what_was_there() -> None:
    """Packages stay, and with them the configuration that one of them brought."""
    host = machine()
    before = host.snapshot()
    run(host, EVERYTHING, debian())
    assert host.read("/etc/smtpd.conf") != PACKAGED
    assert undo_run(host, None, lambda _: None, Redactor()) is ExitCode.OK
    assert host.read("/etc/smtpd.conf") == PACKAGED
    del host.nodes["/etc/smtpd.conf"]
    assert host.snapshot() == before


def test_adding_a_peer_later_changes_the_configuration_alone() -> None:
    """The rest of the machine is left as it is, and the router reads the new peer."""
    host = machine()
    run(host, EVERYTHING, debian())
    before = dict(host.nodes)
    host.services.log.clear()
    wanted = answers(peer=(peer(SPARE_KEY, "[2001:db8::5]:5"),))
    run(host, wanted, debian(running_router="embedded"), "20261122T150000Z-00")
    changed = {path for path, node in host.nodes.items() if before.get(path) != node}
    assert {path for path in changed if not path.startswith("/var/lib/dexsetup")} == {"/etc/cjdroute.conf"}
    assert [line for line in host.services.log if line != "reload"] == ["reload dexrouter.service"]


def test_a_friend_is_let_in_and_sent_away_while_the_router_runs() -> None:
    """One file changes and the router is told, twice; then the file has the bytes from before."""
    host = machine()
    run(host, EVERYTHING, debian())
    before = host.read("/etc/cjdroute.conf")
    host.services.log.clear()
    running = debian(running_router="embedded")
    friend = ({"login": "ann"},)
    outcome, _ = run(host, answers(allow=friend), running, "20261122T150000Z-00")
    assert outcome.code is ExitCode.OK
    with_ann = host.read("/etc/cjdroute.conf")
    assert with_ann != before
    again, _ = run(host, answers(allow=friend), running, "20261122T150100Z-00")
    assert again == Outcome(ExitCode.OK)
    assert host.read("/etc/cjdroute.conf") == with_ann
    run(host, answers(allow=({"login": "ann", "state": "absent"},)), running, "20261122T150200Z-00")
    assert host.read("/etc/cjdroute.conf") == before
    assert [line for line in host.services.log if line != "reload"] == ["reload dexrouter.service"] * 2


def test_another_port_needs_a_restart() -> None:
    """What the router cannot take while it runs restarts it, also together with a friend."""
    host = machine()
    run(host, EVERYTHING, debian())
    host.services.log.clear()
    wanted = answers(node={"udp_port": 4242}, allow=({"login": "ann"},))
    run(host, wanted, debian(running_router="embedded"), "20261122T150000Z-00")
    assert [line for line in host.services.log if line != "reload"] == ["restart dexrouter.service"]


def test_a_friend_and_a_peer_in_one_run_are_told_of_once() -> None:
    """The router is told when both are in its configuration."""
    host = machine()
    run(host, EVERYTHING, debian())
    host.services.log.clear()
    wanted = answers(peer=(peer(SPARE_KEY, "[2001:db8::5]:5"),), allow=({"login": "ann"},))
    run(host, wanted, debian(running_router="embedded"), "20261122T150000Z-00")
    assert [line for line in host.services.log if line != "reload"] == ["reload dexrouter.service"]


def test_an_unaccepted_risk_stops_the_run_before_any_change() -> None:
    host = machine()
    before = host.snapshot()
    outcome, _ = run(host, EVERYTHING.model_copy(update={"firewall": None}), debian())
    assert outcome.code is ExitCode.RISK
    assert host.snapshot() == before


def test_no_secret_is_in_what_is_shown_of_the_plan() -> None:
    """Neither the private key nor a peer's password, in JSON or in the diffs."""
    host = machine()
    plan = planner(host, EVERYTHING, debian())()
    shown = plan_to_json(plan, Redactor())
    events: list[Event] = []
    Engine(host, lambda: plan, events.append, run="x").dry_run()
    for line in DRAWN.decode().splitlines():
        if '"privateKey"' in line:
            key = line.split('"')[3]
            assert len(key) == 64
            assert key not in shown
            assert key not in repr(events)
    assert '"word"' not in repr(events)


@pytest.fixture
def image() -> Iterator[Path]:
    """Give a directory that stands for a machine; its people can get at their homes in it."""
    with tempfile.TemporaryDirectory(prefix="dexsetup-image-") as name:
        root = Path(name)
        root.chmod(0o755)
        for directory in ("etc", "var/lib", "home/carol", "lib/systemd/system", "source/bin"):
            (root / directory).mkdir(parents=True)
        (root / "etc/passwd").write_text(
            "root:x:0:0::/root:/bin/sh\ncarol:x:1000:1000::/home/carol:/bin/sh\n"
        )
        (root / "etc/group").write_text("root:x:0:\ncarol:x:1000:\n")
        (root / "lib/systemd/system/opensmtpd.service").write_text("[Install]\nWantedBy=multi-user.target\n")
        (root / "source/bin/dexrouter").write_text("#!/usr/bin/python3\n")
        yield root


@needs(ROOT)
def test_a_directory_that_stands_for_a_machine_gets_the_same_files(image: Path) -> None:
    """Rendered below a root: files, links of enabled units, no service touched; twice is once."""
    os.chown(image / "home/carol", 1000, 1000)
    host = RootedHost(str(image))
    facts = debian(program_tree=str(image / "source"))
    outcome, events = run(host, EVERYTHING, facts)
    assert outcome.code is ExitCode.OK, events
    assert (image / "etc/smtpd.conf").read_bytes().startswith(b"# smtpd.conf")
    assert (image / "home/carol/.mailrc").stat().st_uid == 1000
    assert (image / "etc/systemd/system/cjdns.service").is_symlink()
    again, _ = run(host, EVERYTHING, facts, "20261122T150000Z-00")
    assert again == Outcome(ExitCode.OK)
