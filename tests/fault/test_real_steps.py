"""The laws of the engine with the real steps, on a directory with real files.

Crash at every mutation, then undo: equal bytes, modes and owners. The second run changes nothing. The same
answers, typed or loaded, give the same plan and the same files.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dexrouter.config import genconf
from dexsetup.answers.load import parse_answers
from dexsetup.answers.model import (
    Allow,
    Answers,
    Firewall,
    Irc,
    Mail,
    Node,
    Nodeinfo,
    Peer,
    Phone,
    Tunnel,
    User,
)
from dexsetup.answers.save import save_answers
from dexsetup.commands.session import answers_step
from dexsetup.detect import detect
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host
from dexsetup.host.fake import CrashingHost, SimulatedCrash
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.build import build_plan, plan_to_json, read_files
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Event, StepFailed
from dexsetup.plan.model import Plan
from dexsetup.plan.undo import undo_run
from dexsetup.render.jinja import JinjaRenderer
from dexsetup.report.redact import Redactor
from dexsetup.secret import Secret
from dexsetup.steps import all_steps
from dexsetup.steps.base import Draws, Inputs

RUN = "20261122T140211Z-3f"
PARTS = 6
"""All places of a crash take a minute on a busy machine: each part is a test with a time limit of its own."""
USER = 61000
OTHER_KEY = "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k"
KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"
DRAWS = Draws(genconf(random.Random(1).randbytes).encode(), b"s" * 32)
RENDERER = JinjaRenderer()
TYPED = Answers(
    schema=1,
    node=Node(udp_port=26041),
    peer=(Peer(public_key=KEY, address="192.0.2.1:26041", password=Secret("sesame-sesame"), name="n"),),
    allow=(Allow(login="Ann's box"), Allow(login="ben", password=Secret("sesame-of-ben"))),
    firewall=Firewall(accept_risk=("mesh-mail", "mesh-web")),
    mail=Mail(),
    phone=Phone(),
    tunnel=(Tunnel(public_key=KEY, ip4="10.66.0.2/24"), Tunnel(public_key=OTHER_KEY)),
    nodeinfo=Nodeinfo(name="Jo"),
    irc=Irc(),
    user=(User(login="jo", real_name='Jo "J" Doe', files=("mailrc", "pinerc", "linphonerc")),),
)
SMTPD = b"[Service]\nType=forking\nExecStart=/usr/sbin/smtpd\n[Install]\nWantedBy=multi-user.target\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an image with owners needs root")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated crash cannot see what is on the disk: hundreds of runs need not wait for it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("dexsetup.host.trees._sync_file_system", lambda _: None)


def machine(place: Path) -> RootedHost:
    """A Debian image with a user who has a .mailrc, opensmtpd's unit, and nothing of ours."""
    unit = "usr/lib/systemd/system/opensmtpd.service"
    for directory in (
        "etc/systemd/system",
        "home/jo",
        "opt",
        "run",
        "usr/local/bin",
        "var/lib",
        Path(unit).parent,
    ):
        (place / directory).mkdir(parents=True)
    (place / unit).write_bytes(SMTPD)
    (place / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    (place / "etc/passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\njo:x:{USER - 5000}:{USER}::/home/jo:/bin/sh\n"
    )
    (place / "etc/group").write_text(f"root:x:0:\njo:x:{USER}:\n")
    (place / "home/jo/.mailrc").write_bytes(b"set ask # mine, and no newline")
    (place / "home/jo/.mailrc").chmod(0o640)
    for path in ("home/jo", "home/jo/.mailrc"):
        os.chown(place / path, USER - 5000, USER)
    return RootedHost(str(place))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small stand-in for the tree of programs: what is in it does not matter here."""
    tree = tmp_path_factory.mktemp("programs")
    (tree / "bin").mkdir()
    for name in ("dexrouter", "dexctl", "dexsetup"):
        (tree / "bin" / name).write_text("#!/bin/sh\n")
        (tree / "bin" / name).chmod(0o755)
    return tree


def planner(host: Host, answers: Answers, programs: Path) -> Callable[[], Plan]:
    """Plan as the command does: facts, files, steps, and the answers at the end."""
    steps = all_steps()
    facts = detect(host, program_tree=str(programs))

    def make() -> Plan:
        inputs = Inputs(answers, read_files(host, answers, facts, steps), DRAWS, RENDERER)
        plan = build_plan(inputs, steps)
        return Plan((*plan.steps, answers_step(answers, host)), plan.address)

    return make


def run(host: Host, answers: Answers, programs: Path, *, name: str = RUN, resume: bool = False) -> ExitCode:
    options = Options(accepted_risks=frozenset({"mesh-mail", "mesh-web"}), resume=resume)
    make_plan = planner(host, answers, programs)
    return Engine(host, make_plan, lambda _: None, run=name, options=options).run().code


def snapshot(host: RootedHost) -> dict[str, object]:
    """Return bytes, modes, owners and links of everything; dexsetup's own records left out."""
    root = Path(host.root)
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith("var/lib/dexsetup"):
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        target = str(path.readlink()) if path.is_symlink() else ""
        found[name] = (oct(status.st_mode), status.st_uid, status.st_gid, content, target)
    return found


def undo(host: Host) -> ExitCode:
    return undo_run(host, None, lambda _: None, Redactor())


def test_second_run_changes_nothing_and_undo_gives_everything_back(tmp_path: Path, programs: Path) -> None:
    """A whole set-up of an image; again: no mutation; undone: as before."""
    host = machine(tmp_path / "image")
    before = snapshot(host)
    assert run(host, TYPED, programs) is ExitCode.OK
    after = snapshot(host)
    assert {"etc/cjdroute.conf", "etc/smtpd.conf", "home/jo/.pinerc", "etc/dexsetup/answers.toml"} <= set(
        after
    )
    counting = CrashingHost(host)
    assert run(counting.as_host(), TYPED, programs, name="20261122T150000Z-00") is ExitCode.OK
    assert counting.trace == []
    assert undo(host) is ExitCode.OK
    assert snapshot(host) == before


def _a_link(home: Path) -> None:
    (home / ".pinerc").symlink_to("/etc/shadow")


def _anothers_file(home: Path) -> None:
    os.chown(home / ".mailrc", 0, 0)


def _a_directory(home: Path) -> None:
    (home / ".pinerc").mkdir()


def _a_home_that_is_a_link(home: Path) -> None:
    home.rename(home.with_name("elsewhere"))
    home.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            _a_link,
            ".pinerc is left alone: .pinerc is a symbolic link (to /etc/shadow), and it is not followed.",
        ),
        (_anothers_file, "/home/jo/.mailrc is left alone: it belongs to root, not to jo."),
        (_a_directory, "/home/jo/.pinerc is not a plain file"),
        (_a_home_that_is_a_link, "jo is a symbolic link (to elsewhere), and it is not followed."),
    ],
)
def test_odd_things_in_homes_are_refused_with_the_reason(
    tmp_path: Path, programs: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    """And nothing at all is changed: a home is hostile ground for a program that root runs."""
    host = machine(tmp_path / "image")
    spoil(Path(host.root, "home/jo"))
    before = snapshot(host)
    heard: list[Event] = []
    options = Options(accepted_risks=frozenset({"mesh-mail"}))
    outcome = Engine(host, planner(host, TYPED, programs), heard.append, run=RUN, options=options).run()
    assert outcome.code is ExitCode.MACHINE
    failed = [event.what for event in heard if isinstance(event, StepFailed)]
    assert any(reason in what for what in failed), failed
    assert snapshot(host) == before


def test_switching_off_removes_what_we_put_there_and_nothing_else(tmp_path: Path, programs: Path) -> None:
    """Enable = false takes mail away again; the node and the user's own lines stay."""
    host = machine(tmp_path / "image")
    assert run(host, TYPED, programs) is ExitCode.OK
    off = Answers(schema=1, mail=Mail(enable=False))
    assert run(host, off, programs, name="20261122T150000Z-00") is ExitCode.OK
    names = set(snapshot(host))
    assert (
        not {"etc/smtpd.conf", "etc/mailname", "etc/systemd/system/opensmtpd.service.d/10-dexsetup.conf"}
        & names
    )
    assert {"etc/cjdroute.conf", "opt/dexsetup/bin/dexrouter", "home/jo/.mailrc"} <= names


@pytest.mark.parametrize("part", range(PARTS))
def test_crash_anywhere_then_undo(tmp_path: Path, programs: Path, part: int) -> None:
    """Whatever mutation of a real set-up the crash hits, undo gives back equal bytes, modes and owners."""
    counting = CrashingHost(machine(tmp_path / "count"))
    assert run(counting.as_host(), TYPED, programs) is ExitCode.OK
    for at in range(1 + part, counting.mutations + 1, PARTS):
        host = machine(tmp_path / f"{at}")
        before = snapshot(host)
        crashing = CrashingHost(host, at=at, after=bool(at % 2))
        with pytest.raises(SimulatedCrash):
            run(crashing.as_host(), TYPED, programs)
        where = f"mutation {at}: {crashing.trace[-1]}"
        assert undo(host) is ExitCode.OK, where
        assert snapshot(host) == before, where


def test_crash_then_resume_completes_the_run(tmp_path: Path, programs: Path) -> None:
    """Going on after a crash gives what an undisturbed run gives."""
    whole = machine(tmp_path / "whole")
    counting = CrashingHost(whole)
    assert run(counting.as_host(), TYPED, programs) is ExitCode.OK
    wanted = snapshot(whole)
    for at in range(2, counting.mutations + 1, 11):
        host = machine(tmp_path / f"{at}")
        crashing = CrashingHost(host, at=at)
        with pytest.raises(SimulatedCrash):
            run(crashing.as_host(), TYPED, programs)
        assert run(host, TYPED, programs, resume=True) is ExitCode.OK
        assert snapshot(host) == wanted, f"mutation {at}: {crashing.trace[-1]}"


def test_typed_and_loaded_answers_give_the_same_plan_and_files(tmp_path: Path, programs: Path) -> None:
    """The keystone: answers made in memory and the same answers read from their file are one."""
    loaded = parse_answers(save_answers(TYPED), "saved").answers
    typed_host, loaded_host = machine(tmp_path / "typed"), machine(tmp_path / "loaded")
    redactor = Redactor()
    typed_plan = plan_to_json(planner(typed_host, TYPED, programs)(), redactor)
    loaded_plan = plan_to_json(planner(loaded_host, loaded, programs)(), redactor)
    assert typed_plan == loaded_plan
    assert "sesame" not in typed_plan
    run(typed_host, TYPED, programs)
    run(loaded_host, loaded, programs)
    assert snapshot(typed_host) == snapshot(loaded_host)
