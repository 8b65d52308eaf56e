"""`dexctl`: looks at a running router and talks to it (spec 08 §9 to §11). Works with the C router, too.

What a command does is in `ctl/` and imported when it runs, so that `dexctl --help` answers at once.
Exit status: 0 as asked; 1 it could not be had, a sentence on standard error says why; 2 bad command line.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dexrouter import __version__

if TYPE_CHECKING:
    from dexrouter.admin.access import Access

__all__ = ["build_parser", "main"]

_SHELLS = ("bash", "zsh", "fish")
_LEVELS = ("KEYS", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    parser, _ = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "call":
        options.arguments = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return _run(options)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    module, _, function = options.run.partition(":")
    run = getattr(import_module(f"dexrouter.cli.ctl.{module}"), function)
    if options.needs == "nothing":
        return int(run(options))
    from dexrouter.admin.access import AccessError
    from dexrouter.admin.client import AdminClient, AdminError

    if options.needs == "access":
        return int(run(_usual_access(options), options))
    try:
        access = _access(options)
        with AdminClient(access) as client:
            return int(run(client, options))
    except (AdminError, AccessError) as error:
        print(f"dexctl: {error}", file=sys.stderr)
        return 1


def _access(options: argparse.Namespace) -> Access:
    from dexrouter.admin.access import find_access

    return find_access(options.config, host=options.address, port=options.port, password=options.password)


def _usual_access(options: argparse.Namespace) -> Access:
    """Find the admin API for a command that needs no password: a broken file does not matter to it."""
    from dexrouter.admin.access import DEFAULT_HOST, DEFAULT_PORT, Access, AccessError

    try:
        return _access(options)
    except (AccessError, RuntimeError):  # RuntimeError: a user without a home
        return Access(options.address or DEFAULT_HOST, options.port or DEFAULT_PORT)


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Make the parser of the command line; gives it and those of the commands."""
    parser = argparse.ArgumentParser(prog="dexctl", description="Look at a running cjdns router.")
    parser.add_argument("--version", action="version", version=f"dexctl {__version__}")
    parser.add_argument(
        "--config", "-c", type=Path, metavar="FILE", help="cjdroute.conf with admin address and password"
    )
    parser.add_argument("-a", dest="address", metavar="ADDR", help="address of the admin API")
    parser.add_argument("-p", dest="port", metavar="PORT", type=int, help="its port")
    parser.add_argument("-P", dest="password", metavar="PASSWORD", help="its password")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_views(commands)
    _add_probes(commands)
    _add_wait(commands)
    _add_keys(commands)
    return parser, commands.choices


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def _add(
    commands: _Commands, name: str, text: str, run: str, *, needs: str = "client"
) -> argparse.ArgumentParser:
    """Add a command: `run` is module:function in ctl/, `needs` what it is called with."""
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(run=run, needs=needs)
    return command


def _add_views(commands: _Commands) -> None:
    for name, text in (
        ("peers", "list the neighbours this router is linked with"),
        ("sessions", "list the end-to-end sessions"),
        ("nodes", "list the nodes to which a path is known"),
    ):
        command = _add(commands, name, text, f"show:{name}")
        form = command.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="everything, as JSON")
        if name != "nodes":
            form.add_argument(
                "--raw", action="store_true", help="one line each, as cjdns' own tools write it"
            )
    call = _add(commands, "call", "call a function of the admin API; without one, list them", "calls:call")
    call.add_argument("function", nargs="?", metavar="FUNCTION", help="then its arguments as --NAME=VALUE")
    call.add_argument("--timeout", type=_seconds, default=10.0, metavar="N", help="seconds to wait")
    _add(commands, "reload", "let a running router have what is new in cjdroute.conf", "people:reload")
    log = _add(commands, "log", "follow the router's log", "logs:follow")
    log.add_argument("-v", dest="level", choices=_LEVELS, default="INFO", help="this level and above")
    log.add_argument("-f", dest="file", metavar="FILE", help="only records from this source file")


def _add_probes(commands: _Commands) -> None:
    ping = _add(commands, "ping", "see whether a node answers", "probe:ping")
    ping.add_argument("destination", metavar="ADDRESS|LABEL", help="mesh address, label or node name")
    ping.add_argument(
        "-c", dest="count", type=int, default=0, metavar="N", help="so often (default: for ever)"
    )
    trace = _add(commands, "traceroute", "show the path to a node, and who answers on it", "probe:traceroute")
    trace.add_argument("destination", metavar="ADDRESS", help="mesh address")
    for command in (ping, trace):
        command.add_argument("--timeout", type=_seconds, default=2.0, metavar="N", help="seconds for each")


def _add_wait(commands: _Commands) -> None:
    wait = _add(
        commands,
        "wait-online",
        "wait until the mesh address can be used, and print it",
        "online:wait_online",
        needs="access",
    )
    wait.add_argument(
        "-t",
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="N",
        help="seconds (default: 30), then status 1",
    )
    wait.add_argument("--peer", action="store_true", help="wait for a peer that is ESTABLISHED, too")
    wait.add_argument("-x", "--exit", action="store_true", help="do not wait: say how it is now")
    form = wait.add_mutually_exclusive_group()
    form.add_argument("-i", "--interface", action="store_true", help="print the name of the device instead")
    form.add_argument("-q", "--quiet", action="store_true", help="print nothing")


def _add_keys(commands: _Commands) -> None:
    for name, text in (
        ("genkey", "print a new private key, its address and its public key"),
        ("key2ip6", "print the address of a public key"),
        ("priv2pub", "read a private key from standard input, print its public key and address"),
        ("genpass", "print a new password"),
    ):
        command = _add(commands, name, text, f"keys:{name}", needs="nothing")
        if name == "key2ip6":
            command.add_argument("key", metavar="KEY", help="52 characters and .k")
    completion = _add(
        commands, "completion", "print the shell's completion script", "completion:show", needs="nothing"
    )
    completion.add_argument("shell", choices=_SHELLS)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1e9:  # refuses nan, too
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
