"""What we render, read by the programs that will read it: smtpd, systemd, s-nail.

Each test needs its program and is skipped by name without it. Nothing is installed or started.
"""

from __future__ import annotations

import email.header
import email.utils
import os
import re
import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest

from dexsetup.errors import HostError
from dexsetup.facts import Account, FileFact
from dexsetup.host.files import PosixFiles
from dexsetup.render.filters import mail_display_name
from dexsetup.render.jinja import JinjaRenderer
from dexsetup.steps.boot import BootStep
from dexsetup.steps.mail import MailStep
from dexsetup.steps.router import RouterStep
from dexsetup.steps.userfiles import UserFilesStep
from machine import ROOT, find_program, needs, program
from step_inputs import ADDRESS, answers, config, debian, file_of, inputs, with_node

pytestmark = pytest.mark.system

UNITS = "/etc/systemd/system"
NAMES = (
    "Carol Smith",
    "Doe, Jo",
    "J. R. O'Neil #1 50 % $HOME `id`",
    'Jo "Q" \\ Doe',
    "Ünï, J. (X) [y]",
    "שלום\u200f \N{GRINNING FACE}",
    "日本 太郎",
    "ends)(",
    "",
)


@needs(program("smtpd"))
@pytest.mark.parametrize("relay", ["mesh", "any"])
def test_smtpd_accepts_its_configuration(relay: str, tmp_path: Path) -> None:
    """The installed opensmtpd reads it, also for an address whose spellings all coincide."""
    for seed in range(3):
        wanted = answers(node={"key": "new"}, mail={"relay": relay}, user=({"login": "carol"},))
        plan = MailStep().plan(inputs(wanted, with_node(config(seed))))
        path = tmp_path / "smtpd.conf"
        path.write_bytes(file_of(plan, "/etc/smtpd.conf").content or b"")
        answer = subprocess.run(
            [find_program("smtpd") or "", "-n", "-f", str(path)], check=False, capture_output=True, text=True
        )
        assert (answer.returncode, answer.stderr.strip()) == (0, "configuration OK")


@needs(program("smtpd"), program("nft"), ROOT)
@pytest.mark.parametrize(
    ("words", "good", "bad"),
    [
        (
            ("smtpd", "-n", "-f", "{}"),
            b'action "in" mbox\nmatch for local action "in"\n',
            b"accept from any for any relay\n",
        ),
        (("nft", "-c", "-f", "{}"), b"table inet dex_test {}\n", b"table inet dex_test { no such word }\n"),
    ],
    ids=["smtpd", "nft"],
)
def test_what_its_own_program_rejects_is_not_installed(
    words: tuple[str, ...], good: bytes, bad: bytes, tmp_path: Path
) -> None:
    """The file that was there stays, and the program's complaint is in the error."""
    checker = (find_program(words[0]) or "", *words[1:])
    files, path = PosixFiles(str(tmp_path)), "/config"
    files.write(path, good, mode=0o644, owner="0", group="0", validate=checker)
    with pytest.raises(HostError) as caught:
        files.write(path, bad, mode=0o644, owner="0", group="0", validate=checker)
    assert "syntax error" in caught.value.why
    assert files.read(path) == good
    assert files.check_content(good, checker) == ""
    assert "syntax error" in files.check_content(bad, checker)
    assert [item.name for item in tmp_path.iterdir()] == ["config"]


@pytest.fixture
def unit_root(tmp_path: Path) -> Path:
    """Return a root with our units, their programs, and a mail server's unit of the distribution's kind."""
    for name in (
        *("opt/dexsetup/bin/dexrouter", "opt/dexsetup/bin/dexctl", "opt/dexsetup/bin/dex-mailqueue"),
        *("usr/bin/install", "usr/bin/kill", "usr/sbin/nft"),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    directory = tmp_path / "etc/systemd/system"
    directory.mkdir(parents=True)
    wanted = inputs(answers(node={}, mail={}), debian())
    router, boot = RouterStep().plan(wanted), BootStep().plan(wanted)
    for unit in ("dexrouter.service", "cjdns-wait-online.service"):
        (directory / unit).write_bytes(file_of(router, f"{UNITS}/{unit}").content or b"")
    queue = file_of(MailStep().plan(wanted), f"{UNITS}/dexsetup-mailqueue.service")
    (directory / "dexsetup-mailqueue.service").write_bytes(queue.content or b"")
    (directory / "dexsetup-guard.service").write_bytes(
        JinjaRenderer().render("units/dexsetup-guard.service.j2")
    )
    drop_in = directory / "opensmtpd.service.d/10-dexsetup.conf"
    drop_in.parent.mkdir()
    drop_in.write_bytes(file_of(boot, f"{UNITS}/opensmtpd.service.d/10-dexsetup.conf").content or b"")
    (directory / "opensmtpd.service").write_text(
        "[Service]\nType=forking\nExecStart=/opt/dexsetup/bin/dexctl\n[Install]\nWantedBy=multi-user.target\n"
    )
    for target in ("sysinit", "basic", "shutdown", "network", "multi-user"):
        (directory / f"{target}.target").write_text("[Unit]\n")
    return tmp_path


@needs(program("systemd-analyze"), ROOT)
@pytest.mark.parametrize(
    "unit",
    [
        *("dexrouter.service", "cjdns-wait-online.service", "opensmtpd.service", "dexsetup-guard.service"),
        "dexsetup-mailqueue.service",
    ],
)
def test_systemd_finds_nothing_to_say_about_a_unit(unit: str, unit_root: Path) -> None:
    """Not even a warning, which would go by unnoticed in the status alone."""
    answer = subprocess.run(
        ["systemd-analyze", "verify", f"--root={unit_root}", "--man=no", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    ours = [line for line in answer.stderr.splitlines() if "dexsetup" in line or unit in line]
    assert ours == []


@needs(program("systemd-analyze"))
def test_the_routers_sandbox_is_rated_as_tight(unit_root: Path) -> None:
    """Systemd's own score: up to 3.0 of 10 is what it calls OK; a router must keep its network."""
    unit = unit_root / "etc/systemd/system/dexrouter.service"
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    score = re.search(r"Overall exposure level for dexrouter.service: ([\d.]+)", answer.stdout)
    assert score is not None, answer.stderr
    assert float(score[1]) <= 3.0


@pytest.fixture
def mail_home(tmp_path: Path) -> Path:
    """Return a home with a program in it that keeps the letter it is given, in place of a server."""
    keeper = tmp_path / "keeper"
    keeper.write_text(f"#!/bin/sh\nexec cat > {tmp_path}/letter\n")
    keeper.chmod(0o755)
    return tmp_path


def letter_of(home: Path, *options: str) -> bytes:
    """Let s-nail write a letter with the settings of this home."""
    keeper = ("-S", f"mta={home}/keeper")
    settings = {"HOME": str(home), "MAILRC": str(home / ".mailrc"), "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [find_program("s-nail") or "", *options, *keeper, "-s", "hello", "bob@[IPv6:fc00::1]"],
        input=b"hi\n",
        check=True,
        capture_output=True,
        env={**settings, "PATH": os.environ["PATH"]},
    )
    return (home / "letter").read_bytes()


@needs(program("s-nail"))
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_s_nail_shows_the_name_and_the_address(name: str, mail_home: Path) -> None:
    """The header that leaves can be read by others, whatever the name."""
    carol = {"login": "carol", "real_name": name}
    plan = UserFilesStep().plan(inputs(answers(user=(carol,)), with_node()))
    (mail_home / ".mailrc").write_bytes(file_of(plan, "/home/carol/.mailrc").content or b"")
    header = str(message_from_bytes(letter_of(mail_home, "-:", "u"))["From"]).replace("\n", "")
    shown, _, address = header.rpartition("<")  # newer versions of parseaddr refuse address literals
    assert address.rstrip(">") == f"carol@[IPv6:{ADDRESS}]"
    decoded = str(email.header.make_header(email.header.decode_header(email.utils.unquote(shown.strip()))))
    assert decoded == mail_display_name(name).strip('"')


@needs(program("s-nail"))
def test_s_nail_keeps_other_mail_apart(mail_home: Path) -> None:
    """With -A mesh the mesh address, without it the address that was there before."""
    carol = Account("carol", 1000, 1000, "carol", "/home/carol", "")
    theirs = FileFact(b"set v15-compat from=c@example.org\n", 0o600, "carol", "carol")
    facts = with_node(accounts=(carol,), files={"/home/carol/.mailrc": theirs})
    plan = UserFilesStep().plan(inputs(answers(user=({"login": "carol"},)), facts))
    (mail_home / ".mailrc").write_bytes(file_of(plan, "/home/carol/.mailrc").content or b"")
    assert b"From: c@example.org" in letter_of(mail_home, "-:", "u")
    assert f"From: carol@[IPv6:{ADDRESS}]".encode() in letter_of(mail_home, "-:", "u", "-A", "mesh")
