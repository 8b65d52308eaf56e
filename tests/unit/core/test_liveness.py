"""When peers are pinged, seen from the deadlines that a node tells its edge."""

from __future__ import annotations

from dexrouter.core.peer import LAZY_AFTER, PeerState
from remote import RemotePeer, make_node

NOW = 1000.0


def test_a_peer_that_is_back_is_watched_as_closely_as_before() -> None:
    """Pings of one that was away for long are eight seconds apart; those of one that is back are not."""
    node = make_node()
    remote = RemotePeer(node, 7)
    remote.establish(NOW)
    (peer,) = node.peering.peers()
    now = NOW
    while peer.state is not PeerState.UNRESPONSIVE:
        now = max(now, node.next_deadline())
        node.poll(now)
    peer.next_ping = node.peering._liveness.deadline = now + 8.192
    remote.send(remote.ping_frame(), now)
    assert node.peering.by_slot[peer.slot].state is PeerState.ESTABLISHED
    assert node.peering.next_deadline() <= now + LAZY_AFTER
