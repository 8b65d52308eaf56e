"""How soon a cut cable in a ring of six is got around, in mixes of ours and a real cjdroute.

    DEX_CJDROUTE=/path/to/cjdroute PYTHONPATH=router:tests/support python tests/bench/rings.py [--seconds N]

As root. For each mix: the six are started, all 30 ordered pairs have reached each other and are left alone
for eight seconds, then the cable between the first two is taken out and every pair pings twice a second.
Printed is when the last outage of a pair was over: for the two whose cable it was, and the longest of all
others; then who is still dead at the end. 0.0: no outage above 1.7 s.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from machine import NAMESPACES, ROOT, TUN, program
from router_mesh import RouterMesh, ring
from router_pair import REFERENCE

_PATIENCE: Final = 40.0
_REST: Final = 8.0
_EVERY: Final = 0.5
_OUTAGE: Final = _EVERY + 1.2
"""Silence between two replies that counts as an outage: a reply or two may be lost."""

_CUT: Final = (0, 1)
_REPLY: Final = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from", re.MULTILINE)

_MIXES: Final = {
    "ours alone": "oooooo",
    "one of theirs at the cut": "tooooo",
    "one of theirs beside it": "ootooo",
    "one of theirs opposite": "oootoo",
    "theirs at the cut and opposite": "tootoo",
    "theirs at both ends": "ttoooo",
    "every other": "ototot",
    "one of ours, at the cut": "ottttt",
    "one of ours, opposite": "tttott",
    "theirs alone": "tttttt",
}
_KINDS: Final = {"o": "ours", "t": "reference"}


def main() -> int:
    """Measure and print; gives the exit status."""
    parser = argparse.ArgumentParser(description="Cut a cable in rings of six.")
    parser.add_argument("--seconds", type=int, default=40, metavar="N", help="to watch each (default 40)")
    parser.add_argument("--mix", nargs="+", choices=_MIXES, default=list(_MIXES), help="default: all")
    options = parser.parse_args()
    wanted = {name: kinds for name, kinds in _MIXES.items() if name in options.mix}
    needs = [ROOT, TUN, NAMESPACES, program("ping")]
    if any("t" in kinds for kinds in wanted.values()):
        needs.append(REFERENCE)
    lacking = [need.what for need in needs if not need.is_met()]
    if lacking:
        sys.stderr.write(f"rings: this machine lacks {', '.join(lacking)}\n")
        return 3
    sys.stdout.write(f"{'mix':<31} {'at the cut':>10} {'all others':>10}  dead after {options.seconds} s\n")
    for name, kinds in wanted.items():
        sys.stdout.write(_row(name, kinds, options.seconds) + "\n")
        sys.stdout.flush()
    return 0


def _row(name: str, kinds: str, seconds: int) -> str:
    with (
        tempfile.TemporaryDirectory() as directory,
        RouterMesh(Path(directory), [_KINDS[kind] for kind in kinds], ring(len(kinds))) as mesh,
    ):
        mesh.start_all()
        mesh.wait_for_all(seconds=_PATIENCE)
        time.sleep(_REST)
        mesh.cut(_CUT)
        over = _watch(mesh, Path(directory), seconds)
    ends = {_CUT, _CUT[::-1]}
    dead = " ".join(f"{one}-{other}" for (one, other), when in over.items() if when is None)
    at_cut = _longest([over[pair] for pair in ends])
    others = _longest([when for pair, when in over.items() if pair not in ends])
    return f"{name:<31} {at_cut:>10} {others:>10}  {dead}"


def _watch(mesh: RouterMesh, directory: Path, seconds: int) -> dict[tuple[int, int], float | None]:
    """Ping among all for so long; gives when the last outage of each pair was over, None if it was not."""
    cut = time.time()
    pings = {}
    for one, other in mesh.pairs:
        with (directory / f"ping {one} {other}").open("w") as log:
            words = ("ping", "-n", "-D", "-i", str(_EVERY), "-w", str(seconds), mesh.address(other))
            pings[one, other] = mesh.places[one].start(*words, log=log)
    for ping in pings.values():
        ping.wait(timeout=seconds + _PATIENCE)
    end = cut + seconds
    over = {}
    for one, other in pings:
        replies = _REPLY.findall((directory / f"ping {one} {other}").read_text(encoding="utf-8"))
        over[one, other] = _outage_over([float(reply) for reply in replies], cut, end)
    return over


def _outage_over(replies: list[float], cut: float, end: float) -> float | None:
    before, over = cut, 0.0
    for reply in sorted(replies):
        if reply - before > _OUTAGE:
            over = reply - cut
        before = reply
    return over if end - before <= _OUTAGE + 1 else None


def _longest(times: list[float | None]) -> str:
    known = [when for when in times if when is not None]
    return f"{max(known):.1f}" if len(known) == len(times) else "-"


if __name__ == "__main__":
    sys.exit(main())
