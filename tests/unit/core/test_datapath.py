"""Runs of packets: the same as its packets one by one, whatever is between them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_lines import UDP, counts, datagrams, host_packets, linked, mixed, packet
from dexrouter.core.outputs import ToTun, Train, Transmit
from dexrouter.core.packets import Packets, Spans, copied
from dexrouter.crypto import runs
from dexrouter.crypto.primitives import open_at
from virtual_wire import World

TCP, ICMP = 6, 58


CONTENTS = st.lists(
    st.tuples(st.sampled_from([TCP, UDP, ICMP]), st.binary(max_size=60), st.integers(0, 9)), max_size=12
)


@settings(max_examples=15, deadline=None)
@given(contents=CONTENTS)
def test_a_run_out_is_its_packets_one_by_one(contents: list[tuple[int, bytes, int]]) -> None:
    """Same datagrams, same counters, whatever the packets are; some go nowhere or are our own."""
    one, other = linked("a", "b"), linked("a", "b")
    packets = []
    for next_header, content, kind in contents:
        made = packet(one, "a", "a" if kind == 9 else "b", content, next_header)
        if kind == 8:
            made = packet(one, "b", "a", content, next_header)
        if kind == 7:
            made = made[:30]
        packets.append(made)
    one.nodes["a"].from_tun(packets, one.now)
    sent = datagrams(one.nodes["a"])
    for made in packets:
        other.nodes["a"].from_tun([made], other.now)
    assert datagrams(other.nodes["a"]) == sent
    assert counts(one.nodes["a"]) == counts(other.nodes["a"])


@pytest.mark.parametrize("seed", range(6))
def test_a_run_in_is_its_packets_one_by_one(seed: int) -> None:
    """Same packets to the host, same counters, replay windows and errors, with hostile ones between."""
    one, other = linked("a", "b"), linked("a", "b")
    batch = mixed(one, seed)
    assert mixed(other, seed) == batch
    one.nodes["b"].receive(0, one.address("a"), batch, one.now)
    together = one.nodes["b"].drain()
    apart = []
    for datagram in batch:
        other.nodes["b"].receive(0, other.address("a"), [datagram], other.now)
        apart += other.nodes["b"].drain()
    for kind in (Transmit, ToTun):
        assert [bytes(x) for o in together if type(o) is kind for x in parts(o)] == [
            bytes(x) for o in apart if type(o) is kind for x in parts(o)
        ]
    assert counts(one.nodes["b"]) == counts(other.nodes["b"])


def sharing(datagrams: list[bytes], *, as_train: bool) -> Packets:
    """Lay datagrams of one size out as they come from the kernel in one piece, or each with room in front."""
    if not as_train:
        return copied(datagrams)
    packets = Packets(bytearray(b"".join(datagrams)))
    size = len(datagrams[0])
    packets.spans = Spans.train(0, size, size, len(datagrams[-1]), len(datagrams))
    return packets


@pytest.mark.parametrize("as_train", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_train_of_datagrams_is_the_same_one_by_one(seed: int, *, as_train: bool) -> None:
    """Forged and replayed ones between the others, the last one shorter: the same results and counters."""
    chance = random.Random(seed)
    one, other = linked("a", "b"), linked("a", "b")
    batches = []
    for world in (one, other):
        contents = [bytes([n]) * 70 for n in range(60)] + [b"short"]
        world.nodes["a"].from_tun([packet(world, "a", "b", content) for content in contents], world.now)
        batches.append(datagrams(world.nodes["a"]))
    batch = batches[0]
    assert batches[1] == batch
    for number in chance.sample(range(60), 1 + 3 * seed):
        forged = batch[number][:30] + bytes([batch[number][30] ^ 1]) + batch[number][31:]
        batch[number] = chance.choice([forged, batch[chance.randrange(60)]])
    one.nodes["b"].receive_packets(0, one.address("a"), sharing(batch, as_train=as_train), one.now)
    together = host_packets(one.nodes["b"])
    apart = []
    for datagram in batch:
        other.nodes["b"].receive(0, other.address("a"), [datagram], other.now)
        apart += host_packets(other.nodes["b"])
    assert together == apart
    assert len(together) > 20
    assert counts(one.nodes["b"]) == counts(other.nodes["b"])


def test_a_relay_passes_a_train_on_as_one_slice() -> None:
    """Datagrams that lie one behind the other go out so; the edge hands the kernel one buffer."""
    world = linked("a", "b", "c")
    contents = [bytes([n]) * 50 for n in range(40)] + [b"end"]
    world.nodes["a"].from_tun([packet(world, "a", "c", content) for content in contents], world.now)
    through = sharing(datagrams(world.nodes["a"]), as_train=True)
    world.nodes["b"].receive_packets(0, world.address("a"), through, world.now)
    (output,) = world.nodes["b"].drain()
    assert isinstance(output, Transmit)
    (train,) = output.parts
    assert isinstance(train, Train)
    assert train.joined.obj is through.buffer
    assert [len(datagram) for datagram in train] == [110] * 40 + [63]
    world.nodes["c"].receive(0, world.address("b"), output.datagrams, world.now)
    assert [made[40:] for made in host_packets(world.nodes["c"])] == contents


def test_forged_datagrams_do_not_make_the_others_be_opened_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What lies behind a forged one is put back and opened anew: all in all at most three times the work."""
    world = linked("a", "b")
    contents = [bytes([n]) * 70 for n in range(64)]
    world.nodes["a"].from_tun([packet(world, "a", "b", content) for content in contents], world.now)
    batch = datagrams(world.nodes["a"])
    for number in range(0, 64, 2):
        batch[number] = batch[number][:-1] + bytes([batch[number][-1] ^ 1])
    opened = []

    def counting(*arguments: object) -> int:
        opened.append(1)
        return int(open_at(*arguments))

    monkeypatch.setattr(runs, "open_at", counting)
    world.nodes["b"].receive_packets(0, world.address("a"), sharing(batch, as_train=True), world.now)
    assert len(host_packets(world.nodes["b"])) == 32
    # Two layers, of which the outer one has the forged ones in it.
    assert len(opened) < 3 * (64 + 32)


def parts(output: object) -> list[bytes]:
    match output:
        case Transmit(datagrams=inside) | ToTun(packets=inside):
            return [bytes(part) for part in inside]
        case _:
            return []


def test_the_middle_of_a_line_sends_a_run_on_as_one_batch() -> None:
    """One output for the edge, in order, and the far end reads what was sent."""
    world = linked("a", "b", "c")
    contents = [bytes([n]) * 50 for n in range(40)]
    world.nodes["a"].from_tun([packet(world, "a", "c", content) for content in contents], world.now)
    world.nodes["b"].receive(0, world.address("a"), datagrams(world.nodes["a"]), world.now)
    (output,) = world.nodes["b"].drain()
    assert isinstance(output, Transmit)
    world.nodes["c"].receive(0, world.address("b"), [bytes(d) for d in output.datagrams], world.now)
    assert [made[40:] for made in host_packets(world.nodes["c"])] == contents


def test_outputs_are_slices_of_the_buffer_that_was_given() -> None:
    """Nothing is copied on the way: not out, not in, not through."""
    world = linked("a", "b", "c")
    out = copied([packet(world, "a", "c", bytes(100))] * 3)
    world.nodes["a"].send_packets(out, world.now)
    (sent,) = world.nodes["a"].drain()
    assert isinstance(sent, Transmit)
    through = copied(sent.datagrams)
    world.nodes["b"].receive_packets(0, world.address("a"), through, world.now)
    (moved,) = world.nodes["b"].drain()
    assert isinstance(moved, Transmit)
    into = copied(moved.datagrams)
    world.nodes["c"].receive_packets(0, world.address("b"), into, world.now)
    (arrived,) = world.nodes["c"].drain()
    assert isinstance(arrived, ToTun)
    for owner, slices in (
        (out, sent.datagrams),
        (through, moved.datagrams),
        (into, arrived.packets),
    ):
        assert all(isinstance(part, memoryview) and part.obj is owner.buffer for part in slices)


def test_packets_to_two_places_are_one_batch_for_each() -> None:
    """Taking turns, as two streams through one node do."""
    world = World()
    world.add("m")
    for name in ("a", "b", "c"):
        world.add(name)
        world.connect(name, "m")
    for _ in range(30):
        for there, back in (("b", "a"), ("c", "a")):
            world.from_tun("a", packet(world, "a", there, b"hello"))
            world.from_tun(there, packet(world, there, back, b"hello"))
        world.run(0.25)
    mixture = [packet(world, "a", "bc"[n % 2], bytes([n])) for n in range(20)]
    world.nodes["a"].from_tun(mixture, world.now)
    world.nodes["m"].receive(0, world.address("a"), datagrams(world.nodes["a"]), world.now)
    outputs = [output for output in world.nodes["m"].drain() if isinstance(output, Transmit)]
    assert [len(output.datagrams) for output in outputs] == [10, 10]


def test_a_run_across_the_counters_limit_begins_a_new_session() -> None:
    """The counter never wraps: what does not fit any more goes the way of a single packet."""
    world = linked("a", "b")
    (session,) = world.nodes["a"].sessions.by_address.values()
    session.crypto._next = 0xFFFF_FFF0 - 2
    world.nodes["a"].from_tun([packet(world, "a", "b", b"x")] * 5, world.now)
    world.nodes["a"].drain()
    assert session.crypto.next_counter < 10
