"""What holds for a pathfinder whatever others send: it never raises, and all its tables have bounds."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.core.pathfinder.capacity import SLACK
from dexrouter.core.pathfinder.failure import failed_hop
from dexrouter.core.pathfinder.pathfinder import Pathfinder, PathfinderConfig, SendMessage
from dexrouter.crypto.keys import address_of
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import F4, F8, V4X8, V358, EncodingScheme
from dexrouter.wire.labels import MAX_PATH_BITS, label_bits
from tests.sim.labelmesh import LabelMesh, line, make_key

RANDOM = Random(4)
KEYS = [make_key(RANDOM) for _ in range(40)]
SMALL = PathfinderConfig(max_nodes=8, max_links=24, max_wanted=4, max_queries=12, max_asks=6, max_searches=2)

keys = st.sampled_from(KEYS)
labels = st.one_of(
    st.sampled_from([0, 1, 0x13, 0x15, 0x17, 0x153, 0x155, 0x9E, 0x9A33, 0x1F33, (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 20) - 1),
)
schemes = st.sampled_from([None, V358, F4, F8, V4X8])
entries = st.builds(NodeEntry, keys, labels, st.sampled_from([0, 19, 20, 21, 22, 300]))
delays = st.sampled_from([0.0, 0.01, 0.5, 3.0, 40.0])

peer_up = st.tuples(st.just("peer_up"), keys, st.sampled_from([0x13, 0x15, 0x9E, 0x480, 0, 1]))
peer_gone = st.tuples(st.just("peer_gone"), st.sampled_from([0x13, 0x15, 0x9E, 0x480, 7]))
query = st.tuples(
    st.just("query"),
    keys,
    labels,
    st.sampled_from([b"pn", b"gp", b"fn", b"nh", b"x"]),
    st.binary(max_size=17),
)
reply = st.tuples(
    st.just("reply"), st.integers(0, 30), st.lists(entries, max_size=9), schemes, st.integers(0, 4)
)
noise = st.tuples(st.just("noise"), keys, labels, st.binary(max_size=80))
search = st.tuples(st.just("search"), keys)
probe = st.tuples(st.just("probe"), keys, labels)
error = st.tuples(st.just("error"), labels, labels, st.integers(0, 13))
seen = st.tuples(st.just("seen"), keys, labels)
wait = st.tuples(st.just("wait"), delays)
events = st.lists(
    st.one_of(peer_up, query, reply, reply, reply, noise, search, probe, error, seen, peer_gone, wait),
    max_size=60,
)


class Driver:
    """Carries events to a pathfinder and keeps what it asks, for the answers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pathfinder = Pathfinder(own=KEYS[0], entropy=Random(1).randbytes, now=0.0, config=SMALL)
        self.open: list[tuple[SendMessage, bytes]] = []

    def happen(self, name: str, *arguments: object) -> None:
        """Let one event happen, then check every bound."""
        getattr(self, name)(*arguments)
        for output in self.pathfinder.drain():
            if isinstance(output, SendMessage):
                assert 1 < output.path < 1 << 64
                assert output.key != KEYS[0]
                message = DhtMessage.parse(output.content)
                if message.is_query:
                    assert label_bits(output.path) <= 63
                    self.open.append((output, message.txid))
        self.open = self.open[-40:]
        counters = self.pathfinder.counters()
        assert counters["nodes"] <= SMALL.max_nodes + SMALL.max_wanted + counters["peers"] + SLACK + 1
        assert counters["queries"] <= SMALL.max_queries
        assert counters["asks"] <= SMALL.max_asks
        assert counters["searches"] <= SMALL.max_searches
        assert counters["wanted"] <= SMALL.max_wanted
        for node in self.pathfinder.known_nodes():
            assert label_bits(node.path) <= MAX_PATH_BITS or node.path in self.pathfinder._graph.far

    def peer_up(self, key: bytes, path: int) -> None:
        self.pathfinder.peer_up(key, 21, path, self.now)  # type: ignore[arg-type]

    def peer_gone(self, path: int) -> None:
        self.pathfinder.peer_gone(path, self.now)

    def query(self, key: bytes, path: int, method: bytes, subject: bytes) -> None:
        message = DhtMessage(
            txid=b"x", query=method, version=21, scheme=V358, inverse_form=0, target=subject or None
        )
        self.pathfinder.message(key, path, message.encode(), self.now)  # type: ignore[arg-type]

    def reply(self, which: int, nodes: list[NodeEntry], scheme: EncodingScheme | None, form: int) -> None:
        if self.open:
            sent, txid = self.open[which % len(self.open)]
            message = DhtMessage(
                txid=txid,
                version=21,
                scheme=scheme,
                inverse_form=form,
                nodes=tuple(nodes),
            )
            self.pathfinder.message(sent.key, sent.path, message.encode(), self.now)

    def noise(self, key: bytes, path: int, content: bytes) -> None:
        self.pathfinder.message(key, path, content, self.now)  # type: ignore[arg-type]

    def search(self, key: bytes) -> None:
        self.pathfinder.search(address_of(key), self.now)

    def probe(self, key: bytes, path: int) -> None:
        self.pathfinder.probe(key, 21, path, self.now)  # type: ignore[arg-type]

    def error(self, path: int, failing: int, code: int) -> None:
        self.pathfinder.switch_error(path, failing, code, self.now)

    def seen(self, key: bytes, path: int) -> None:
        self.pathfinder.discovered_path(address_of(key), key, 21, path, self.now)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        """Let time pass, waking when asked; a pathfinder that wants to be woken all the time spins."""
        end = self.now + seconds
        for _ in range(int(seconds * 200) + 50):
            deadline = self.pathfinder.next_deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.pathfinder.poll(self.now)
        else:
            raise AssertionError("it spins")
        self.now = end


@given(events)
@settings(max_examples=150)
def test_nothing_raises_and_everything_has_a_bound(happenings: list[tuple[object, ...]]) -> None:
    """Any order of peers, queries, answers (true and false), errors and silence."""
    driver = Driver()
    driver.happen("peer_up", KEYS[1], 0x13)
    driver.happen("peer_up", KEYS[2], 0x15)
    for name, *arguments in happenings:
        driver.happen(str(name), *arguments)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_counted(content: bytes) -> None:
    """Nothing that comes out of a session can hurt."""
    pathfinder = Pathfinder(own=KEYS[0], entropy=Random(1).randbytes, now=0.0)
    pathfinder.message(KEYS[1], 0x13, content, 0.0)
    assert sum(pathfinder.drops.values()) == 1 or pathfinder.drain()


@given(st.integers(2, 9), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_an_error_from_any_switch_is_located(count: int, random: Random) -> None:
    """In a line of any length, the label in an error frame names the hop at which the packet was refused."""
    mesh = LabelMesh(random.randrange(1 << 30))
    members = line(mesh, count)
    mesh.run(5.0)
    last = members[-1]
    path = members[0].session_path(last.address, mesh.now)
    assert path
    broken = random.randrange(count - 1)
    slot = next(slot for slot, cable in members[broken].cables.items() if cable.to is members[broken + 1])
    del members[broken].cables[slot]
    walked = mesh.walk(members[0], path)
    assert walked
    assert walked.error == 1
    failure = failed_hop(members[0].pathfinder._graph, path, walked.label)
    assert failure
    assert failure.node
    assert failure.node.address == members[broken].address
    assert failure.links[-1].child.address == members[broken + 1].address
