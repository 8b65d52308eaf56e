"""Looks whether a verification holds, and waits for it. Waiting is the only thing that is repeated."""

from __future__ import annotations

from collections.abc import Callable

from dexsetup.host.base import Host, ProgressSink
from dexsetup.plan.events import Grade
from dexsetup.plan.model import AddressBound, PeerEstablished, TcpGreets, UnitActive, Verification

__all__ = ["look", "timeout_of", "wait_for"]

_POLL_SECONDS = 0.5
_GREETING_SECONDS = 5.0
_PEERS_SHOWN = 3
_KNOWS_NOBODY = "the node knows nobody yet: dexsetup peers list --public, dexsetup peers add ..."


def timeout_of(wanted: Verification) -> float:
    """Return how long it may take, in seconds."""
    return 0.0 if isinstance(wanted, UnitActive) else wanted.timeout


def look(wanted: Verification, host: Host) -> tuple[Grade, str]:
    """Look once. Return ok, warn (a matter of the network) or FAIL, and a sentence."""
    match wanted:
        case AddressBound(address):
            if host.network.address_is_bound(address):
                return Grade.OK, f"{address} is on this machine"
            return Grade.FAIL, f"{address} is not on any interface"
        case PeerEstablished(is_any_named=is_any_named):
            return _look_at_peers(host, is_any_named=is_any_named)
        case TcpGreets(name, port, prefix):
            where = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
            try:
                line = host.network.tcp_greeting(name, port, min(wanted.timeout, _GREETING_SECONDS))
            except OSError as error:
                return Grade.FAIL, f"{where} does not answer: {error.strerror or error}"
            if line.startswith(prefix):
                return Grade.OK, f"{where} answers: {line}"
            return Grade.FAIL, f"{where} answers, but with {line!r}"
        case UnitActive(name):
            state = host.services.state(name)
            if state.active:
                return Grade.OK, f"{name} is active"
            return Grade.FAIL, f"{name} is not active{f': {state.detail}' if state.detail else ''}"


def _look_at_peers(host: Host, *, is_any_named: bool) -> tuple[Grade, str]:
    peers = host.network.peer_states()
    answering = [(address, state) for address, state in peers if state == "ESTABLISHED"]
    if not peers:
        return Grade.WARN, "the router has no peers yet" if is_any_named else _KNOWS_NOBODY
    shown = ", ".join(f"{address} {state}" for address, state in (answering or list(peers))[:_PEERS_SHOWN])
    if answering:
        return Grade.OK, f"{len(answering)} of {len(peers)} peers answering: {shown}"
    return Grade.WARN, f"none of {len(peers)} peers answers yet: {shown}"


def wait_for(
    wanted: Verification,
    host: Host,
    progress: ProgressSink,
    is_stopped: Callable[[], bool],
    *,
    timeout: float | None = None,
) -> tuple[Grade, str]:
    """Look until it holds, its time is over, or the person wants to stop."""
    limit = timeout_of(wanted) if timeout is None else timeout
    deadline = host.now() + limit
    said = ""
    while True:
        grade, text = look(wanted, host)
        if grade is Grade.OK or host.now() >= deadline or is_stopped():
            return grade, text
        if text != said:
            progress(f"waiting: {text}")
            said = text
        host.sleep(_POLL_SECONDS)
