"""Fuzzes with coverage as the guide: `python tests/fuzz/run.py [--seconds N] [TARGET...]`.

Needs atheris (`pip install atheris`), which is no dependency of the project. Each target runs in a process of
its own for so many seconds; a finding is printed with its bytes, and the status is 1.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("router", "tests/support")]

_ONE = "--one"
_INSTRUMENTED = ["dexrouter"]
_MAX_LENGTH = 1024


def main() -> int:
    """Run the targets one after the other."""
    parser = argparse.ArgumentParser(description="Fuzz every parser and the whole node.")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument(_ONE, metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    if options.one:
        return _fuzz(options.one, options.seconds)
    from fuzz_targets import TARGETS  # noqa: PLC0415 - instrumented in the other process

    unknown = set(options.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return max([_run(name, options.seconds) for name in options.targets or TARGETS])


def _run(name: str, seconds: int) -> int:
    with tempfile.TemporaryDirectory(prefix="dex-fuzz-") as directory:
        done = subprocess.run(
            [sys.executable, __file__, _ONE, name, "--seconds", str(seconds)],
            cwd=directory,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )
        found = [path.read_bytes() for path in Path(directory).glob("*-*")]
    told = [line for line in done.stderr.splitlines() if line.startswith(("#", "Done"))]
    sys.stdout.write(f"{name}: {told[-1] if told else 'nothing'}\n")
    if done.returncode == 0:
        return 0
    sys.stdout.write(done.stdout[-4000:] + done.stderr[-4000:])
    for data in found:
        sys.stdout.write(f"{name}: bytes.fromhex({data.hex()!r})\n")
    return 1


def _fuzz(name: str, seconds: int) -> int:
    """Run one target in this process; libFuzzer ends it."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from fuzz_targets import TARGETS  # noqa: PLC0415 - instrumented while it is imported
    arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-max_len={_MAX_LENGTH}", "-print_final_stats=0"]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
