"""`./dex bench`: what passes between two neighbours before and during floods from a third place.

    floods.py [--rate N] [--seconds N] [--kind KIND...]

One TCP stream runs from one router of ours to the next one, which a place beside it floods at a fixed rate.
The kinds of flood are those of tests/support/flooder.py. Sender, flooder and both routers share this
machine's processors, so some of what is lost goes to making the flood: the last column says how much
processor time the flooded router used in each second of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from flooder import KINDS
from machine import NAMESPACES, ROOT, TUN, program
from neighbourhood import wait_until
from router_mesh import RouterMesh, line

_PATIENCE = 40.0


def main() -> int:
    """Measure and print; gives the exit status."""
    parser = argparse.ArgumentParser(description="Measure routers under floods.")
    parser.add_argument("--rate", type=int, default=2000, metavar="N", help="packets a second (default 2000)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="of each flood (default 5)")
    parser.add_argument(
        "--kind", nargs="+", choices=KINDS, default=KINDS, help="kinds of flood (default all)"
    )
    options = parser.parse_args()
    lacking = [need.what for need in (ROOT, TUN, NAMESPACES, program("iperf3")) if not need.is_met()]
    if lacking:
        sys.stderr.write(f"floods: this machine lacks {', '.join(lacking)}\n")
        return 3
    sys.stdout.write(f"floods of {options.rate} packets a second, one TCP stream between two neighbours\n")
    sys.stdout.write(
        f"{'flood':>12} {'sent/s':>7} {'before':>7} {'during':>7} Mbit/s {'MiB':>6} {'cpu s/s':>8}\n"
    )
    with (
        tempfile.TemporaryDirectory() as directory,
        tempfile.TemporaryFile("w") as log,
        RouterMesh(Path(directory), ["ours"] * 3, line(3)) as mesh,
    ):
        mesh.start(0)
        mesh.start(1)
        wait_until(lambda: mesh.reaches(0, 1), what="the first ping", seconds=_PATIENCE)
        mesh.places[1].start("iperf3", "-s", log=log)
        for kind in options.kind:
            sys.stdout.write(_row(mesh, kind, options.rate, options.seconds) + "\n")
            sys.stdout.flush()
    return 0


def _row(mesh: RouterMesh, kind: str, rate: int, seconds: int) -> str:
    before = _throughput(mesh, seconds)
    flood = mesh.flood(1, kind, rate=rate, seconds=seconds + 2)
    wait_until(lambda: "flooding" in mesh.said_by_flooder(kind), what="the flood", seconds=_PATIENCE)
    begun, used = time.monotonic(), mesh.cpu_seconds(1)
    during = _throughput(mesh, seconds)
    cpu = (mesh.cpu_seconds(1) - used) / (time.monotonic() - begun)
    memory = mesh.memory_mib(1)
    flood.wait(timeout=_PATIENCE)
    report = json.loads(mesh.said_by_flooder(kind).splitlines()[-1])
    sent = report["sent"] / report["seconds"]
    return f"{kind:>12} {sent:7.0f} {before:7.0f} {during:7.0f}        {memory:6.1f} {cpu:8.2f}"


def _throughput(mesh: RouterMesh, seconds: int) -> float:
    """Mbit/s of one TCP stream from the first router's host to the second one's."""
    command = ("iperf3", "-6", "-J", "-c", mesh.address(1), "-t", str(seconds))
    deadline = time.monotonic() + _PATIENCE
    while True:
        # On a busy machine attempts fail; some of them end with status 0 and an error in the report.
        report = json.loads(mesh.places[0].run(*command, allowed=(0, 1)))
        if "error" not in report:
            return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6
        if time.monotonic() > deadline:
            raise TimeoutError(report["error"])
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
