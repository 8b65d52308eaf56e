"""Services without systemd: unit files are read, and real processes run under the supervisor."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dexsetup.errors import HostError
from dexsetup.host import direct
from dexsetup.host.direct import Direct, specification, split_command
from dexsetup.host.files import PosixFiles
from dexsetup.host.unitfile import UnitFile, load_unit

UNITS = "etc/systemd/system"


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with unit files; state and logs go below it as well."""
    (tmp_path / UNITS).mkdir(parents=True)
    monkeypatch.setattr(direct, "_STATES", tmp_path / "states")
    monkeypatch.setattr(direct, "_LOGS", tmp_path / "logs")
    return tmp_path


def unit(image: Path, name: str, text: str) -> Direct:
    (image / UNITS / name).parent.mkdir(parents=True, exist_ok=True)
    (image / UNITS / name).write_text(text)
    return Direct(PosixFiles(str(image)))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_simple_service_runs_is_seen_and_ends(image: Path) -> None:
    """Started, it is active with its log; stopped, its process is gone."""
    services = unit(
        image, "a.service", "[Service]\nExecStart=/bin/sh -c 'echo hello; echo $$$$; exec sleep 600'\n"
    )
    assert services.state("a.service").exists
    services.start("a.service")
    try:
        assert services.state("a.service").active
        wait_until(lambda: len((image / "logs/a.service.log").read_text().split()) == 2)
        word, pid = (image / "logs/a.service.log").read_text().split()
        assert word == "hello"
        services.start("a.service")  # a second start is none
    finally:
        services.stop("a.service")
    assert not services.state("a.service").active
    assert not Path(f"/proc/{pid}").exists()


def test_a_forking_daemon_is_followed_without_a_pid_file(image: Path) -> None:
    """The parent of a daemon ends at once; its child is watched, and ended on stop."""
    script = "/bin/sh -c 'sleep 600 & echo $! ; exit 0'"
    services = unit(image, "d.service", f"[Service]\nType=forking\nExecStart={script}\n")
    services.start("d.service")
    try:
        assert services.state("d.service").active
        pid = (image / "logs/d.service.log").read_text().strip()
    finally:
        services.stop("d.service")
    assert not Path(f"/proc/{pid}").exists()


def test_a_service_that_fails_says_why(image: Path) -> None:
    """A failing start raises with the program's last line; the state says failed."""
    services = unit(
        image,
        "f.service",
        "[Service]\nType=forking\nExecStart=/bin/sh -c 'echo bind: no such address; exit 3'\n",
    )
    with pytest.raises(HostError) as caught:
        services.start("f.service")
    assert caught.value.why == "/bin/sh ended with status 3\nbind: no such address"
    assert not services.state("f.service").active


def test_a_service_that_dies_is_started_again(image: Path) -> None:
    """Restart=on-failure brings it back after RestartSec."""
    services = unit(
        image,
        "r.service",
        "[Service]\nExecStart=/bin/sh -c 'echo up; sleep 0.3; false'\nRestart=on-failure\nRestartSec=9ms\n",
    )
    services.start("r.service")
    try:
        wait_until(lambda: (image / "logs/r.service.log").read_text().count("up") >= 2)
    finally:
        services.stop("r.service")


def test_reload_runs_the_unit_s_commands_and_the_process_stays(image: Path) -> None:
    """ExecReload= sees the number of the main process; a unit without one is restarted."""
    script = 'trap "echo told" HUP; echo up; while :; do sleep 0.05; done'
    told = "ExecReload=/bin/sh -c 'echo %t > FILE'\nExecReload=kill -HUP $MAINPID\n".replace(
        "FILE", str(image / "runtime")
    )
    text = f"[Service]\nExecStart=/bin/sh -c '{script}'\n"
    log = image / "logs/h.service.log"
    services = unit(image, "h.service", text + told)
    services.start("h.service")
    try:
        wait_until(lambda: log.read_text() == "up\n")
        services.reload("h.service")
        wait_until(lambda: log.read_text() == "up\ntold\n")
        assert (image / "runtime").read_text() == "/run\n"
        unit(image, "h.service", text)
        services.reload("h.service")
        wait_until(lambda: log.read_text() == "up\ntold\nup\n")
    finally:
        services.stop("h.service")


def test_a_reload_that_fails_says_why(image: Path) -> None:
    """The service goes on as it was."""
    told = "ExecReload=/bin/sh -c 'echo no such file; exit 1'\n"
    services = unit(image, "q.service", f"[Service]\nExecStart=/bin/sleep 600\n{told}")
    services.start("q.service")
    try:
        with pytest.raises(HostError) as caught:
            services.reload("q.service")
        assert caught.value.why == "no such file"
        assert services.state("q.service").active
    finally:
        services.stop("q.service")


def test_a_service_that_notifies_is_active_when_it_says_so(image: Path) -> None:
    """Type=notify: start returns after READY=1, not before."""
    program = image / "ready.py"
    program.write_text(
        "import os, socket, time\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "time.sleep(0.3)\n"
        "open(os.environ['MARK'], 'w').close()\n"
        "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
        "time.sleep(600)\n"
    )
    import sys  # noqa: PLC0415 - only this test runs an interpreter

    mark = image / "mark"
    services = unit(
        image,
        "n.service",
        f"[Service]\nType=notify\nEnvironment=MARK={mark}\nExecStart={sys.executable} -IS {program}\n",
    )
    services.start("n.service")
    try:
        assert mark.exists()
    finally:
        services.stop("n.service")


def test_what_a_unit_wants_is_started_before_it(image: Path) -> None:
    """Wants= and Requires= are started first; what is only wanted may fail, what is required may not."""
    order = image / "order"
    unit(
        image,
        "first.service",
        f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo 1 >> {order}'\n",
    )
    unit(image, "broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    services = unit(
        image,
        "b.service",
        f"[Unit]\nRequires=first.service\nWants=broken.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        f"ExecStart=/bin/sh -c 'echo 2 >> {order}'\n",
    )
    services.start("b.service")
    assert order.read_text() == "1\n2\n"
    assert services.state("b.service").active
    unit(image, "c.service", "[Unit]\nRequires=broken.service\n[Service]\nExecStart=/bin/true\n")
    with pytest.raises(HostError, match=r"broken\.service failed"):
        services.start("c.service")


def test_an_alias_is_the_unit_it_points_to(image: Path) -> None:
    """Starting cjdns.service, an alias, starts the unit behind it, once."""
    services = unit(image, "a.service", "[Service]\nExecStart=/bin/sleep 600\n")
    (image / UNITS / "alias.service").symlink_to("a.service")
    services.start("alias.service")
    try:
        assert services.state("a.service").active
        assert services.state("alias.service").active
    finally:
        services.stop("alias.service")


def test_standard_input_environment_and_drop_ins_reach_the_service(image: Path) -> None:
    """StandardInput=file:, EnvironmentFile= and a drop-in's Environment= are what the program sees."""
    (image / "input").write_text("from a file\n")
    (image / "env").write_text("# comment\nA='one two'\n")
    services = unit(
        image,
        "e.service",
        f"[Service]\nStandardInput=file:{image}/input\nEnvironmentFile=/env\nExecStart=/bin/false\n",
    )
    drop_in = image / UNITS / "e.service.d/10-more.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(
        "[Service]\nEnvironment=B=three\nExecStart=\nExecStart=/bin/sh -c 'cat; echo $A $B; sleep 600'\n"
    )
    services.start("e.service")
    try:
        wait_until(lambda: "three" in (image / "logs/e.service.log").read_text())
    finally:
        services.stop("e.service")
    assert (image / "logs/e.service.log").read_text() == "from a file\none two three\n"


def test_rights_are_given_up_through_setpriv(image: Path) -> None:
    """User= and AmbientCapabilities= become the command that leaves root behind and keeps what is allowed."""
    (image / "etc/passwd").write_text("router:x:990:991::/:/sbin/nologin\n")
    definition = UnitFile("x.service", "")
    definition.add_text(
        "[Service]\nExecStart=/bin/x\nUser=router\nAmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW\n"
    )
    spec = specification(definition, PosixFiles(str(image)))
    assert (spec["uid"], spec["gid"]) == (990, 991)
    assert spec["wrapper"] == [
        "setpriv",
        "--reuid=990",
        "--regid=991",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=+net_admin,+net_raw",
        "--ambient-caps=+net_admin,+net_raw",
        "--",
    ]


def test_notify_socket_is_the_services_alone(image: Path) -> None:
    """Nobody else on the machine can tell the supervisor that a service is ready."""
    services = unit(
        image,
        "n.service",
        "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep 600\nRestart=no\n",
    )
    with pytest.raises(HostError):
        services.start("n.service")
    socket = image / "states/n.service.notify"
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600  # noqa: PTH116 - a socket


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-+ip -6 route", ("-+", ["ip", "-6", "route"])),
        ("/bin/sh -c 'echo %n %% $$A'", ("", ["/bin/sh", "-c", "echo x.service % $A"])),
        ('"/opt/a b" "c d"', ("", ["/opt/a b", "c d"])),
    ],
)
def test_command_lines_are_read_as_systemd_does(line: str, expected: tuple[str, list[str]]) -> None:
    """Prefixes, quotes, specifiers and doubled signs."""
    assert split_command(line, "x.service") == expected


def test_unit_files_and_drop_ins_are_put_together_in_order() -> None:
    """/etc comes before /usr/lib; drop-ins by name; an empty assignment empties; lines may go on."""
    files = {
        "/usr/lib/systemd/system/x.service": b"[Service]\nExecStart=/vendor\n",
        "/etc/systemd/system/x.service": b"[Unit]\n# no\nWants=a \\\n  b\n[Service]\nExecStart=/one\n",
        "/usr/lib/systemd/system/x.service.d/20.conf": b"[Service]\nExecStart=\nExecStart=/two\n",
        "/etc/systemd/system/x.service.d/10.conf": b"[Unit]\nWants=c\n",
    }

    def listing(path: str) -> list[str]:
        return [name.rpartition("/")[2] for name in files if name.rpartition("/")[0] == path]

    loaded = load_unit("x.service", files.get, listing)
    assert loaded is not None
    assert loaded.path == "/etc/systemd/system/x.service"
    assert loaded.words("Unit", "Wants") == ("a", "b", "c")
    assert loaded.all("Service", "ExecStart") == ("/two",)
    assert load_unit("y.service", files.get, listing) is None
