"""The command line: reads it, hands on to dexsetup.commands, and turns the outcome into an exit code.

Of what takes time, argparse alone is imported here; all else comes when a command is known, so that --help is
there at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dexsetup import __version__
from dexsetup.exitcodes import ExitCode

if TYPE_CHECKING:
    from dexsetup.commands.session import Flags, Session
    from dexsetup.errors import DexsetupError

__all__ = ["main"]

_UMASK = 0o022
"""What services run and read is for all to enter and for root alone to write, whoever started this."""
_EPILOG = """\
Without a command, on a terminal: the wizard, or the live state of a machine that is set up.
Only --answers, undo, card --for, and what adds, removes or revokes changes anything; --dry-run only looks.
A first run:  dexsetup answers new > my.toml    (edit it)    dexsetup --answers my.toml --dry-run
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run dexsetup and return its exit code (see exitcodes.py)."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.umask(_UMASK)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that this locale cannot show is no fault: it is shown in escapes.
            stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(words)
    try:
        return int(_guarded(given, words))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


def _parser() -> argparse.ArgumentParser:
    looking = _looking_options()
    changing = _changing_options(looking)
    parser = argparse.ArgumentParser(
        prog="dexsetup",
        description="Sets up a mesh router, and the mail and phone programs that use its address.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[changing],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dexsetup {__version__}")
    parser.add_argument(
        "--answers",
        metavar="FILE",
        help="apply this answers file without asking anything; - is standard input",
    )
    parser.add_argument(
        "--ask",
        metavar="SECTION",
        choices=("node", "peer", "peers", "firewall", "mail", "phone", "user", "review"),
        help="open the wizard at this section, with the answers file if one is named",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="the wizard as numbered lines, for screen readers and dumb terminals",
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _peers_parser(
        commands.add_parser("peers", help="the nodes that this one calls, and who may call it"),
        looking,
        changing,
    )
    _contacts_parser(
        commands.add_parser("contacts", help="whom people's mail and phone programs know by a short name"),
        looking,
        changing,
    )
    address = commands.add_parser(
        "new-address",
        help="another key, and everything that carries the address written anew",
        parents=[changing],
    )
    address.add_argument(
        "source", metavar="FILE", nargs="?", help="a cjdroute.conf whose key is taken; left out: a new key"
    )
    commands.add_parser("status", help="how things are", parents=[looking])
    doctor = commands.add_parser(
        "doctor", help="what does not work, why, and what mends it: the whole chain", parents=[looking]
    )
    doctor.add_argument("--fix", action="store_true", help="mend what dexsetup can mend, and look again")
    auditing = commands.add_parser("audit", help="what the mesh can reach on this machine", parents=[looking])
    auditing.add_argument("--scan", metavar="ADDRESS", help="ask another node of your own, from here")
    auditing.add_argument("--ports", metavar="LIST", default="", help="with --scan: 22,25,8000-8100")
    commands.add_parser("verify", help="check end to end what was applied last", parents=[looking])
    undo = commands.add_parser(
        "undo", help="give back what was there before the last run, or before RUN", parents=[looking]
    )
    undo.add_argument("run", metavar="RUN", nargs="?", help="as `dexsetup runs` names it")
    undo.add_argument(
        "--dry-run",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show what would be given back, change nothing",
    )
    undo.add_argument(
        "--remove-packages", action="store_true", help="remove the packages that were installed, too"
    )
    commands.add_parser("runs", help="what dexsetup did on this machine", parents=[looking])
    facts = commands.add_parser("facts", help="what was found on this machine, as JSON", parents=[looking])
    facts.add_argument("--whole", action="store_true", help="with the names of people")
    _card_parser(
        commands.add_parser(
            "card", help="what to send to a friend, or what a friend sent", parents=[changing]
        )
    )
    _answers_parser(commands.add_parser("answers", help="write, check and explain answers files"), looking)
    return parser


def _card_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "link", metavar="LINK", nargs="?", help="a dex: link to read, or - for standard input"
    )
    parser.add_argument(
        "--for",
        dest="friend",
        metavar="NAME",
        default="",
        help="let this friend call the node, with a password of their own, and print their card",
    )
    parser.add_argument(
        "--at",
        dest="place",
        metavar="ADDRESS[:PORT]",
        default="",
        help="where the friend reaches this node, if not at the address of its uplink",
    )


def _looking_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--root", metavar="DIR", help="work on the machine that lies below DIR; nothing is started"
    )
    options.add_argument("--json", action="store_true", help="JSON on standard output, one object a line")
    return options


def _changing_options(looking: argparse.ArgumentParser) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, parents=[looking])
    options.add_argument(
        "--dry-run", action="store_true", help="show the plan and every diff, change nothing"
    )
    options.add_argument(
        "--keep-going", action="store_true", help="if a step fails, do those that do not need it"
    )
    options.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    options.add_argument(
        "--accept-risk", metavar="NAME", action="append", help="accept a risk that the plan names"
    )
    options.add_argument(
        "--take-over",
        metavar="PATH",
        action="append",
        help="a file edited by hand: write ours, keep theirs beside it",
    )
    options.add_argument(
        "--leave", metavar="PATH", action="append", help="a file edited by hand: leave it as it is"
    )
    return options


def _peers_parser(
    parser: argparse.ArgumentParser, looking: argparse.ArgumentParser, changing: argparse.ArgumentParser
) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", help="the peers here, or with --public those that anybody may call", parents=[looking]
    )
    listing.add_argument("--public", action="store_true", help="the community's list of public peers")
    listing.add_argument(
        "--country", metavar="PLACE", default="", help="only those in this country or region"
    )
    add = actions.add_parser("add", help="call another node", parents=[changing])
    add.add_argument(
        "what",
        metavar="JSON-OR-FILE-OR-NAME",
        help="credentials as sent, a file of them, - for standard input, or number or name of a public peer",
    )
    remove = actions.add_parser("remove", help="call a node no longer", parents=[changing])
    remove.add_argument("what", metavar="NAME-OR-KEY", help="its name, address or public key")
    actions.add_parser("allowed", help="who may call this node", parents=[looking])
    revoke = actions.add_parser("revoke", help="let somebody call no longer", parents=[changing])
    revoke.add_argument("what", metavar="NAME", help="as `dexsetup peers allowed` names them")


def _contacts_parser(
    parser: argparse.ArgumentParser, looking: argparse.ArgumentParser, changing: argparse.ArgumentParser
) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the contacts", parents=[looking])
    add = actions.add_parser(
        "add", help="put somebody into the address books, or change it", parents=[changing]
    )
    add.add_argument("nick", metavar="NAME", help="short name: what is written in place of the address")
    add.add_argument("address", metavar="ADDRESS", help="mesh address in any spelling, or a dex: link")
    add.add_argument("--login", default="", help="the account there, if it is not the short name")
    add.add_argument("--name", dest="real_name", metavar="TEXT", default="", help='as in "Jo Doe"')
    remove = actions.add_parser("remove", help="take somebody out of the address books", parents=[changing])
    remove.add_argument("nick", metavar="NAME", help="the short name")


def _answers_parser(parser: argparse.ArgumentParser, looking: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("new", help="print a commented sample", parents=[looking])
    check = actions.add_parser("check", help="say everything that is wrong with a file", parents=[looking])
    check.add_argument("file", metavar="FILE")
    show = actions.add_parser("show", help="each value and where it comes from", parents=[looking])
    show.add_argument("file", metavar="FILE", nargs="?")
    migrate = actions.add_parser("migrate", help="bring a file up to the present schema", parents=[looking])
    migrate.add_argument("file", metavar="FILE")
    actions.add_parser("schema", help="print the JSON Schema", parents=[looking])


def _guarded(given: argparse.Namespace, words: list[str]) -> ExitCode:
    """Run the command; whatever goes wrong is told here, in one place."""
    is_wizard = given.command is None and (given.answers is None or given.ask or given.plain)
    if is_wizard and not sys.stdin.isatty():
        sys.stderr.write(
            "dexsetup asks nothing without a terminal. Give it the answers:\n"
            "    dexsetup answers new > my.toml\n    dexsetup --answers my.toml\n"
        )
        return ExitCode.USAGE
    if is_wizard and getattr(given, "dry_run", False):
        sys.stderr.write(
            "--dry-run goes with --answers FILE or a command. The wizard changes nothing before Apply;\n"
            "its Review page shows the plan, and F2 every diff.\n"
        )
        return ExitCode.USAGE
    if is_wizard and sys.stdout.isatty() and not getattr(given, "json", False):
        return _wizard(given)
    from dexsetup.commands.session import Session, open_host
    from dexsetup.errors import DexsetupError

    session: Session | None = None
    try:
        flags = _flags(given)
        session = Session(flags, open_host(flags.root))
        return _run(session, given)
    except DexsetupError as error:
        return _told(error, session, is_json=getattr(given, "json", False))
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Nothing was changed.\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: a fault of ours becomes a report and exit code 1
        return _reported(error, session, words)


def _wizard(given: argparse.Namespace) -> ExitCode:
    """Open the wizard; its own frame tells what goes wrong while it is open."""
    from dexsetup.errors import DexsetupError
    from dexsetup.ui.start import open_wizard

    try:
        return open_wizard(
            lambda: _flags(given),
            answers=given.answers or "",
            ask=given.ask or "",
            is_plain=given.plain,
            has_mouse=not given.no_mouse,
        )
    except DexsetupError as error:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Nothing was changed.\n")
        return ExitCode.INTERRUPTED


def _flags(given: argparse.Namespace) -> Flags:
    from dexsetup.commands.session import Flags

    values = vars(given)
    return Flags(
        root=values.get("root", ""),
        is_json=values.get("json", False),
        is_dry=values.get("dry_run", False),
        keep_going=values.get("keep_going", False),
        resume=values.get("resume", False),
        accepted_risks=tuple(values.get("accept_risk", ())),
        take_over=tuple(values.get("take_over", ())),
        leave=tuple(values.get("leave", ())),
    )


def _run(session: Session, given: argparse.Namespace) -> ExitCode:
    """Call the command's function."""
    if _looks_at_roots_files(given):
        session.need_root(given.command)
    match given.command:
        case None:
            return _without_command(session, getattr(given, "answers", None))
        case "peers":
            return _peers(session, given)
        case "contacts":
            return _contacts(session, given)
        case "new-address":
            from dexsetup.commands.address import new_address

            return new_address(session, given.source)
        case "answers":
            return _answers(session, given)
        case "undo":
            return _undo(session, given.run, removes_packages=given.remove_packages)
        case "card":
            return _card(session, given)
        case "doctor":
            from dexsetup.commands.health import doctor

            if given.fix and session.flags.is_dry:
                from dexsetup.errors import AnswersError

                raise AnswersError(("--fix changes what it finds",), advice="dexsetup doctor   (only looks)")

            return doctor(session, is_mending=given.fix)
        case "audit":
            from dexsetup.commands.health import audit, audit_from_outside

            return audit_from_outside(session, given.scan, given.ports) if given.scan else audit(session)
    from dexsetup.commands import look

    match given.command:
        case "status":
            return look.status(session)
        case "verify":
            return look.verify(session)
        case "runs":
            return look.runs(session)
        case _:
            return look.facts(session, is_whole=given.whole)


def _looks_at_roots_files(given: argparse.Namespace) -> bool:
    match given.command:
        case "peers":
            return not (given.action == "list" and (given.public or given.country))
        case "card":
            return given.link is None
    return given.command in {"contacts", "status", "verify", "runs", "audit", "doctor"}


def _without_command(session: Session, answers: str | None) -> ExitCode:
    if answers is not None:
        from dexsetup.commands.apply import apply_file

        return apply_file(session, answers)
    from dexsetup.commands import look

    if look.is_set_up(session):
        session.need_root("status")
        return look.status(session)
    session.console.text("This machine is not set up yet. Nothing has been written.")
    session.console.text("  dexsetup answers new > my.toml          a commented sample to edit")
    session.console.text("  dexsetup --answers my.toml --dry-run    what it would do")
    session.console.text("  sudo dexsetup --answers my.toml         do it")
    return ExitCode.OK


def _peers(session: Session, given: argparse.Namespace) -> ExitCode:
    from dexsetup.commands import peers

    match given.action:
        case "add":
            return peers.add(session, given.what)
        case "remove":
            return peers.remove(session, given.what)
        case "allowed":
            return peers.list_allowed(session)
        case "revoke":
            return peers.revoke(session, given.what)
    if given.public or given.country:
        return peers.list_public(session, given.country)
    return peers.list_configured(session)


def _contacts(session: Session, given: argparse.Namespace) -> ExitCode:
    from dexsetup.commands import contacts

    match given.action:
        case "add":
            return contacts.add(
                session, given.nick, given.address, login=given.login, real_name=given.real_name
            )
        case "remove":
            return contacts.remove(session, given.nick)
    return contacts.list_known(session)


def _answers(session: Session, given: argparse.Namespace) -> ExitCode:
    from dexsetup.commands import answers

    match given.action:
        case "new":
            return answers.new()
        case "check":
            return answers.check(session, given.file)
        case "show":
            return answers.show(session, given.file)
        case "migrate":
            return answers.migrate(session, given.file)
        case _:
            return answers.schema()


def _card(session: Session, given: argparse.Namespace) -> ExitCode:
    from dexsetup.commands.card import card, card_for
    from dexsetup.errors import AnswersError

    if given.friend and given.link:
        raise AnswersError(("a card is either read (LINK) or made (--for NAME)",))
    if given.place and not given.friend:
        raise AnswersError(("--at goes with --for NAME",))
    return card_for(session, given.friend, given.place) if given.friend else card(session, given.link)


def _undo(session: Session, run: str | None, *, removes_packages: bool) -> ExitCode:
    from dexsetup.commands.signals import heard_signals
    from dexsetup.errors import MachineError
    from dexsetup.plan.foresee import foresee_undo
    from dexsetup.plan.undo import undo_run
    from dexsetup.steps.node import CONFIG

    if session.flags.is_dry:
        return foresee_undo(session.host, run, session.listen, removes_packages=removes_packages)
    if not session.facts.is_root:
        raise MachineError("Undo needs root.", done="Nothing was changed.", advice="sudo dexsetup undo")
    with heard_signals(lambda: session.console.note("Undo is under way, and goes on to its end ...")):
        return undo_run(
            session.host,
            run,
            session.listen,
            session.redactor,
            holder=f"process {os.getpid()}, undo",
            removes_packages=removes_packages,
            keeps=(CONFIG,),
        )


def _told(error: DexsetupError, session: Session | None, *, is_json: bool) -> ExitCode:
    if session is None:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    session.console.error(error)
    if is_json:
        from dexsetup.plan.events import RunDone

        session.listen(RunDone(int(error.exit_code), error.what))
    return error.exit_code


def _reported(error: Exception, session: Session | None, words: list[str]) -> ExitCode:
    import time

    from dexsetup.commands.crash import write_report
    from dexsetup.report.redact import Redactor

    redactor = session.redactor if session is not None else Redactor()
    path = write_report(error, words, redactor, time.time())
    text = f"This is a fault of dexsetup: {type(error).__name__}: {error}"
    sys.stderr.write(
        f"{redactor.text(text)}\nA report without secrets is in {path}. What was begun was undone.\n"
    )
    return ExitCode.BUG


if __name__ == "__main__":
    sys.exit(main())
