"""`dexrouter`: runs the router, makes and checks configurations (spec 08 §7).

Heavy imports are inside the functions that need them: `--version` and `--help` answer at once.
Exit status: 0 as asked; 1 the router could not start or stopped with a fault; 255 bad command line or
configuration, as cjdroute has it.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from dexrouter import PROTOCOL_VERSION, __version__

__all__ = ["main"]

BAD_INPUT = 255
_SEED_SIZE = 64
_BENCH_SECONDS = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    options = _parser().parse_args(arguments)
    if options.version:
        print(f"dexrouter {__version__}")
        print(f"Cjdns protocol version: {PROTOCOL_VERSION}")
        return 0
    if options.genconf or options.genconf_seed:
        return _genconf(seeded=options.genconf_seed, ethernet=options.eth)
    if options.bench:
        from dexrouter.cli.bench import bench

        return bench(_BENCH_SECONDS)
    if options.show_offloads:
        return _show_offloads()
    if not options.config and sys.stdin is not None and sys.stdin.isatty():
        _parser().print_help()
        return 0
    try:
        data = Path(options.config).read_bytes() if options.config else _standard_input()
    except OSError as error:
        return _fail(f"cannot read {options.config}: {error.strerror}", BAD_INPUT)
    if options.cleanconf:
        return _cleanconf(data)
    return _run(data, path=options.config, verbose=options.verbose, check=options.check)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors have cjdroute's exit status."""

    def exit(self, status: int = 0, message: str | None = None) -> None:  # type: ignore[override]
        if message:
            sys.stderr.write(message)
        raise SystemExit(BAD_INPUT if status else 0)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dexrouter", description="A cjdns mesh router: an IPv6 address of your own for everyone."
    )
    parser.add_argument(
        "--config", metavar="FILE", help="run with this cjdroute.conf (default: standard input)"
    )
    parser.add_argument(
        "--check", action="store_true", help="only read the configuration and say what is wrong with it"
    )
    parser.add_argument("--genconf", action="store_true", help="print a new configuration")
    parser.add_argument(
        "--genconf-seed", action="store_true", help="the same from 64 bytes of seed on standard input"
    )
    parser.add_argument("--eth", action="store_true", help="with --genconf: peer over Ethernet frames, too")
    parser.add_argument("--cleanconf", action="store_true", help="print a configuration without comments")
    parser.add_argument(
        "--bench", action="store_true", help="measure encryption and forwarding on this machine"
    )
    parser.add_argument("--nobg", action="store_true", help="stay in the foreground (it always does)")
    parser.add_argument(
        "--show-offloads", action="store_true", help="say which of the kernel's offloads are used, or why not"
    )
    parser.add_argument("-v", "--version", action="store_true", help="print the version")
    parser.add_argument("--verbose", action="count", default=0, help="log more; twice: everything")
    return parser


def _genconf(*, seeded: bool, ethernet: bool) -> int:
    import os

    from dexrouter.config import genconf

    if not seeded:
        sys.stdout.write(genconf(os.urandom, eth=ethernet))
        return 0
    from dexrouter.crypto.entropy import SeededEntropy

    seed = _standard_input(_SEED_SIZE)
    if len(seed) != _SEED_SIZE:
        return _fail(
            f"--genconf-seed reads {_SEED_SIZE} bytes from standard input; there were {len(seed)}", BAD_INPUT
        )
    sys.stdout.write(genconf(SeededEntropy(seed), eth=ethernet))
    return 0


def _show_offloads() -> int:
    from dexrouter.io.probe import probe_offloads

    for name, state in probe_offloads().items():
        print(f"{name}: {state}")
    return 0


def _cleanconf(data: bytes) -> int:
    from dexrouter.config import ConfigError, cleanconf

    try:
        sys.stdout.write(cleanconf(data))
    except ConfigError as error:
        return _fail(str(error), BAD_INPUT)
    return 0


def _run(data: bytes, *, path: str | None, verbose: int, check: bool) -> int:
    import gc

    # Until it runs, nothing is garbage: looking for some lengthens the start by a twentieth.
    gc.disable()
    from dexrouter.config import ConfigError, load_config

    name = path or "standard input"
    try:
        config = load_config(data)
    except ConfigError as error:
        return _fail(f"{name}: {error}", BAD_INPUT)
    if check:
        for warning in config.warnings:
            print(f"note: {warning}")
        print(f"{name}: configuration OK")
        return 0
    from dexrouter.io.daemon import Daemon
    from dexrouter.io.errors import StartError
    from dexrouter.io.log import set_up_log

    set_up_log({0: logging.INFO, 1: logging.DEBUG}.get(verbose, 1))
    try:
        # The path is made absolute: it is read again on SIGHUP.
        with Daemon(config, path=Path(path).absolute() if path else None) as daemon:
            daemon.drop_privileges()
            daemon.run()
    except StartError as error:
        return _fail(str(error), 1)
    return 0


def _standard_input(size: int = -1) -> bytes:
    """Read it; one that is closed is as good as an empty one."""
    return b"" if sys.stdin is None else sys.stdin.buffer.read(size)


def _fail(message: str, status: int) -> int:
    print(f"dexrouter: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
