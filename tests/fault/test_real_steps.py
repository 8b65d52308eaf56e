"""The laws of the engine with the real steps, on a directory with real files.

Crash at every mutation, then undo: equal bytes, modes and owners. The second run changes nothing. The same
answers, typed or loaded, give the same plan and the same files.

The directory stands for an image in the making, or for a machine that runs (live_image.py): there, firewall,
services, packages and routes take part as well. No step and no answer may be left out: see the first test.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from dexrouter.config import genconf
from dexsetup.answers.load import parse_answers
from dexsetup.answers.model import (
    Allow,
    Answers,
    Contact,
    Firewall,
    Irc,
    Mail,
    Node,
    Nodeinfo,
    Peer,
    Phone,
    Public,
    Tunnel,
    User,
)
from dexsetup.answers.save import save_answers
from dexsetup.commands.session import answers_step
from dexsetup.detect import detect
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host, UnitState
from dexsetup.host.fake import CrashingHost, SimulatedCrash
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.build import build_plan, plan_to_json, read_files
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Event, StepFailed
from dexsetup.plan.journal import read_run
from dexsetup.plan.model import Plan
from dexsetup.plan.undo import undo_run
from dexsetup.render.jinja import JinjaRenderer
from dexsetup.report.redact import Redactor
from dexsetup.secret import Secret
from dexsetup.steps import all_steps
from dexsetup.steps.base import Draws, Inputs
from live_image import LiveImage

RUN = "20261122T140211Z-3f"
PARTS = 3
"""All places of a crash take a minute on a busy machine: each part is a test with a time limit of its own."""
USER = 61000
OTHER_KEY = "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k"
KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"
DRAWS = Draws(genconf(random.Random(1).randbytes).encode(), b"s" * 32)
RENDERER = JinjaRenderer()
PUBLIC_ADDRESS = "2001:db8::5"
PROGRAMS: tuple[str, ...] = get_args(get_args(User.model_fields["files"].annotation)[0])
"""Every word for a program of people."""
JO = User(login="jo", real_name='Jo "J" Doe', files=PROGRAMS)  # type: ignore[arg-type]  # the very words
TYPED = Answers(
    schema=1,
    node=Node(udp_port=26041),
    peer=(Peer(public_key=KEY, address="192.0.2.1:26041", password=Secret("sesame-sesame"), name="n"),),
    allow=(Allow(login="Ann's box"), Allow(login="ben", password=Secret("sesame-of-ben"))),
    firewall=Firewall(guard=True, ssh=True),
    mail=Mail(),
    phone=Phone(),
    tunnel=(Tunnel(public_key=KEY, ip4="10.66.0.2/24"), Tunnel(public_key=OTHER_KEY)),
    nodeinfo=Nodeinfo(name="Jo"),
    irc=Irc(),
    user=(JO,),
    contact=(Contact(name="ann", address="fc12::7"), Contact(name="Ben", address="fc12::8", real_name="B C")),
)
AT_PUBLIC = Answers(
    schema=1,
    firewall=Firewall(),
    mail=Mail(),
    phone=Phone(),
    user=(JO,),
    public=Public(address=PUBLIC_ADDRESS),
)
"""Mail and calls at a public address, without a node."""
RISKS = frozenset({"mesh-mail", "mesh-ssh", "mesh-web", "public-mail", "public-calls"})
ADDRESSES = ("ip", "-6", "-o", "addr", "show", "scope", "global")
NETWORKS = "home/jo/.config/hexchat/servlist.conf"
SMTPD = b"[Service]\nType=forking\nExecStart=/usr/sbin/smtpd\n[Install]\nWantedBy=multi-user.target\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an image with owners needs root")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated crash cannot see what is on the disk: hundreds of runs need not wait for it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("dexsetup.host.trees._sync_file_system", lambda _: None)


@pytest.fixture
def _no_process_for_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the rights of a user on for the length of a call: ten thousand processes take minutes."""

    def call_as(
        uid: int, gid: int, work: Callable[[], bytes | None], what: str, *, file_gid: int | None
    ) -> bytes | None:
        del what, file_gid
        groups, mask = os.getgroups(), os.umask(0o077)
        os.setgroups([])
        os.setegid(gid)
        os.seteuid(uid)
        try:
            return work()
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)
            os.umask(mask)

    monkeypatch.setattr("dexsetup.host.files.call_as", call_as)


def build(place: Path) -> None:
    """Make a Debian with a user who has a .mailrc and HexChat, opensmtpd's unit, and nothing of ours."""
    unit = "usr/lib/systemd/system/opensmtpd.service"
    for directory in (
        "etc/systemd/system",
        "home/jo/.config/hexchat",
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
    (place / NETWORKS).write_bytes(b"v=2.16.1\n\nN=Another\nS=irc.example.net\n\n")
    for path in ("home/jo", "home/jo/.mailrc", "home/jo/.config", "home/jo/.config/hexchat", NETWORKS):
        os.chown(place / path, USER - 5000, USER)


def machine(place: Path) -> RootedHost:
    """An image in the making: nothing runs."""
    build(place)
    return RootedHost(str(place))


def running_machine(place: Path) -> LiveImage:
    """A machine that runs, with systemd, firewalld, a TUN device and a public address."""
    build(place)
    for directory in ("run/systemd/system", "dev/net"):
        (place / directory).mkdir(parents=True)
    (place / "dev/net/tun").touch()
    shown = f"2: eth0    inet6 {PUBLIC_ADDRESS}/64 scope global\n"
    host = LiveImage(str(place), {("id", "-u"): "0\n", ADDRESSES: shown})
    host.services.units["opensmtpd.service"] = UnitState(exists=True, enabled=True, active=True)
    return host


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
    options = Options(accepted_risks=RISKS, resume=resume)
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
    if isinstance(host, LiveImage):
        found["in memory"] = host.memory()
    return found


def undo(host: Host) -> ExitCode:
    return undo_run(host, None, lambda _: None, Redactor())


def test_every_step_and_every_answer_takes_part(tmp_path: Path, programs: Path) -> None:
    """A step that is new, or does nothing here, is missed: give it something to do in these answers."""
    assert (TYPED.model_fields_set | AT_PUBLIC.model_fields_set) == set(Answers.model_fields)
    working, looking = {"answers"}, set()
    for name, answers in (("mesh", TYPED), ("public", AT_PUBLIC)):
        host = running_machine(tmp_path / name)
        plan = planner(host, answers, programs)()
        assert run(host, answers, programs) is ExitCode.OK
        record = read_run(host, RUN)
        assert record is not None
        working |= {change.step for change in record.changes}
        looking |= {step.name for step in plan.steps if not step.resources and step.verifications}
    assert working | looking == {"answers", *(step.name for step in all_steps())}


@pytest.mark.parametrize(
    ("make", "answers"), [(machine, TYPED), (running_machine, TYPED), (running_machine, AT_PUBLIC)]
)
def test_second_run_changes_nothing_and_undo_gives_everything_back(
    tmp_path: Path, programs: Path, make: Callable[[Path], RootedHost], answers: Answers
) -> None:
    """A whole set-up; again: no mutation; undone: as before."""
    host = make(tmp_path / "image")
    before = snapshot(host)
    assert run(host, answers, programs) is ExitCode.OK
    after = snapshot(host)
    assert {"etc/smtpd.conf", "home/jo/.pinerc", "etc/dexsetup/answers.toml"} <= set(after)
    counting = CrashingHost(host)
    assert run(counting.as_host(), answers, programs, name="20261122T150000Z-00") is ExitCode.OK
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


@pytest.mark.parametrize(
    ("make", "answers", "places"),
    [
        *((running_machine, TYPED, slice(part, None, PARTS)) for part in range(PARTS)),
        (running_machine, AT_PUBLIC, slice(None)),
        (machine, TYPED, slice(2, None, 4)),
    ],
)
@pytest.mark.usefixtures("_no_process_for_each_file")
def test_crash_anywhere_then_undo(
    tmp_path: Path, programs: Path, make: Callable[[Path], RootedHost], answers: Answers, places: slice
) -> None:
    """Whatever mutation of a real set-up the crash hits, undo gives back equal bytes, modes and owners."""
    counting = CrashingHost(make(tmp_path / "count"))
    assert run(counting.as_host(), answers, programs) is ExitCode.OK
    for at in range(1, counting.mutations + 1)[places]:
        host = make(tmp_path / f"{at}")
        before = snapshot(host)
        crashing = CrashingHost(host, at=at, after=bool(at // 2 % 2))
        with pytest.raises(SimulatedCrash):
            run(crashing.as_host(), answers, programs)
        where = f"mutation {at}: {crashing.trace[-1]}"
        assert undo(host) is ExitCode.OK, where
        assert snapshot(host) == before, where


@pytest.mark.parametrize(
    ("answers", "places"),
    [(TYPED, slice(1, None, 5)), (AT_PUBLIC, slice(2, None, 5))],
)
@pytest.mark.usefixtures("_no_process_for_each_file")
def test_crash_then_resume_completes_the_run(
    tmp_path: Path, programs: Path, answers: Answers, places: slice
) -> None:
    """Going on after a crash gives what an undisturbed run gives."""
    whole = running_machine(tmp_path / "whole")
    counting = CrashingHost(whole)
    assert run(counting.as_host(), answers, programs) is ExitCode.OK
    wanted = snapshot(whole)
    for at in range(1, counting.mutations + 1)[places]:
        host = running_machine(tmp_path / f"{at}")
        crashing = CrashingHost(host, at=at)
        with pytest.raises(SimulatedCrash):
            run(crashing.as_host(), answers, programs)
        assert run(host, answers, programs, resume=True) is ExitCode.OK
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
