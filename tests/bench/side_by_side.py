"""`./dex bench`: routers side by side, in turn and in one run, as a table with ratios and a chart.

    side_by_side.py [--rounds N] [--seconds N] [--svg FILE]

`CJDROUTE` names a cjdroute to compare with; yggdrasil is measured where it is installed. Each figure is the
median of the rounds. All makes have their turn in every round, so that what else the machine does meets all
of them; figures of different runs cannot be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chart import bar_chart
from routers import MAKES, Line, Make

from machine import NAMESPACES, ROOT, TUN, program

_GIB = 2**30
_SMALL = 100
"""Payload of small packets, in bytes."""
_CLOCK = time.monotonic()


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table."""

    name: str
    unit: str
    digits: int = 0
    less_is_better: bool = False


MEASURES = {
    "tcp": Measure("neighbours, TCP, one stream", "Mbit/s"),
    "back": Measure("the same, other direction", "Mbit/s"),
    "tcp4": Measure("neighbours, TCP, four streams", "Mbit/s"),
    "udp": Measure("neighbours, UDP, 1,200 bytes", "Mbit/s"),
    "udpback": Measure("the same, other direction", "Mbit/s"),
    "small": Measure("neighbours, UDP, 100 bytes", "packets/s"),
    "line": Measure("line of three, TCP, one stream", "Mbit/s"),
    "ethernet": Measure("neighbours over Ethernet frames, TCP, one stream", "Mbit/s"),
    "idle": Measure("ping, idle", "ms", 2, less_is_better=True),
    "load": Measure("ping while one TCP stream runs", "ms", 2, less_is_better=True),
    "cpu": Measure("processor time of both routers, TCP", "s/GiB", 1, less_is_better=True),
    "memory": Measure("memory of a router afterwards", "MiB", 0, less_is_better=True),
}

Figures = dict[str, float]


def main() -> int:
    """Measure and print; gives the exit status."""
    options = _parser().parse_args()
    lacking = [need.what for need in (ROOT, TUN, NAMESPACES, program("iperf3")) if not need.is_met()]
    if lacking:
        sys.stderr.write(f"side by side: this machine lacks {', '.join(lacking)}\n")
        return 3
    makes = [make for make in MAKES if make.program() is not None]
    rounds: dict[str, list[Figures]] = {make.name: [] for make in makes}
    for number in range(options.rounds):
        for make in makes:
            _say(f"round {number + 1}: {make.name}")
            rounds[make.name].append(_round(make, options.seconds))
    medians = {name: _medians(figures) for name, figures in rounds.items()}
    sys.stdout.write(_table(medians, options.rounds, options.seconds))
    options.svg.parent.mkdir(parents=True, exist_ok=True)
    options.svg.write_text(_chart(medians))
    _say(f"chart: {options.svg}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure routers side by side.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    place = Path(os.environ.get("DEX_STATE", "build")) / "bench.svg"
    parser.add_argument("--svg", type=Path, default=place, help="where the chart goes")
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"[{time.monotonic() - _CLOCK:4.0f} s] {text}\n")


# -- one round of one make


def _round(make: Make, seconds: int) -> Figures:
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as directory, Line(make, 2, Path(directory)) as line:
        figures["idle"] = _ping(line, count=100, interval=0.02)
        before = line.cpu_seconds()
        sent = _iperf(line, seconds)
        figures["tcp"] = _mbits(sent)
        figures["cpu"] = (line.cpu_seconds() - before) / (_received(sent)["bytes"] / _GIB)
        figures["back"] = _mbits(_iperf(line, seconds, "-R"))
        figures["tcp4"] = _mbits(_iperf(line, seconds, "-P", "4"))
        figures["udp"] = _mbits(_iperf(line, seconds, "-u", "-b", "0", "-l", "1200"))
        figures["udpback"] = _mbits(_iperf(line, seconds, "-u", "-b", "0", "-l", "1200", "-R"))
        small = _received(_iperf(line, seconds, "-u", "-b", "0", "-l", str(_SMALL)))
        figures["small"] = small["bytes"] / _SMALL / small["seconds"]
        figures["load"] = _under_load(line, seconds)
        figures["memory"] = line.memory_mib()
    with tempfile.TemporaryDirectory() as directory, Line(make, 3, Path(directory)) as line:
        figures["line"] = _mbits(_iperf(line, seconds))
    if make.has_ethernet:
        with (
            tempfile.TemporaryDirectory() as directory,
            Line(make, 2, Path(directory), over_ethernet=True) as line,
        ):
            figures["ethernet"] = _mbits(_iperf(line, seconds))
    return figures


def _iperf(
    line: Line, seconds: int, *options: str, meanwhile: Callable[[], None] | None = None
) -> dict[str, dict[str, dict[str, float]]]:
    """Run iperf3 from the first router's host to the last one's; gives its report."""
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryFile("w+") as report:
        server = line.places[-1].start("iperf3", "-s", "-1", log=log)
        time.sleep(0.5)
        command = ("iperf3", "-6", "-J", "-c", line.target, "-t", str(seconds), *options)
        client = line.places[0].start(*command, log=report)
        if meanwhile is not None:
            meanwhile()
        client.wait(timeout=seconds + 30)
        server.wait(timeout=30)
        report.seek(0)
        result: dict[str, dict[str, dict[str, float]]] = json.load(report)
    return result


def _received(report: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Give what has arrived: iperf3 of all ages has it in one of two places."""
    end = report["end"]
    found = end.get("sum_received") or end["sum"]
    if found.get("bytes"):
        return found
    lost = end["sum"].get("lost_percent", 0.0) / 100
    return {**end["sum"], "bytes": end["sum"]["bytes"] * (1 - lost)}


def _mbits(report: dict[str, dict[str, dict[str, float]]]) -> float:
    received = _received(report)
    return received["bytes"] * 8 / received["seconds"] / 1e6


def _ping(line: Line, *, count: int, interval: float) -> float:
    """Give the median round-trip time in milliseconds."""
    shown = line.places[0].run(
        "ping", "-n", "-c", str(count), "-i", str(interval), line.target, allowed=(0, 1)
    )
    return statistics.median(float(found) for found in re.findall(r"time=([\d.]+)", shown))


def _under_load(line: Line, seconds: int) -> float:
    found: list[float] = []

    def measure() -> None:
        time.sleep(1.0)
        found.append(_ping(line, count=max(5, (seconds - 2) * 20), interval=0.05))

    _iperf(line, seconds, meanwhile=measure)
    return found[0]


# -- all rounds


def _medians(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def _table(medians: dict[str, Figures], rounds: int, seconds: int) -> str:
    names = list(medians)
    others = names[1:]
    ours = medians[names[0]]
    head = ["work", *names, *(f"{names[0]} : {other}" for other in others)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for key, measure in MEASURES.items():
        row = [f"{measure.name} ({measure.unit})"]
        row += [_shown(medians[name].get(key), measure.digits) for name in names]
        row += [
            _shown(ours[key] / medians[other][key] if key in medians[other] else None, 2) for other in others
        ]
        lines.append(row)
    text = "".join(f"| {' | '.join(row)} |\n" for row in lines)
    return f"{text}\nMedians of {rounds} rounds of {seconds} s, {os.cpu_count()} processors for everything.\n"


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _chart(medians: dict[str, Figures]) -> str:
    shown = ("tcp", "tcp4", "line")
    return bar_chart(
        "Throughput over the mesh, Mbit/s",
        {MEASURES[key].name: {name: figures[key] for name, figures in medians.items()} for key in shown},
    )


if __name__ == "__main__":
    raise SystemExit(main())
