"""Fuzzes with coverage as the guide: `./dex fuzz [TARGET...] [--seconds N]`.

Each target runs in a process of its own for so many seconds, and goes on from the inputs that earlier runs
have found worth keeping. A line for each tells how often it ran, how much of the program that covered, and
what was found. The input of a finding is kept, and the status is 1.

Below the directory that DEX_STATE names: `fuzz/corpus/TARGET` and `fuzz/findings/TARGET`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("router", "tests/support", ".")]

_ONE = "--one"
_REPLAY = "--replay"
_MAX_LENGTH = 1536
_HANGS_AFTER = 20
"""Seconds for one input."""
_MOST_MEMORY = 2048
"""MiB."""

_MODULES: Final = {"fuzz_targets": ("dexrouter",), "fuzz_wizard": ("dexsetup",)}
"""Where targets are, and whose coverage guides them."""

_STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)", re.MULTILINE)


def main() -> int:
    """Run the targets one after the other."""
    parser = argparse.ArgumentParser(prog="./dex fuzz", description="Fuzz every parser and the whole node.")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target (60)")
    parser.add_argument("--list", action="store_true", help="only name the targets")
    parser.add_argument(_REPLAY, metavar="FILE", help="run the one target on the input of a finding")
    parser.add_argument(_ONE, metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    if options.one:
        return _fuzz(options.one, options.seconds)
    known = _all_targets()
    unknown = set(options.targets) - known.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if options.list:
        sys.stdout.write("\n".join(known) + "\n")
        return 0
    if options.replay:
        if len(options.targets) != 1:
            parser.error(f"{_REPLAY} needs one target")
        known[options.targets[0]](Path(options.replay).read_bytes())
        return 0
    sys.stdout.write(f"{'target':<15}{'executions':>12}{'coverage':>10}{'features':>10}  findings\n")
    return max([_run(name, options.seconds) for name in options.targets or known])


def _all_targets() -> dict[str, Callable[[bytes], None]]:
    """Import them all, without coverage."""
    return {
        name: target
        for module in _MODULES
        for name, target in importlib.import_module(module).TARGETS.items()
    }


def _run(name: str, seconds: int) -> int:
    state = Path(os.environ.get("DEX_STATE") or tempfile.mkdtemp(prefix="dex-fuzz-")) / "fuzz"
    findings, corpus = state / "findings" / name, state / "corpus" / name
    for directory in (findings, corpus):
        directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(importlib.import_module("fuzz_seeds").seeds_for(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    before = set(findings.iterdir())
    done = subprocess.run(
        [sys.executable, __file__, _ONE, name, "--seconds", str(seconds)],
        cwd=findings,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "DEX_CORPUS": str(corpus)},
        check=False,
    )
    found = sorted(set(findings.iterdir()) - before)
    told = _STATUS.findall(done.stderr)
    runs, coverage, features = told[-1] if told else ("0", "0", "0")
    is_good = not done.returncode and not found
    word = "none" if is_good else (", ".join(path.name for path in found) or f"status {done.returncode}")
    sys.stdout.write(f"{name:<15}{runs:>12}{coverage:>10}{features:>10}  {word}\n")
    if is_good:
        sys.stdout.flush()
        return 0
    sys.stdout.write(done.stdout[-3000:] + done.stderr[-3000:])
    for path in found:
        sys.stdout.write(f"{name}: kept {path}; again: ./dex fuzz {name} {_REPLAY} {path}\n")
    sys.stdout.flush()
    return 1


def _fuzz(name: str, seconds: int) -> int:
    """Run one target in this process; libFuzzer ends it."""
    atheris = importlib.import_module("atheris")
    for module, packages in _MODULES.items():
        with atheris.instrument_imports(include=list(packages)):
            targets = importlib.import_module(module).TARGETS
        if name in targets:
            break
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={_MAX_LENGTH}",
        f"-timeout={_HANGS_AFTER}",
        f"-rss_limit_mb={_MOST_MEMORY}",
        "-print_final_stats=0",
        os.environ["DEX_CORPUS"],
    ]
    atheris.Setup(arguments, targets[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
