"""`python -m dexrouter.sim`: run meshes on the virtual clock and print a table."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from dexrouter.sim.experiment import Plan, Result, run
from dexrouter.sim.shapes import SHAPES
from dexrouter.sim.world import Wires

__all__ = ["main"]

_COLUMNS = (
    ("shape", 11),
    ("nodes", 5),
    ("wires", 5),
    ("reached", 10),
    ("too far", 7),
    ("first s", 7),
    ("worst s", 7),
    ("stretch", 7),
    ("worst", 6),
    ("dgrams/s", 8),
    ("quiet/s", 7),
    ("KiB/node", 8),
    ("again", 10),
    ("worst s", 7),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says. Exit code 1 if a pair that can did not reach each other."""
    options = _parser().parse_args(arguments)
    wires = Wires(delay=options.delay / 1000, loss=options.loss, doubled=options.doubled, late=options.late)
    sys.stdout.write(" ".join(f"{name:>{width}}" for name, width in _COLUMNS) + "\n")
    is_whole = True
    for shape in options.shape:
        for nodes in options.nodes:
            plan = Plan(
                shape=shape,
                nodes=nodes,
                seed=options.seed,
                pairs=options.pairs,
                quiet=options.quiet,
                limit=options.limit,
                settle=options.settle,
                wires=wires,
                partition=options.partition,
                restarts=options.restarts,
            )
            result = _run_apart(plan)
            sys.stdout.write(_row(result) + "\n")
            sys.stdout.flush()
            wanted = result.pairs - result.too_far
            is_whole = is_whole and result.reached >= wanted
            is_whole = is_whole and (result.again is None or result.again >= wanted)
    return 0 if is_whole else 1


def _run_apart(plan: Plan) -> Result:
    """Carry out a plan in a process of its own, whose memory is that of this one mesh."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=gc.disable) as pool:
        # Millions of objects live to the end: looking through them for garbage takes much of the time.
        return pool.submit(run, plan).result()


def _row(result: Result) -> str:
    again = "-" if result.again is None else f"{result.again}/{result.pairs}"
    cells = (
        result.plan.shape,
        str(result.plan.nodes),
        str(result.wires),
        f"{result.reached}/{result.pairs}",
        str(result.too_far),
        f"{result.first_median:.2f}",
        f"{result.first_worst:.2f}",
        f"{result.stretch_median:.2f}",
        f"{result.stretch_worst:.2f}",
        f"{result.datagrams:.1f}",
        f"{result.quiet_datagrams:.1f}",
        f"{result.memory:.0f}",
        again,
        "-" if result.again is None else f"{result.again_worst:.2f}",
    )
    return " ".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dexrouter.sim",
        description="Run whole routers on a virtual clock. 'reached': pairs of hosts with an answered ping; "
        "'too far': pairs more than 14 hops apart, for which no label is long enough; "
        "'first': seconds from the first ping to its reply (median); 'stretch': hops of the path in use by "
        "those of the shortest (median); 'dgrams': datagrams a node and second, pairs pinging, 'quiet': "
        "before that; 'again': pairs after --partition or --restarts. The same seed gives the same table.",
    )
    parser.add_argument(
        "--shape", nargs="+", choices=sorted(SHAPES), default=["random"], help="shape of the mesh"
    )
    parser.add_argument(
        "--nodes", nargs="+", type=_positive, default=[10, 100], metavar="N", help="how many nodes"
    )
    parser.add_argument(
        "--pairs", type=_positive, default=1000, help="pairs that ping each other (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", type=float, default=0.0, metavar="S", help="seconds before the first ping")
    parser.add_argument(
        "--limit", type=float, default=30.0, metavar="S", help="seconds for the pairs to meet"
    )
    parser.add_argument(
        "--settle", type=float, default=20.0, metavar="S", help="seconds before paths are measured"
    )
    parser.add_argument(
        "--delay", type=float, default=10.0, metavar="MS", help="milliseconds of a wire, on average"
    )
    parser.add_argument("--loss", type=_part, default=0.0, help="part of the datagrams that vanish")
    parser.add_argument("--doubled", type=_part, default=0.0, help="part of the datagrams that arrive twice")
    parser.add_argument("--late", type=_part, default=0.0, help="part of the datagrams that are overtaken")
    parser.add_argument(
        "--partition", type=float, default=0.0, metavar="S", help="cut the mesh in two so long"
    )
    parser.add_argument(
        "--restarts", type=int, default=0, metavar="N", help="nodes to restart one after another"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a count")
    return number


def _part(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a part from 0 to below 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
