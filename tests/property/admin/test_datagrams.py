"""Whatever is sent to the admin API: no exception, a bounded reply, no change without authentication."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dexrouter.admin.auth import cookie_at, sign
from dexrouter.admin.message import MAX_REQUEST, encode
from tests.unit.admin.rig import PASSWORD, Rig

RIG = Rig()
"""One server for all examples: what they leave behind is part of the test."""

FUNCTIONS = sorted(RIG.server.functions)
OPEN_REPLY_LIMIT = 4096
"""Bytes. The largest replies that anybody can ask for are a page of six peers or of eight functions."""

FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "0000.0000.0000.0001",
            "0000.0000.0000.0013",
            "ffff.ffff.ffff.ffff",
            "fc3b:e60e:d799:e71a:36f4:64ea:58d2:7fa7",
            "slz5ddc577bn6c2mku7mlslg7cds7mjc4jr1r6m6t2khpwrcu7n0.k",
            "v21.0000.0000.0000.0015.slz5ddc577bn6c2mku7mlslg7cds7mjc4jr1r6m6t2khpwrcu7n0.k",
            "127.0.0.1:1",
            "[::1]:1",
            "DEBUG",
        ]
    ),
)
integers = st.one_of(st.integers(-3, 300), st.integers(-(2**63), 2**63 - 1))
values = st.recursive(
    integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = sorted({name for function in RIG.server.functions.values() for name in function.arguments})
arguments = st.dictionaries(st.sampled_from(names), values, max_size=5)


def state() -> tuple[object, ...]:
    """What an unauthenticated sender must not change."""
    node = RIG.node
    return (
        tuple(user.login for user in node.users.users()),
        len(tuple(node.peering.peers())),
        tuple((one.name, one.beacon_mode) for one in node.peering.interfaces),
        RIG.edge.has_exited,
        RIG.edge.has_tunnel,
    )


@FEW
@given(st.binary(max_size=MAX_REQUEST + 5))
def test_any_bytes(datagram: bytes) -> None:
    """Garbage gets silence or a short error."""
    before = state()
    assert all(len(reply) < 200 for reply in RIG.send(datagram, ("192.0.2.66", 1)))
    assert state() == before


@FEW
@given(st.sampled_from(FUNCTIONS), arguments)
def test_any_unauthenticated_call(function: str, given_arguments: dict[str, object]) -> None:
    """At most one reply of a bounded size, and no change."""
    before = state()
    datagram = encode({"q": function, "args": given_arguments, "txid": "t"})  # type: ignore[dict-item]
    replies = RIG.send(datagram, ("192.0.2.66", 1))
    assert len(replies) <= 1
    assert all(len(reply) < OPEN_REPLY_LIMIT for reply in replies)
    assert state() == before


@FEW
@given(st.sampled_from(FUNCTIONS), arguments, st.floats(0, 5))
def test_any_authenticated_call(function: str, given_arguments: dict[str, object], wait: float) -> None:
    """No exception out of the server or the node, and no reply larger than a datagram."""
    datagram = sign(
        function,
        given_arguments,  # type: ignore[arg-type]
        password=PASSWORD.encode(),
        cookie=cookie_at(RIG.wall_ms),
        txid="t",
    )
    assert all(len(reply) <= 65_507 for reply in RIG.send(datagram))
    RIG.later(wait)


@FEW
@given(st.data())
def test_a_changed_request_is_never_a_valid_one(data: st.DataObject) -> None:
    """Any byte of a signed request changed, cut off or doubled: not what was asked for."""
    before = state()
    cookie = cookie_at(RIG.wall_ms)
    password = PASSWORD.encode()
    good = sign(
        "AuthorizedPasswords_remove", {"user": "Local Peers"}, password=password, cookie=cookie, txid="t"
    )
    at = data.draw(st.integers(0, len(good) - 1))
    piece = data.draw(st.binary(max_size=3).filter(lambda new: new != good[at : at + 1]))
    RIG.send(good[:at] + piece + good[at + 1 :], ("192.0.2.66", 1))
    assert state() == before
