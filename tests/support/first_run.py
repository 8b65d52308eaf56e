"""A first run as a new user types it, in a real terminal, as root in a home behind NAT; and a second one.

tests/system/test_first_run.py walks through it and asserts, tools/first_run.py writes it down. The peer is a
real router on the street, reached through the gateway; its credentials are pasted, as somebody sent them.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dexrouter.config import RouterConfig, genconf, load_config
from dexrouter.crypto.keys import key_pair_from_private, public_key_text
from neighbourhood import Home, Place, wait_until
from terminal import Terminal
from two_homes import ANN, TwoHomes, program

__all__ = ["FirstRun", "Noted", "credentials"]

_PAGES = ("2/9 Identity", "3/9 Peers", "4/9 Firewall", "5/9 Mail", "6/9 Phone", "7/9 Review")
_SECOND_ADDRESS = "192.168.1.1"
_APPLY_SECONDS = 150.0
_ALONE = """
    getent passwd | while IFS=: read -r login _ uid _; do
        [ "$uid" -lt 1000 ] || [ "$uid" -ge 60000 ] || [ "$login" = "$1" ] || userdel --force "$login"
    done
"""
"""On a new machine there is one person; the machine that runs this may have others."""
_PROGRAMS_DEEP = 2
"""The window's shell starts nsenter, and that the wizard."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One thing that the person did, and what the screen showed then."""

    what: str
    keys: int
    """How many keys it took."""
    is_decision: bool
    """Whether something had to be decided; going on from a page whose proposal is taken is none."""
    screen: str


def credentials(config: RouterConfig, host: str, name: str) -> str:
    """Return what the operator of a node sends to somebody who is to call it."""
    (interface, *_) = config.udp_interfaces
    entry = config.authorized_passwords[0]
    value = {
        "login": entry.user,
        "password": entry.password,
        "publicKey": public_key_text(key_pair_from_private(config.private_key.reveal()).public),
        "peerName": name,
    }
    return json.dumps({f"{host}:{interface.bind.port}": value})[1:-1]


@dataclass(slots=True)
class FirstRun:
    """The street, a public node, Ann's home, and a terminal in it. Leaving takes everything down."""

    reference: str = ""
    """Path of a cjdroute that the public node runs, in place of ours."""
    record: str = ""
    """A command that is fed everything that the terminal shows."""
    noted: list[Noted] = field(default_factory=list)
    scenario: TwoHomes = field(init=False)
    terminal: Terminal = field(init=False)
    home: Home = field(init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _public: RouterConfig = field(init=False)

    def __enter__(self) -> Self:
        try:
            self.scenario = self._open.enter_context(TwoHomes())
            self._public = self.scenario.start_public_node(self.reference)
            self.home = self.scenario.add_home(ANN)
            self.home.run("sh", "-c", _ALONE, "sh", ANN.login)
            directory = self._open.enter_context(tempfile.TemporaryDirectory(prefix="dexsetup-tmux-"))
            self.terminal = Terminal(Path(directory))
            self._open.callback(self.terminal.close)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def public_credentials(self) -> str:
        """What the operator of the public node sent."""
        return credentials(self._public, "203.0.113.1", "public-node")

    # -- what happens around

    def start_second_node(self) -> str:
        """Start a router on the gateway, which nobody finds by itself; return its credentials."""
        gateway: Place = self.scenario.neighbourhood.gateways[ANN.home]
        directory = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="dexsetup-second-")))
        entropy = Path("/dev/urandom").open("rb")  # noqa: SIM115 - closed below
        with entropy:
            text = genconf(entropy.read, tun_device="second0", lan_peering=False)
        (directory / "cjdroute.conf").write_text(text)
        log = self._open.enter_context((directory / "log").open("w"))
        gateway.start(*program("dexrouter.cli.daemon"), "--config", f"{directory}/cjdroute.conf", log=log)
        config = load_config(text.encode())
        port = config.udp_interfaces[0].bind.port
        wait_until(
            lambda: f":{port} " in gateway.run("ss", "-lunH"), what="the second node listens", seconds=20
        )
        return credentials(config, _SECOND_ADDRESS, "second-node")

    def states(self) -> dict[str, str]:
        """Return the state of each peer of the home's router, by name."""
        return {value["name"]: value["state"] for value in self._look("peers", "list")}

    def runs(self) -> list[tuple[str, str]]:
        """Return name and result of each run of dexsetup in the home, oldest first."""
        return [(value["run"], value["result"]) for value in self._look("runs")]

    def _look(self, *words: str) -> list[dict[str, str]]:
        shown = self.home.run(*program("dexsetup.cli"), *words, "--json")
        return [json.loads(line) for line in shown.splitlines() if line.startswith("{")]

    def router(self) -> str:
        """Return the number of the home's router process."""
        return self.home.run("pgrep", "-u", "dexrouter").strip()

    def kill(self) -> None:
        """Kill the wizard in the terminal, without a chance to do anything about it."""
        self.terminal.signal("KILL", depth=_PROGRAMS_DEEP)

    @staticmethod
    def wait_for_end(processes: Sequence[int]) -> None:
        """Wait until the programs that were in the terminal are gone."""
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes),
            what="the wizard ends",
            seconds=_APPLY_SECONDS,
        )

    # -- what the person does

    def note(self, what: str, *, keys: int, is_decision: bool = False) -> None:
        """Write down a step."""
        self.noted.append(Noted(what, keys, is_decision, self.terminal.text))

    def press(self, *keys: str, what: str, until: Sequence[str], is_decision: bool = False) -> None:
        """Press keys and wait for what the screen shows then."""
        before = self.terminal.keys
        self.terminal.press(*keys)
        self.terminal.shows(*until)
        self.note(what, keys=self.terminal.keys - before, is_decision=is_decision)

    def open(self, *texts: str) -> None:
        """Start dexsetup in the home's terminal."""
        argv = self.home.command([*program("dexsetup.cli")])
        self.terminal.start(["env", "TERM=screen-256color", *argv], record=self.record)
        self.terminal.shows(*texts)
        self.note("sudo dexsetup", keys=0)

    def go_to_review(self) -> None:
        """Enter from page to page; on the page of peers, paste what was sent."""
        for page in _PAGES:
            self.press("Enter", what=f"Enter: on to {page}", until=(page, "Nothing has been written."))
            if page == "3/9 Peers":
                self.paste_peer(self.public_credentials, "public-node")
        self.terminal.shows("Risk mesh-mail")

    def paste_peer(self, text: str, name: str) -> None:
        """Open the sheet for peers, paste, take."""
        self.press("p", what="p: paste what a friend sent", until=("Peers: paste what was sent to you",))
        before = self.terminal.keys
        self.terminal.paste(text)
        self.terminal.shows('"publicKey"')
        self.terminal.press("C-n")
        self.terminal.shows(f"[x] {name}")
        self.note(f"the credentials of {name} pasted, ^N", keys=self.terminal.keys - before, is_decision=True)

    def begin_apply(self) -> None:
        """Read the risk, accept it, apply."""
        self.press("Enter", what="Enter: the risk gets the keyboard", until=(">[ ] understood",))
        self.press("Space", what="Space: read and understood", until=(">[x] understood",), is_decision=True)
        self.press("C-a", what="^A: apply", until=("8/9 Apply",), is_decision=True)

    def wait_for_home(self) -> None:
        """Wait for the end of the run, and open Home."""
        self.terminal.shows("To go back: dexsetup undo", seconds=_APPLY_SECONDS)
        self.note("the run has ended", keys=0)
        self.press("Enter", what="Enter: Home", until=("9/9 Home",))

    def send_letter(self) -> None:
        """Send the test letter from Home and read it in the mailbox."""
        self.press("m", what="m: a test letter", until=("The mail server took a letter",))
        self.scenario.wait_for_letter(ANN, "A letter from your own node")

    def add_peer(self, text: str, name: str) -> None:
        """Open dexsetup again, add a peer from Home, apply, and come back to Home."""
        self.open("9/9 Home", "public-node")
        self.press("a", what="a: add a peer", until=("3/9 Peers", "[=] public-node"))
        self.paste_peer(text, name)
        self.press("7", what="7: Review", until=("7/9 Review", "[ ] peers"))
        self.press("C-a", what="^A: apply", until=("8/9 Apply",), is_decision=True)
        self.wait_for_home()
        self.terminal.shows("public-node", name)
        self.terminal.until(lambda: self.terminal.text.count("ESTABLISHED") == len(("public-node", name)))
        self.note("both are connected", keys=0)

    def quit(self) -> int:
        """Leave; return the exit status."""
        self.terminal.press("C-q")
        return self.terminal.code()
