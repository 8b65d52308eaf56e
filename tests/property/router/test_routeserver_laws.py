"""What holds for the client of a route server, whatever its peers and the server say."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.core.control import Answered, PingKind, PingPurpose
from dexrouter.core.pathfinder.outputs import PathFound, SendMessage
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.client import RouteServerClient
from dexrouter.core.routeserver.outputs import AskPeer
from dexrouter.crypto.keys import PublicKey, address_of, generate_key_pair
from dexrouter.wire.announce import Announcement
from dexrouter.wire.control import GetSnodeReply, RPathReply
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358

OWN, SERVER, FAR = (generate_key_pair(Random(number).randbytes) for number in range(3))
# What is right comes often, or the client would hardly get beyond its first question.
LABELS = st.one_of(st.just(0x15), st.just(0x133), st.sampled_from([0, 1]), st.integers(0, 2**64 - 1))
KEYS = st.sampled_from([*[SERVER.public] * 6, FAR.public, FAR.public, OWN.public, PublicKey(bytes(32))])
REPLIES = st.builds(
    DhtMessage,
    txid=st.just(b"?"),
    version=st.sampled_from([*[21] * 6, 0, 2**32 - 1]),
    receive_time=st.sampled_from([*[1_795_000_000_000] * 6, None, 0, 2**60, 2**90]),
    state_hash=st.sampled_from([None, b"", bytes(64)]),
    nodes=st.lists(st.builds(NodeEntry, KEYS, LABELS, st.sampled_from([0, 20, 21, 2**31])), max_size=2).map(
        tuple
    ),
)


class _Peer(SimpleNamespace):
    is_routable = True


PEERS = [
    cast(
        "Peer",
        _Peer(
            slot=slot,
            label=V358.peer_label(slot),
            version=21,
            address=address_of(FAR.public),
            bytes_in=0,
            packets_in=0,
            session=SimpleNamespace(replay=SimpleNamespace(lost=0)),
        ),
    )
    for slot in (2, 3)
]


@settings(max_examples=40)
@given(st.data())
def test_the_client_survives_its_peers_and_its_server(data: st.DataObject) -> None:
    """Nothing raises; messages go to named nodes over paths that can be; announcements are whole."""
    client = RouteServerClient(own=OWN, entropy=Random(5).randbytes, supernodes=(), now=0.0)
    now = 0.0
    for _ in range(25):
        now += data.draw(st.sampled_from([1.0, 0.1, 3.0, 12.0]))
        client.poll(PEERS, now)
        client.search(address_of(FAR.public), now)
        outputs = client.drain()
        assert len(outputs) <= 8
        for output in outputs:
            match output:
                case AskPeer(path=path, kind=kind):
                    client.control(_answer(data, path, kind), now)
                case SendMessage():
                    message = DhtMessage.parse(output.content)
                    assert message.inverse_form == V358.form_number(output.path)
                    assert output.key != OWN.public
                    if message.announcement is not None:
                        announcement = Announcement.parse(message.announcement)
                        assert announcement.route_server == output.address
                    _reply(data, client, output.key, message, now)
                case PathFound():
                    assert output.path > 1
                    assert output.address == address_of(output.key)
        deadline = client.next_deadline()
        assert deadline is not None


def _answer(data: st.DataObject, path: int, kind: PingKind) -> Answered:
    label = data.draw(LABELS)
    answer = (
        RPathReply(21, label)
        if kind is PingKind.RPATH
        else GetSnodeReply(21, data.draw(st.sampled_from([0, 21, 2**32 - 1])), 0, data.draw(KEYS), label)
    )
    return Answered(PingPurpose.ROUTE_SERVER, path, path, 21, 0.01, answer)


def _reply(
    data: st.DataObject, client: RouteServerClient, key: PublicKey, query: DhtMessage, now: float
) -> None:
    if data.draw(st.integers(0, 9)) == 9:
        return
    reply = data.draw(REPLIES)
    content = reply.encode().replace(b"4:txid1:?", b"4:txid%d:%s" % (len(query.txid), query.txid))
    client.message(key, content, now)
