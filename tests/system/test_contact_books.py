"""Contacts that dexsetup wrote, read by the programs that they are for, whatever the names are."""

from __future__ import annotations

import email.header
import email.utils
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path

import pytest

from dexsetup.render.filters import mail_display_name, sip_contact_name
from dexsetup.steps.userfiles import UserFilesStep
from machine import PRIVATE_NETWORK, ROOT, find_program, needs, program
from step_inputs import ADDRESS, answers, file_of, inputs, with_node

pytestmark = pytest.mark.system

NAMES = (
    "Jo Doe",
    "Doe, Jo",
    'Jo "Q" \\ Doe',
    "J. R. O'Neil #1 50 % $HOME `id`",
    "a [x] <y> (z); b:c@d",
    "שלום\u200f",
    "\N{GRINNING FACE}, Ünï",
    "日本 太郎",
    "=?utf-8?q?x?=",
)
CONTACTS = tuple(
    {"name": f"n{number}", "address": f"fc00::{number + 1:x}", "login": f"jo{number}", "real_name": name}
    for number, name in enumerate(NAMES)
)
_SECONDS = 20.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with what dexsetup wrote for these contacts."""
    carol = {"login": "carol", "files": ("mailrc", "pinerc", "linphonerc", "baresip")}
    plan = UserFilesStep().plan(inputs(answers(user=(carol,), contact=CONTACTS), with_node()))
    for name in (
        *(".mailrc", ".pinerc", ".addressbook", ".linphonerc"),
        *(f".baresip/{file}" for file in ("config", "accounts", "contacts")),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file_of(plan, f"/home/carol/{name}").content or b"")
    (tmp_path / ".local/share/linphone").mkdir(parents=True)
    return tmp_path


@contextmanager
def at_home(home: Path, *argv: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a phone in a network that has the mesh address alone; what it prints goes to a file."""
    said = home / "said"
    network = f'ip link set lo up && ip addr add {ADDRESS}/8 dev lo && exec "$@"'
    settings = {"HOME": str(home), "LOGNAME": "root", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    with (
        said.open("w") as out,
        subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", network, "sh", *argv],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=settings,
            text=True,
        ) as process,
    ):
        try:
            yield process, said
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], said: Path, prompt: str, command: str, answer: str) -> str:
    """Wait for the prompt, type the command, wait for the end of the answer; return all that was said."""
    assert process.stdin is not None
    wait_for(said, prompt)
    process.stdin.write(f"{command}\n")
    process.stdin.flush()
    wait_for(said, answer)
    return said.read_text()


def wait_for(said: Path, words: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while words not in said.read_text():
        assert time.monotonic() < deadline, f"{words!r} is not in:\n{said.read_text()}"
        time.sleep(0.05)


@needs(program("s-nail"))
@pytest.mark.parametrize("number", range(len(NAMES)), ids=lambda number: ascii(NAMES[number]))
def test_s_nail_writes_to_a_short_name(number: int, home: Path) -> None:
    """The address is the contact's; the name is what s-nail can show of it."""
    keeper = home / "keeper"
    keeper.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {home}/recipients\nexec cat > {home}/letter\n")
    keeper.chmod(0o755)
    settings = {"HOME": str(home), "MAILRC": str(home / ".mailrc"), "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [find_program("s-nail") or "", "-:", "u", "-S", f"mta={keeper}", "-s", "hello", f"n{number}"],
        input=b"hi\n",
        check=True,
        capture_output=True,
        env={**settings, "PATH": os.environ["PATH"]},
    )
    address = f"jo{number}@[IPv6:fc00::{number + 1:x}]"
    assert (home / "recipients").read_text().splitlines()[-1] == address
    header = str(message_from_bytes((home / "letter").read_bytes())["To"]).replace("\n", "")
    shown, _, place = header.rpartition("<")
    assert place.rstrip(">") == address
    decoded = str(email.header.make_header(email.header.decode_header(email.utils.unquote(shown.strip()))))
    assert decoded == mail_display_name(NAMES[number]).strip('"')


@needs(program("alpine"), program("tmux"))
def test_alpine_writes_to_a_short_name(home: Path) -> None:
    """It expands what is typed, and leaves the address book as it is."""
    before = (home / ".addressbook").read_bytes()
    (home / "mail").mkdir()
    tmux = ["tmux", "-f", "/dev/null", "-S", str(home / "window")]
    settings = {"HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}

    def window(*words: str) -> str:
        return subprocess.run(
            [*tmux, *words], check=True, capture_output=True, env=settings, text=True
        ).stdout

    def press(*keys: str, until: str) -> None:
        window("send-keys", *keys)
        deadline = time.monotonic() + _SECONDS
        while until not in (shown := window("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)

    window("-u", "new-session", "-d", "-x", "120", "-y", "40", "alpine")
    try:
        press(until="GREETING TEXT")
        press("e", until="MAIN MENU")
        press("c", until="COMPOSE MESSAGE")
        press("n1", "Enter", until='"Doe, Jo" <jo1@"[IPv6:fc00::2]">')
        press("n0", "Enter", until='Jo Doe <jo0@"[IPv6:fc00::1]">')
        press("C-c", until="Cancel message")
        press("c", until="MAIN MENU")
        press("a", until="ADDRESS BOOK")
        press(until="n7       日本 太郎")
    finally:
        window("kill-server")
    assert (home / ".addressbook").read_bytes() == before


@needs(ROOT, PRIVATE_NETWORK, program("linphonec"))
def test_linphone_lists_its_friends(home: Path) -> None:
    """All of them, with name and address."""
    with at_home(home, "linphonec", "-d", "0") as (process, said):
        shown = ask(process, said, "linphonec> ", "friend list", "address: sip:jo0@")
    found = re.findall(r"name: (.*)\naddress: (\S+)", shown)
    assert sorted(found) == sorted(
        (sip_contact_name(name).strip('"'), f"sip:jo{number}@[fc00::{number + 1:x}]")
        for number, name in enumerate(NAMES)
    )


@needs(ROOT, PRIVATE_NETWORK, program("baresip"))
def test_baresip_lists_its_contacts(home: Path) -> None:
    """All of them, with name and address; and it has the account."""
    with at_home(home, "baresip", "-f", str(home / ".baresip")) as (process, said):
        shown = ask(process, said, "baresip is ready", "/contacts", f"<sip:jo{len(NAMES) - 1}@")
    assert "Populated 1 account\n" in shown
    assert f"Populated {len(NAMES)} contacts" in shown
    for number, name in enumerate(NAMES):
        assert f" {sip_contact_name(name)[1:-1]} <sip:jo{number}@[fc00::{number + 1:x}]>" in shown
