"""`dexsetup peers list | add | remove | allowed | revoke`: whom this node calls, and who may call it.

Each is one section of the answers, through the same engine as all else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dexrouter.config import ConnectTo, parse_peers
from dexsetup import public_peers
from dexsetup.answers.model import Allow, Answers, Peer
from dexsetup.answers.sense import peer_problems
from dexsetup.card import find_card, read_card
from dexsetup.commands.apply import apply_answers, read_standard_input
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.pasted import why_no_peers
from dexsetup.secret import Secret

__all__ = ["add", "list_allowed", "list_configured", "list_public", "remove", "revoke"]


def list_public(session: Session, country: str) -> ExitCode:
    """Print the community's list, with who runs each node."""
    known = public_peers.load()
    chosen = known.select(country)
    if country and not chosen:
        raise AnswersError((f'no public peer is in "{country}"',), advice="dexsetup peers list --public")
    if session.flags.is_json:
        for peer in chosen:
            value = {
                "number": peer.number,
                "name": peer.peer_name,
                "address": peer.address,
                "public_key": peer.public_key,
                "country": peer.country,
                "place": peer.place,
                "attribution": peer.attribution,
            }
            sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    for peer in chosen:
        session.console.text(f"{peer.number:>3}  {peer.peer_name:<28} {peer.address:<42} {peer.place}")
    session.console.note(known.attribution)
    session.console.note("To call one of them: dexsetup peers add NUMBER")
    return ExitCode.OK


def list_configured(session: Session) -> ExitCode:
    """Print the peers of the configuration with the state that the router sees them in."""
    config = present_config(session)
    configured = (
        [peer for udp in config.udp_interfaces for peer in udp.connect_to] if config is not None else []
    )
    states = dict(session.host.network.peer_states())
    incoming = [
        (address, state) for address, state in states.items() if all(address != p.address for p in configured)
    ]
    if session.flags.is_json:
        for peer in configured:
            value = {
                "name": peer.peer_name,
                "address": peer.address,
                "public_key": peer.public_key,
                "state": states.get(peer.address),
            }
            sys.stdout.write(json.dumps(value) + "\n")
        return ExitCode.OK
    if not configured and not incoming:
        session.console.text("There are no peers yet. Public ones: dexsetup peers list --public")
    for peer in configured:
        state = states.get(peer.address, "-")
        session.console.text(f"{peer.peer_name or peer.public_key[:12]:<28} {peer.address:<42} {state}")
    for address, state in incoming:
        session.console.text(f"{'(calls us)':<28} {address:<42} {state}")
    return ExitCode.OK


def add(session: Session, what: str) -> ExitCode:
    """Add peers: credentials, a file of them, - for standard input, or a public one's number or name."""
    chosen = _public(what) or _pasted(what)
    peers = tuple(_answer(peer) for peer in chosen)
    problems = tuple(f"{peer.address}: {key} {text}" for peer in peers for key, text in peer_problems(peer))
    if problems:
        raise AnswersError(problems)
    return apply_answers(session, Answers(schema=1, peer=peers))


def remove(session: Session, what: str) -> ExitCode:
    """Remove a peer by its name, address or key. Others stay."""
    config = present_config(session)
    configured = (
        [peer for udp in config.udp_interfaces for peer in udp.connect_to] if config is not None else []
    )
    found = {
        peer.public_key
        for peer in configured
        if what in {peer.public_key, peer.address}
        or (peer.peer_name and peer.peer_name.casefold() == what.casefold())
    }
    if not found:
        raise AnswersError(
            (f'no peer here has the name, address or key "{what}"',), advice="dexsetup peers list"
        )
    if len(found) > 1:
        keys = ", ".join(sorted(found))
        raise AnswersError((f'several peers are named "{what}": {keys}',), advice="Name the one by its key.")
    peer = Peer(public_key=found.pop(), state="absent")
    return apply_answers(session, Answers(schema=1, peer=(peer,)))


def list_allowed(session: Session) -> ExitCode:
    """Print who may call this node; passwords stay in the configuration."""
    config = present_config(session)
    last = session.last_applied()
    friends = {one.login for one in last.allow} if last is not None else set()
    for number, entry in enumerate(config.authorized_passwords if config is not None else (), 1):
        is_friend = entry.user in friends
        if session.flags.is_json:
            sys.stdout.write(json.dumps({"login": entry.user, "is_friend": is_friend}) + "\n")
            continue
        words = "has a card from here" if is_friend else "was in the configuration"
        session.console.text(f"{entry.user or f'(entry {number}, without a login)':<40} {words}")
    if not session.flags.is_json:
        session.console.note("A card for a friend: dexsetup card --for NAME")
    return ExitCode.OK


def revoke(session: Session, login: str) -> ExitCode:
    """Let somebody call no longer. Others stay."""
    config = present_config(session)
    known = [one.user for one in config.authorized_passwords if one.user] if config is not None else []
    if login not in known:
        raise AnswersError((f'nobody named "{login}" may call this node',), advice="dexsetup peers allowed")
    gone = Allow.model_construct(login=login, state="absent")
    return apply_answers(session, Answers(schema=1, allow=(gone,)))


def _public(what: str) -> tuple[ConnectTo, ...]:
    found = public_peers.load().find(what)
    if not found:
        return ()
    first = found[0].public_key
    return tuple(peer.connect_to() for peer in found if peer.public_key == first)[:1]


def _pasted(what: str) -> tuple[ConnectTo, ...]:
    if find_card(what):
        entry = read_card(what).peer
        if entry is None:
            raise AnswersError(
                ("this card has no peer to call, only addresses",), advice="dexsetup card LINK"
            )
        return (entry,)
    if what == "-":
        text = read_standard_input()
    elif "{" in what or "\n" in what or "://" in what:
        text = what
    else:
        try:
            text = Path(what).read_text("utf-8")
        except FileNotFoundError as error:
            problem = f'"{what}" is neither the number or name of a public peer, nor a file, nor credentials'
            raise AnswersError((problem,), advice="dexsetup peers list --public") from error
        except (OSError, UnicodeDecodeError) as error:
            raise AnswersError((f"{what}: cannot be read: {error}",)) from error
    found = parse_peers(text)
    if found.problems or not found.peers:
        said = tuple(str(problem) for problem in found.problems)
        raise AnswersError(said or (why_no_peers(text),))
    return found.peers


def _answer(peer: ConnectTo) -> Peer:
    answer = Peer(public_key=peer.public_key, address=peer.address, password=Secret(peer.password))
    given = {"login": peer.login, "name": peer.peer_name}
    return answer.model_copy(update={key: value for key, value in given.items() if value})
