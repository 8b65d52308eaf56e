"""No half-states: a crash before or after every mutation, then undo, gives back what was there.

The same is shown on a machine in memory and on a directory with real files, for going on instead of undoing,
for a crash in the middle of undo itself or of a line of the journal, and for a disk that is full.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dexsetup.errors import HostError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host, UnitState, temporary_name
from dexsetup.host.fake import CrashingHost, FakeHost, SimulatedCrash
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.model import (
    BlackholeRoute,
    Directory,
    FileSharing,
    FirewallOpening,
    FirewallRule,
    Link,
    LoadedZone,
    ManagedFile,
    PackageSet,
    Plan,
    StepPlan,
    SystemUser,
    Tree,
    Unit,
)
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor

RUN = "20261122T140211Z-3f"
MAILRC = b"set mine # without a last newline"
UNIT = "/etc/systemd/system/thing.service"
ZONE = "/etc/firewalld/zones/mesh.xml"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated crash cannot see what is on the disk: hundreds of runs need not wait for it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("dexsetup.host.trees._sync_file_system", lambda _: None)


def plan(source: str) -> Plan:
    """One of each resource, over files that are there, files that are not, and a file of a user."""
    thing = StepPlan(
        "thing",
        "Set up the thing",
        (
            SystemUser("thing", "/var/lib/thing", "the thing"),
            Directory("/etc/thing", 0o750),
            Directory("/etc/old", 0o700),
            ManagedFile("/etc/thing/deeper/conf", b"listen = yes\n", 0o640),
            ManagedFile("/etc/old/conf", b"ours\n", 0o644, template="conf 1"),
            ManagedFile("/etc/old/rights", b"same\n", 0o600),
            Link("/etc/thing/current", "/opt/thing"),
            Tree("/opt/thing", source),
            Tree("/opt/other", source),
            ManagedFile(UNIT, b"[Service]\nExecStart=/opt/run\n[Install]\nWantedBy=multi-user.target\n"),
            BlackholeRoute("fc00::/8", 500, "Nothing leaves."),
            Unit("thing.service", restart_on=(UNIT, "/etc/old/conf")),
            FirewallOpening(26041, "udp"),
            ManagedFile(ZONE, b'<zone><interface name="mesh0"/><service name="smtp"/></zone>'),
            LoadedZone("mesh", "mesh0", ("smtp",), files=(ZONE,)),
            FirewallRule("rule drop", "drop all", except_zone="mesh"),
        ),
    )
    user = StepPlan(
        "userfiles",
        "Set up jo's programs",
        (
            ManagedFile(
                "/home/jo/.mailrc",
                MAILRC + b"\nset ours\n",
                0o600,
                owner="jo",
                group="jo",
                sharing=FileSharing.SHARED,
                based_on=MAILRC,
                as_user="jo",
            ),
            ManagedFile("/home/jo/.config/a/b", b"x", owner="jo", group="jo", as_user="jo"),
        ),
        needs=("thing",),
    )
    return Plan((StepPlan("packages", "Install", (PackageSet(()),)), thing, user), None)


def shared_again(first: Plan) -> Plan:
    """The plan as it is made when the shared file has been edited already."""
    steps = []
    for step in first.steps:
        resources = tuple(
            replace(item, based_on=item.content)
            if isinstance(item, ManagedFile) and item.sharing is FileSharing.SHARED
            else item
            for item in step.resources
        )
        steps.append(replace(step, resources=resources))
    return Plan(tuple(steps), None)


def planner(host: Host, source: str) -> Callable[[], Plan]:
    """Plan as the real planner does: from the shared file as it is now."""

    def make() -> Plan:
        first = plan(source)
        return first if host.read("/home/jo/.mailrc", as_user="jo") == MAILRC else shared_again(first)

    return make


def in_memory(_: Path) -> tuple[Host, str]:
    host = FakeHost()
    host.users.add("jo")
    host.put("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\njo:x:1000:1000:Jo:/home/jo:/bin/sh\n")
    host.put("/etc/old/conf", b"theirs\n", mode=0o600, owner="jo")
    host.put("/etc/old/rights", b"same\n", mode=0o644, owner="jo")
    host.put("/home/jo/.mailrc", MAILRC, mode=0o640, owner="jo")
    host.put(UNIT, b"[Service]\nExecStart=/old\n")
    host.put("/opt/other/old", b"old program")
    host.services.units["thing.service"] = UnitState(True, True, True)
    host.sources["/checkout"] = {"run": b"#!/bin/sh\n", "lib/thing.py": b"pass\n"}
    return host, "/checkout"


def in_directory(tmp_path: Path) -> tuple[Host, str]:
    """Make a small image with a user, and a checkout beside it."""
    if os.geteuid() != 0:
        pytest.skip("an image with owners needs root")
    root, source = tmp_path / "root", tmp_path / "checkout"
    for directory in ("etc/old", "etc/systemd/system", "home/jo", "opt/other", "var/lib", "run"):
        (root / directory).mkdir(parents=True)
    (source / "lib").mkdir(parents=True)
    (source / "run").write_bytes(b"#!/bin/sh\n")
    (source / "run").chmod(0o755)
    (source / "lib/thing.py").write_bytes(b"pass\n")
    (root / "etc/passwd").write_bytes(b"root:x:0:0::/root:/bin/sh\njo:x:61000:61000::/home/jo:/bin/sh\n")
    (root / "etc/group").write_bytes(b"root:x:0:\njo:x:61000:\n")
    (root / "etc/old/conf").write_bytes(b"theirs\n")
    (root / "etc/old/conf").chmod(0o600)
    (root / "etc/old/rights").write_bytes(b"same\n")
    os.chown(root / "etc/old/rights", 61000, 61000)
    (root / "home/jo/.mailrc").write_bytes(MAILRC)
    (root / "home/jo/.mailrc").chmod(0o640)
    (root / UNIT[1:]).write_bytes(b"[Service]\nExecStart=/old\n")
    (root / "opt/other/old").write_bytes(b"old program")
    for path in ("home/jo", "home/jo/.mailrc"):
        os.chown(root / path, 61000, 61000)
    return RootedHost(str(root)), str(source)


def snapshot(host: Host) -> object:
    """Return everything that may be compared: bytes, modes, owners, links; dexsetup's records left out."""
    if isinstance(host, FakeHost):
        return host.snapshot()
    assert isinstance(host, RootedHost)
    found = {}
    root = Path(host.root)
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


def engine(host: Host, source: str, *, resume: bool = False) -> Engine:
    options = Options(resume=resume)
    return Engine(host, planner(host, source), lambda _: None, run=RUN, options=options)


Machine = Callable[[Path], tuple[Host, str]]
BOTH_SIDES = (False, True)
STEPS = {in_memory: 1, in_directory: 4}
"""On real files, where each run takes a third of a second, every fourth place of the rarer paths."""
MACHINES = pytest.mark.parametrize("machine", [in_memory, in_directory])


def mutations_of_a_run(machine: Machine, place: Path) -> int:
    host, source = machine(place)
    counting = CrashingHost(host)
    assert engine(counting.as_host(), source).run().code is ExitCode.OK
    return counting.mutations


def mutations_of_an_undo(machine: Machine, directory: Path) -> int:
    """Count the mutations that undoing a whole run takes."""
    host, source = machine(directory)
    engine(host, source).run()
    counting = CrashingHost(host)
    undo(counting.as_host())
    return counting.mutations


def crash(host: Host, source: str, *, at: int, after: bool) -> str:
    crashing = CrashingHost(host, at=at, after=after)
    with pytest.raises(SimulatedCrash):
        engine(crashing.as_host(), source).run()
    return f"crash {'after' if after else 'before'} mutation {at}: {crashing.trace[-1]}"


@MACHINES
def test_second_run_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    """The second run makes no mutation at all."""
    host, source = machine(tmp_path)
    engine(host, source).run()
    counting = CrashingHost(host)
    again = Engine(counting.as_host(), planner(host, source), lambda _: None, run="20261122T150000Z-00").run()
    assert again.code is ExitCode.OK
    assert counting.trace == []


@MACHINES
def test_crash_anywhere_then_undo(machine: Machine, tmp_path: Path) -> None:
    """Whatever mutation the crash hits, undo gives back equal bytes, modes and owners."""
    for at in range(1, mutations_of_a_run(machine, tmp_path / "count") + 1):
        for after in BOTH_SIDES if machine is in_memory else (bool(at % 2),):
            host, source = machine(tmp_path / f"{at}-{after}")
            before = snapshot(host)
            where = crash(host, source, at=at, after=after)
            assert undo(host) is ExitCode.OK, where
            assert snapshot(host) == before, where


@MACHINES
def test_crash_anywhere_then_resume_then_undo(machine: Machine, tmp_path: Path) -> None:
    """Going on after the crash gives what an undisturbed run gives, and can be undone as a whole."""
    place = tmp_path / "count"
    count = mutations_of_a_run(machine, place)
    whole, source = machine(tmp_path / "whole")
    engine(whole, source).run()
    wanted = snapshot(whole)
    for at in range(1, count + 1, STEPS[machine]):
        host, source = machine(tmp_path / f"{at}")
        before = snapshot(host)
        where = crash(host, source, at=at, after=bool(at % 2))
        outcome = engine(host, source, resume=True).run()
        assert outcome.code is ExitCode.OK, where
        assert snapshot(host) == wanted, where
        assert undo(host) is ExitCode.OK, where
        assert snapshot(host) == before, where


@MACHINES
def test_crash_anywhere_in_undo_then_undo_again(machine: Machine, tmp_path: Path) -> None:
    """A crash in the middle of undo is mended by undoing again."""
    for at in range(1, mutations_of_an_undo(machine, tmp_path / "count") + 1, STEPS[machine]):
        host, source = machine(tmp_path / f"{at}")
        before = snapshot(host)
        engine(host, source).run()
        crashing = CrashingHost(host, at=at, after=bool(at % 2))
        with pytest.raises(SimulatedCrash):
            undo(crashing.as_host())
        undo(host)
        assert snapshot(host) == before, f"crash at mutation {at} of undo: {crashing.trace[-1]}"


class FullDisk(CrashingHost):
    """Any host on whose disk nothing more can be written from its n-th mutation on."""

    _TAKES_ROOM = frozenset(
        {"append", "write", "make_directory", "make_link", "copy_tree", "add_system_user"}
    )

    def __init__(self, host: Host, *, at: int) -> None:
        super().__init__(host)
        self._full_at = at

    def guard(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Let one mutation fail as the kernel does: of what is appended, a part is written."""
        counted = super().guard(call, name)

        def mutate(*args: Any, **kwargs: Any) -> Any:
            if self.mutations + 1 < self._full_at or name not in self._TAKES_ROOM:
                return counted(*args, **kwargs)
            self.mutations += 1
            if name == "append":
                path, content = args
                call(path, content[: len(content) // 2])
            raise HostError(f"{name} {args[0]} failed: No space left on device")

        return mutate


@MACHINES
def test_a_disk_that_is_full_from_anywhere_on_is_no_half_state(machine: Machine, tmp_path: Path) -> None:
    """The run ends in words and takes back what it can; with room, undo takes back the rest."""
    for at in range(1, mutations_of_a_run(machine, tmp_path / "count") + 1, STEPS[machine]):
        host, source = machine(tmp_path / f"{at}")
        before = snapshot(host)
        code = engine(FullDisk(host, at=at).as_host(), source).run().code
        assert code in {ExitCode.UNDONE, ExitCode.REMAINS}, at
        if code is ExitCode.UNDONE:
            assert snapshot(host) == before, at
        assert undo(host) is ExitCode.OK, at
        assert snapshot(host) == before, at


@MACHINES
def test_undo_on_a_full_disk_says_what_remains_and_can_be_done_again(
    machine: Machine, tmp_path: Path
) -> None:
    """Also when not even the journal can be written."""
    for at in range(1, mutations_of_an_undo(machine, tmp_path / "count") + 1, STEPS[machine]):
        host, source = machine(tmp_path / f"{at}")
        before = snapshot(host)
        engine(host, source).run()
        assert undo(FullDisk(host, at=at).as_host()) is ExitCode.REMAINS, at
        undo(host)
        assert snapshot(host) == before, at


class TornLine(CrashingHost):
    """Any host that crashes in the middle of what its n-th mutation appends."""

    def guard(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Write half of it."""
        if name != "append":
            return super().guard(call, name)

        def append(path: str, content: bytes) -> None:
            self.mutations += 1
            if self.mutations == self._at:
                call(path, content[: len(content) // 2])
                raise SimulatedCrash(path)
            call(path, content)

        return append


def test_a_line_of_the_journal_that_was_cut_short_hides_no_other(tmp_path: Path) -> None:
    """Going on after it, every change is written down where undo finds it."""
    cut = 0
    for at in range(1, mutations_of_a_run(in_memory, tmp_path) + 1):
        host, source = in_memory(tmp_path)
        before = snapshot(host)
        try:
            engine(TornLine(host, at=at).as_host(), source).run()
        except SimulatedCrash:
            cut += 1
        engine(host, source, resume=True).run()
        assert undo(host) is ExitCode.OK, at
        assert snapshot(host) == before, at
    assert cut > 10


@MACHINES
def test_what_a_crash_inside_of_a_mutation_leaves_beside_its_target_goes_with_undo(
    machine: Machine, tmp_path: Path
) -> None:
    """A power cut knows no borders: half a tree, a new file and a new link that were not yet renamed."""
    host, source = machine(tmp_path)
    before = snapshot(host)
    crash(host, source, at=mutations_of_a_run(machine, tmp_path / "count"), after=False)
    trees = [temporary_name(path) for path in ("/opt/thing", "/opt/other")]
    for tree in trees:
        host.make_directory(tree, mode=0o755, owner="root", group="root")
    for path in (*(f"{tree}/run" for tree in trees), temporary_name("/etc/thing/deeper/conf")):
        host.write(path, b"half", mode=0o644, owner="root", group="root")
    host.make_link(temporary_name("/etc/thing/current"), "/opt/thing")
    assert undo(host) is ExitCode.OK
    assert snapshot(host) == before
