"""The server side of the admin API (spec 07): datagrams in, datagrams out; no socket of its own.

    receive(source, datagram, now, wall_ms)     a request: the replies that can be given at once
    poll(now, wall_ms), next_deadline()         answers that came later, log records
    close()                                     the log is no longer listened to

Whoever runs it must also carry out what the node has to do after each call (`node.drain()`), because calls
change the node and send pings.

Rules:

* Whatever a datagram holds, nothing is raised. What is no bencoded dictionary with a function name gets no
  reply.
* Without authentication a request costs one lookup in a table and, for the few open functions, one page of
  values; those of the node store look through the link graph for it, which is bounded.
* A function that does not exist here and one that the caller may not call get the same reply.
* What was not asked for goes only to addresses that have authenticated within the last 30 seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from dexrouter.admin.auth import NO_PASSWORD, cookie_at, is_authentic
from dexrouter.admin.calls import TABLES
from dexrouter.admin.calls.pings import collect_pings
from dexrouter.admin.calls.routing import collect_inquiries
from dexrouter.admin.context import Context
from dexrouter.admin.edge import Edge, EdgeError
from dexrouter.admin.log import LogStreams
from dexrouter.admin.message import MAX_REQUEST, TOO_BIG, Reply, Request, encode, parse_request
from dexrouter.admin.table import Call, Caller, CallError, Function, Source, check_arguments
from dexrouter.core.node import Node
from dexrouter.crypto.entropy import Entropy

__all__ = ["AdminServer", "Outgoing"]

Outgoing = tuple[Source, bytes]
"""Send this datagram to this address."""

_REFUSED: Final[Reply] = {"error": "No functions matched your request, try Admin_availableFunctions()"}
_NOT_AUTHENTIC: Final[Reply] = {"error": "Auth failed."}


class AdminServer:
    """Answers requests for one node. Times are monotonic seconds and Unix time in milliseconds."""

    def __init__(self, *, node: Node, edge: Edge, password: str, entropy: Entropy, pid: int) -> None:
        """`password` as configured; `NONE` asks for none."""
        self._password = password.encode("utf-8", "surrogateescape")
        self._is_open = password == NO_PASSWORD
        self._context = Context(
            node=node,
            edge=edge,
            pid=pid,
            entropy=entropy,
            functions={
                function.name: function
                for table in TABLES
                for function in table
                if function.exists_with(edge)
            },
            log=LogStreams(entropy, logging.getLogger("dexrouter")),
        )

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions that exist here, by name, in listing order."""
        return self._context.functions

    def receive(self, source: Source, datagram: bytes, now: float, wall_ms: int) -> list[Outgoing]:
        """Take a request; gives everything that must be sent now, in order."""
        if len(datagram) > MAX_REQUEST:
            return [(source, TOO_BIG)]
        self._context.known.heard(source, now)
        request = parse_request(datagram)
        if request is None:
            return []
        caller = Caller(source, request.txid)
        try:
            reply = self._answer(caller, request, datagram, now, wall_ms)
        except (CallError, EdgeError) as error:
            reply = error.reply if isinstance(error, CallError) else {"error": str(error)}
        first = self._log_records()
        replies = [] if reply is None else [_outgoing(caller, reply)]
        return [*first, *replies, *self._late_answers(now)]

    def poll(self, now: float, wall_ms: int) -> list[Outgoing]:  # noqa: ARG002 - the clocks come in pairs
        """Give what has become due: answers to pings, log records. Early calls are harmless."""
        for source in self._context.known.expire(now):
            self._context.log.forget(source)
        return [*self._late_answers(now), *self._log_records()]

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called at the latest; it is also due after each call of the node's."""
        return self._context.known.next_deadline()

    def close(self) -> None:
        """End the log streams."""
        self._context.log.close()

    def _answer(
        self, caller: Caller, request: Request, datagram: bytes, now: float, wall_ms: int
    ) -> Reply | None:
        if request.is_signed and not is_authentic(datagram, request, self._password, wall_ms):
            return _NOT_AUTHENTIC
        is_authenticated = request.is_signed or self._is_open
        if is_authenticated:
            evicted = self._context.known.authenticated(caller.source, now)
            if evicted is not None:
                self._context.log.forget(evicted)
        if request.function == "cookie" and not request.is_signed:
            return {"cookie": str(cookie_at(wall_ms))}
        function = self._context.functions.get(request.function)
        if function is None or not (function.is_open or is_authenticated):
            return _REFUSED
        arguments = check_arguments(function, request.arguments)
        return function.handler(Call(self._context, caller, arguments, now, wall_ms))

    def _late_answers(self, now: float) -> list[Outgoing]:
        late = [*collect_pings(self._context), *collect_inquiries(self._context, now)]
        return [_outgoing(caller, reply) for caller, reply in late]

    def _log_records(self) -> list[Outgoing]:
        return [_outgoing(caller, reply) for caller, reply in self._context.log.collect()]


def _outgoing(caller: Caller, reply: Reply) -> Outgoing:
    if caller.txid is not None:
        reply = {**reply, "txid": caller.txid}
    return caller.source, encode(reply)
