"""The demo: two homes and a public node exchange letters, told in plain words. Run by `./dex demo`, as root.

The same scenario is the test test_two_homes.py; both walk through support/two_homes.py.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from machine import NAMESPACES, OVERLAY, ROOT, TUN, program
from neighbourhood import PUBLIC_ADDRESS, CommandError, NeighbourhoodError
from two_homes import ANN, BEN, TwoHomes, differences

_START = time.monotonic()
_NEEDS = (ROOT, TUN, NAMESPACES, OVERLAY, program("nft"))


class BrokenPromiseError(Exception):
    """Something did not come out as dexsetup promises."""


def say(text: str) -> None:
    """Tell what happens now, with the seconds since the start."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", flush=True)  # noqa: T201 - a demo talks


def quote(text: str) -> None:
    """Show what a program printed."""
    for line in text.splitlines():
        print(f"           | {line}", flush=True)  # noqa: T201 - a demo talks


def show(scenario: TwoHomes) -> None:
    """Walk through the scenario."""
    say("A street with a public node. Its router starts from a configuration of its own making.")
    scenario.start_public_node()
    for person in (ANN, BEN):
        say(f"{person.home.capitalize()}, behind a gateway with NAT. {person.real_name} lives here.")
        home = scenario.add_home(person)
        reach = "reaches" if home.succeeds("ping", "-c", "1", "-W", "2", PUBLIC_ADDRESS) else "cannot reach"
        say(f"It {reach} the public node at {PUBLIC_ADDRESS}. Nobody can call it from outside.")
    if scenario.packages is not None:
        say("Home b gets its mail programs beforehand. In home a, dexsetup will install them.")
        scenario.install_mail_programs(BEN)
    before = scenario.fingerprint(BEN)
    for person in (ANN, BEN):
        say(f"{person.home.capitalize()}: dexsetup --answers answers.toml")
        scenario.set_up(person)
        say(f"{person.real_name}'s address is now {scenario.mail_address(person)}")
    say("Home a pings home b, over the mesh and through the public node.")
    say(f"It answered after {scenario.ping(ANN, BEN):.1f} s.")
    exchange_letters(scenario)
    say("Home a: the same command again. It must change nothing.")
    files = scenario.fingerprint(ANN)
    scenario.set_up(ANN)
    expect_equal(files, scenario.fingerprint(ANN), "Not a byte has changed.")
    say("Home b: dexsetup undo")
    scenario.undo(BEN)
    expect_equal(before, scenario.fingerprint(BEN), "Everything is as it was before.")


def expect_equal(before: str, after: str, conclusion: str) -> None:
    """Draw the conclusion if the two fingerprints are equal; otherwise show what differs and fail."""
    found = differences(before, after)
    if found:
        raise BrokenPromiseError("\n".join(["This differs, and must not:", *found]))
    say(conclusion)


def exchange_letters(scenario: TwoHomes) -> None:
    """Send a letter from Ann to Ben and an answer back, and print both mailboxes."""
    say(f"Ann writes to Ben with s-nail: {scenario.mail_address(BEN)}")
    scenario.write_letter(ANN, BEN, subject="Hello over the mesh", text="Dear Ben,\ncan you read this?\nAnn")
    say(f"Delivered after {scenario.wait_for_letter(BEN, 'can you read this?'):.1f} s. Ben's mailbox:")
    quote(scenario.mailbox(BEN))
    say("Ben answers with s-nail's reply command.")
    scenario.answer_letter(BEN, text="Dear Ann,\nevery word.\nBen")
    say(f"Delivered after {scenario.wait_for_letter(ANN, 'every word.'):.1f} s. Ann's mailbox:")
    quote(scenario.mailbox(ANN))


def _interrupted(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> int:
    """Run the demo; gives its exit status.

    0 shown; 3 this machine cannot; 4 a part failed; 130 interrupted.
    """
    lacking = [need.what for need in _NEEDS if not need.is_met()]
    if lacking:
        say(f"This machine lacks: {', '.join(lacking)}.")
        return 3
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    packages = Path(os.environ.get("DEX_STATE", "/nonexistent")) / "packages"
    status = 0
    try:
        with TwoHomes(tell=quote, packages=packages if packages.is_dir() else None) as scenario:
            try:
                show(scenario)
            finally:
                say("Taking everything down.")
    except KeyboardInterrupt:
        say("Interrupted.")
        status = 130
    except (BrokenPromiseError, CommandError, NeighbourhoodError, TimeoutError, ChildProcessError) as error:
        say("This failed:")
        quote(str(error))
        status = 4
    say("Nothing is left: no process, no namespace, no mount, no change to this machine.")
    return status


if __name__ == "__main__":
    sys.exit(main())
