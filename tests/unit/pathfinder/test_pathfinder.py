"""The pathfinder as a whole: what it asks, what it believes, what it tells the sessions."""

from __future__ import annotations

from random import Random

import pytest

from dexrouter.core.metric import DHT_NODE, DHT_PEER, NO_INFORMATION, SM_INCOMING, effective_metric
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.pathfinder import Pathfinder, PathFound, PathLost, SendMessage
from dexrouter.crypto.keys import PublicKey, address_of
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358
from tests.sim.labelmesh import make_key

RANDOM = Random(9)
OWN, PEER, FAR, OTHER, THIRD = (make_key(RANDOM) for _ in range(5))


class Bench:
    """One pathfinder, whose messages are looked at one by one."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pathfinder = Pathfinder(own=OWN, entropy=Random(1).randbytes, now=0.0)
        self.asked: list[tuple[SendMessage, DhtMessage]] = []
        self.replies: list[tuple[PublicKey, int, bytes]] = []
        """Receiver, path, transaction id."""
        self.found: list[PathFound] = []
        self.lost: list[PathLost] = []

    def take(self) -> None:
        for output in self.pathfinder.drain():
            match output:
                case SendMessage():
                    message = DhtMessage.parse(output.content)
                    if message.is_query:
                        self.asked.append((output, message))
                    else:
                        self.replies.append((output.key, output.path, message.txid))
                case PathFound():
                    self.found.append(output)
                case PathLost():
                    self.lost.append(output)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.pathfinder.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.pathfinder.poll(self.now)
            self.take()
        self.now = end

    def peer_up(self, key: PublicKey = PEER, path: int = 0x13) -> None:
        self.pathfinder.peer_up(key, 21, path, self.now)
        self.take()

    def reply(self, *nodes: NodeEntry, to: int = -1, key: PublicKey | None = None, form: int = 0) -> None:
        """Answer a question, the last one by default."""
        sent, message = self.asked.pop(to)
        answer = DhtMessage(txid=message.txid, version=21, scheme=V358, inverse_form=form, nodes=nodes)
        self.pathfinder.message(key or sent.key, sent.path, answer.encode(), self.now)
        self.take()

    def query(self, key: PublicKey, path: int, *, txid: bytes = b"00x", version: int = 21) -> None:
        message = DhtMessage(txid=txid, query=b"pn", version=version, scheme=V358, inverse_form=0)
        self.pathfinder.message(key, path, message.encode(), self.now)
        self.take()

    def connect(self) -> None:
        """A line: us, PEER, FAR."""
        self.peer_up()
        self.reply(NodeEntry(FAR, 0x15, 21))
        self.reply()


def test_a_new_peer_is_offered_and_asked_at_once() -> None:
    """Its path is good for sessions before it has answered anything."""
    bench = Bench()
    bench.peer_up()
    assert bench.found == [PathFound(PEER, address_of(PEER), 21, 0x13, DHT_PEER)]
    ((sent, message),) = bench.asked
    assert (sent.key, sent.path, message.query, message.target) == (PEER, 0x13, b"gp", bytes(8))
    assert (message.version, message.scheme, message.inverse_form) == (21, V358, 0)
    assert message.txid.startswith(b"00")
    assert len(message.txid) == 14


def test_peer_up_is_idempotent() -> None:
    """A reminder of a peer changes nothing and asks nothing."""
    bench = Bench()
    bench.peer_up()
    bench.peer_up()
    assert len(bench.asked) == 1
    assert len(bench.found) == 1


def test_a_silent_peer_is_asked_again() -> None:
    """Until it answers, with pauses that grow, and never while a question is open."""
    bench = Bench()
    bench.peer_up()
    bench.wait(40.0)
    assert 4 <= len(bench.asked) <= 12
    assert all(sent.path == 0x13 for sent, _ in bench.asked)


def test_what_others_name_is_asked_not_believed() -> None:
    """A node enters the graph, and its path the sessions, only when it has answered itself."""
    bench = Bench()
    bench.peer_up()
    bench.reply(NodeEntry(FAR, 0x15, 21), NodeEntry(OWN, 0x13, 21), NodeEntry(PEER, 1, 21))
    assert [sent.key for sent, _ in bench.asked] == [FAR]
    assert bench.asked[0][0].path == 0x153
    bench.wait(0.2)
    assert bench.pathfinder.best_path(address_of(FAR)) is None
    assert not [found for found in bench.found if found.key == FAR]
    bench.reply()
    bench.wait(0.2)
    assert bench.pathfinder.best_path(address_of(FAR)) == 0x153
    (offer,) = [found for found in bench.found if found.key == FAR]
    assert (offer.path, offer.version, offer.metric >> 20) == (0x153, 21, DHT_NODE >> 20)


def test_an_answer_from_another_node_does_not_count() -> None:
    """The session's key must be that of the node asked."""
    bench = Bench()
    bench.peer_up()
    bench.reply(key=OTHER)
    assert bench.pathfinder.drops["reply.unasked"] == 1
    assert bench.pathfinder.counters()["nodes"] == 0


def test_an_answer_that_comes_by_another_way_proves_neither() -> None:
    """A relay in front of a gap has led the question around it: the node is asked again, the way it came."""
    bench = Bench()
    bench.connect()
    bench.now += 1.0
    bench.pathfinder.probe(FAR, 21, 0x153, bench.now)
    bench.take()
    ((_, message),) = [(sent, message) for sent, message in bench.asked if sent.path == 0x153]
    heard = {node.key: node.heard for node in bench.pathfinder.known_nodes()}
    answer = DhtMessage(txid=message.txid, version=21, scheme=V358, inverse_form=0).encode()
    bench.pathfinder.message(FAR, 0x157, answer, bench.now)
    bench.take()
    assert {node.key: node.heard for node in bench.pathfinder.known_nodes()} == heard
    assert bench.pathfinder.drops["reply.elsewhere"] == 1
    assert (FAR, 0x157) in [(sent.key, sent.path) for sent, _ in bench.asked]


def test_an_answer_counts_once() -> None:
    """The second copy of an answer is refused."""
    bench = Bench()
    bench.peer_up()
    sent, message = bench.asked[0]
    answer = DhtMessage(txid=message.txid, version=21, scheme=V358, inverse_form=0).encode()
    for _ in range(2):
        bench.pathfinder.message(sent.key, sent.path, answer, 0.1)
    assert bench.pathfinder.drops["reply.unasked"] == 1


def test_a_late_answer_still_counts() -> None:
    """A slow node is known after all."""
    bench = Bench()
    bench.peer_up()
    bench.wait(3.0)
    bench.reply(to=0)
    assert bench.pathfinder.counters()["nodes"] == 1


def test_who_asks_us_is_asked_back() -> None:
    """A query from a stranger gives sessions a path of last resort, and the crawl somebody to ask."""
    bench = Bench()
    bench.connect()
    bench.asked.clear()
    bench.query(OTHER, 0x1753)
    assert (OTHER, 0x1753) in [(sent.key, sent.path) for sent, _ in bench.asked]
    assert PathFound(OTHER, address_of(OTHER), 21, 0x1753, SM_INCOMING) in bench.found
    assert bench.pathfinder.best_path(address_of(OTHER)) is None
    bench.reply()
    assert bench.pathfinder.best_path(address_of(OTHER)) == 0x1753


@pytest.mark.parametrize(
    ("version", "txid", "path", "names_others", "is_answered"),
    [
        (20, b"1" + bytes(12), 0x153, False, False),
        (20, b"1" + bytes(11), 0x153, True, True),
        (20, b"0" + bytes(12), 0x153, True, True),
        (20, b"1" + bytes(12), 0x13, True, True),
        (21, b"01" + bytes(12), 0x153, True, False),
        (21, b"01" + bytes(12), 0x153, False, True),
        (21, b"00" + bytes(12), 0x153, True, True),
        (21, b"01" + bytes(12), 0x13, True, True),
    ],
)
def test_a_ping_whose_answer_would_pin_a_path_gets_a_question(
    *, version: int, txid: bytes, path: int, names_others: bool, is_answered: bool
) -> None:
    """The one with which a stock node sets up a session, unless that node lives by the answer.

    Without a DHT pathfinder it does; and to a direct peer the answer does no harm.
    """
    bench = Bench()
    key = PEER if path == 0x13 else FAR
    bench.peer_up()
    bench.reply(NodeEntry(FAR, 0x15, 21))
    bench.reply(*[NodeEntry(OTHER, 0x17, 21)] * names_others)
    bench.asked.clear()
    bench.query(key, path, txid=txid, version=version)
    assert bench.replies == ([(key, path, txid)] if is_answered else [])
    questions = [message.query for sent, message in bench.asked if (sent.key, sent.path) == (key, path)]
    assert questions == ([] if is_answered else [b"pn"])
    bench.query(key, path, txid=txid, version=version)
    assert len(bench.replies) == (2 if is_answered else 0), "our question is still under way"


def test_a_ping_of_a_stranger_is_answered() -> None:
    """Whatever it would pin: a question alone is for nodes that have answered one."""
    bench = Bench()
    bench.peer_up()
    bench.query(FAR, 0x153, txid=b"1" + bytes(12), version=20)
    assert bench.replies == [(FAR, 0x153, b"1" + bytes(12))]


def test_a_ping_over_a_path_that_is_refused_just_now_is_answered() -> None:
    """Then we ask nothing over it."""
    bench = Bench()
    bench.connect()
    bench.pathfinder.switch_error(0x153, 0x15, 1, bench.now)
    bench.take()
    bench.query(FAR, 0x153, txid=b"1" + bytes(12), version=20)
    assert bench.replies == [(FAR, 0x153, b"1" + bytes(12))]


def test_a_lost_peer_takes_its_paths_along() -> None:
    """Sessions are told of every path that began with it."""
    bench = Bench()
    bench.connect()
    bench.wait(0.5)
    bench.pathfinder.peer_gone(0x13, bench.now)
    bench.take()
    assert {(lost.address, lost.path) for lost in bench.lost} >= {
        (address_of(PEER), 0x13),
        (address_of(FAR), 0x153),
    }
    assert bench.pathfinder.best_path(address_of(FAR)) is None


def test_a_switch_error_takes_the_path_away_at_once() -> None:
    """The session hears of it, the node before the break is asked; the path rests for a while."""
    bench = Bench()
    bench.connect()
    bench.wait(0.5)
    bench.asked.clear()
    bench.pathfinder.search(address_of(FAR), bench.now)
    bench.pathfinder.switch_error(0x153, 0x8000_0000_0000_0015, 8, bench.now)
    bench.take()
    assert PathLost(address_of(FAR), 0x153) in bench.lost
    assert (PEER, b"gp", (0x15).to_bytes(8)) in [
        (sent.key, message.query, message.target) for sent, message in bench.asked
    ]
    bench.wait(2.5)
    assert not [sent for sent, _ in bench.asked if sent.path == 0x153]


def test_errors_that_say_nothing_of_paths_are_counted() -> None:
    """An authentication error, one for a path that we cannot have used, and a flood of them."""
    bench = Bench()
    bench.connect()
    bench.pathfinder.switch_error(0x153, 0x15, 6, bench.now)
    for _ in range(30):
        bench.pathfinder.switch_error(0x153, 0x1234, 1, bench.now)
    drops = bench.pathfinder.drops
    assert (drops["error.other"], drops["error.elsewhere"], drops["error.too_many"]) == (1, 20, 10)
    assert bench.pathfinder.best_path(address_of(FAR)) == 0x153


def test_a_dead_path_is_replaced_by_the_alternative() -> None:
    """FAR is reached over two peers; when one way is silent, the other is the best within seconds."""
    bench = Bench()
    bench.connect()
    bench.peer_up(OTHER, 0x15)
    bench.reply(NodeEntry(FAR, 0x17, 21))
    bench.reply(to=[sent.path for sent, _ in bench.asked].index(0x175))
    bench.wait(0.5)
    assert bench.pathfinder.best_path(address_of(FAR)) == 0x153
    bench.asked.clear()
    for _ in range(14):
        bench.pathfinder.search(address_of(FAR), bench.now)
        bench.wait(0.5)
        while working := [index for index, (sent, _) in enumerate(bench.asked) if sent.path != 0x153]:
            bench.reply(to=working[0])
    assert bench.pathfinder.best_path(address_of(FAR)) == 0x175
    assert PathLost(address_of(FAR), 0x153) in bench.lost
    assert [found.path for found in bench.found if found.key == FAR][-1] == 0x175


def test_a_search_asks_nodes_closer_and_closer() -> None:
    """An unknown address is searched by `fn`; who is named as the target is asked, and then offered."""
    bench = Bench()
    bench.connect()
    bench.asked.clear()
    bench.pathfinder.search(address_of(THIRD), bench.now)
    bench.take()
    finds = [(sent.key, message.target) for sent, message in bench.asked if message.query == b"fn"]
    assert set(finds) == {(PEER, address_of(THIRD)), (FAR, address_of(THIRD))}
    bench.reply(NodeEntry(THIRD, 0x1937, 21), to=[sent.key for sent, _ in bench.asked].index(FAR))
    sent, message = bench.asked[-1]
    assert (sent.key, sent.path, message.query) == (THIRD, 0x193753, b"pn")
    assert not [found for found in bench.found if found.key == THIRD]
    bench.reply()
    assert [found.path for found in bench.found if found.key == THIRD] == [0x193753]
    assert bench.pathfinder.best_path(address_of(THIRD)) == 0x193753


def test_a_search_that_nobody_answers_is_begun_again() -> None:
    """Lost questions do not keep a search for ever: while the address is wanted it begins anew."""
    bench = Bench()
    bench.connect()
    bench.pathfinder.search(address_of(THIRD), bench.now)
    bench.take()
    bench.asked.clear()
    bench.wait(20.0)
    assert bench.pathfinder.counters()["searches_started"] > 3
    assert len([message for _, message in bench.asked if message.query == b"fn"]) > 3


def test_a_search_goes_by_the_shortest_way_that_is_known() -> None:
    """Who is named by a node far away, but known to be near, is asked at its own path."""
    bench = Bench()
    bench.connect()
    bench.pathfinder.search(address_of(THIRD), bench.now)
    bench.take()
    finds = [sent.key for sent, message in bench.asked if message.query == b"fn"]
    assert set(finds) == {PEER, FAR}
    bench.reply(NodeEntry(OTHER, 0x13, 21), to=[sent.key for sent, _ in bench.asked].index(FAR))
    far_away = [sent for sent, message in bench.asked if sent.key == OTHER and message.query == b"fn"]
    assert [sent.path for sent in far_away] == [0x1353]
    bench.reply(NodeEntry(FAR, 0x15, 21), to=[sent.key for sent, _ in bench.asked].index(OTHER))
    assert all(sent.path == 0x153 for sent, _ in bench.asked if sent.key == FAR)


def test_a_wanted_path_is_offered_again_and_again() -> None:
    """Sessions forget a path after 120 s; while it is wanted it is repeated, and not for ever after."""
    bench = Bench()
    bench.connect()
    bench.pathfinder.search(address_of(FAR), bench.now)
    bench.found.clear()
    for _ in range(100):
        bench.wait(1.0)
        while bench.asked:
            bench.reply()
    offers = [found for found in bench.found if found.key == FAR]
    assert len(offers) >= 4
    for _ in range(60):
        bench.wait(1.0)
        while bench.asked:
            bench.reply()
    bench.found.clear()
    assert bench.pathfinder.counters()["wanted"] == 0


def test_a_second_way_as_short_as_the_first_is_offered_as_the_worse_one() -> None:
    """Else the session would use now this, now that one, and only the best is tested."""
    bench = Bench()
    bench.connect()
    bench.peer_up(OTHER, 0x15)
    bench.reply(NodeEntry(FAR, 0x17, 21))
    bench.reply(to=[sent.path for sent, _ in bench.asked].index(0x175))
    bench.wait(0.5)
    bench.found.clear()
    bench.pathfinder.search(address_of(FAR), bench.now)
    bench.take()
    second, first = [found for found in bench.found if found.key == FAR]
    assert (second.path, first.path) == (0x175, 0x153)
    assert second.metric >= first.metric + 1024


def test_the_steady_state_is_quiet() -> None:
    """With everything known, two nodes cost less than a query a second."""
    bench = Bench()
    bench.connect()
    count = 0
    for _ in range(60):
        bench.wait(1.0)
        count += len(bench.asked)
        while bench.asked:
            bench.reply()
    assert 5 < count < 60


def test_a_session_may_have_its_path_tested() -> None:
    """`probe` sends one question over exactly this path, and no second one while it is open."""
    bench = Bench()
    for _ in range(3):
        bench.pathfinder.probe(FAR, 20, 0x1553, 0.0)
    bench.take()
    assert [(sent.key, sent.path, sent.version) for sent, _ in bench.asked] == [(FAR, 0x1553, 20)]


def test_a_path_seen_by_a_session_is_looked_at() -> None:
    """A packet over a new path makes the crawl ask its sender over it; nonsense paths are ignored."""
    bench = Bench()
    bench.pathfinder.discovered_path(address_of(FAR), FAR, 21, 0x1553, 0.0)
    bench.pathfinder.discovered_path(address_of(OTHER), OTHER, 21, 1, 0.0)
    bench.pathfinder.discovered_path(address_of(OWN), OWN, 21, 0x1553, 0.0)
    bench.take()
    assert [(sent.key, sent.path) for sent, _ in bench.asked] == [(FAR, 0x1553)]


def test_incompatible_peers_are_left_alone() -> None:
    """A peer below version 20, or with a key that is none, is counted and not asked."""
    bench = Bench()
    bench.pathfinder.peer_up(PEER, 19, 0x13, 0.0)
    bench.pathfinder.peer_up(PublicKey(bytes(32)), 21, 0x15, 0.0)
    bench.take()
    assert bench.pathfinder.drops["peer.incompatible"] == 2
    assert not bench.asked


def test_the_admin_view() -> None:
    """Nodes and links can be listed, the own node first."""
    bench = Bench()
    bench.connect()
    bench.wait(0.5)
    nodes = list(bench.pathfinder.known_nodes())
    assert [(node.key, node.path) for node in nodes] == [(OWN, 1), (PEER, 0x13), (FAR, 0x153)]
    links = [(link.parent, link.child, link.label) for link in bench.pathfinder.known_links()]
    assert links == [
        (address_of(OWN), address_of(PEER), 0x13),
        (address_of(PEER), address_of(FAR), 0x15),
    ]
    assert bench.pathfinder.counters()["peers"] == 1


def test_metrics_fade() -> None:
    """A path loses one for each millisecond, down to "no information"."""
    assert effective_metric(DHT_NODE, 1.5) == DHT_NODE + 1500
    assert effective_metric(DHT_NODE, 1e9) == NO_INFORMATION
    assert effective_metric(NO_INFORMATION + 1, 0.0) == NO_INFORMATION


def test_a_token_bucket() -> None:
    """The burst at once, then one token whenever it says that one will be ready."""
    bucket = TokenBucket(2, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    now = 0.0
    for _ in range(50):
        now = bucket.ready_at(now)
        assert bucket.take(now)
        assert not bucket.take(now)
    assert 16.0 < now < 17.0
