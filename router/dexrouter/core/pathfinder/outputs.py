"""What a pathfinder wants from its node. The node does it in this order and answers nothing."""

from __future__ import annotations

from dataclasses import dataclass

from dexrouter.crypto.keys import Address, PublicKey

__all__ = ["PathFound", "PathLost", "PathfinderOutput", "SendMessage"]


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send this router message (content type 256) to a node, over exactly this path."""

    key: PublicKey
    address: Address
    version: int
    """Protocol version of the receiver as far as it is known, never 0."""

    path: int
    content: bytes
    """One bencoded dictionary."""


@dataclass(frozen=True, slots=True)
class PathFound:
    """Tell the sessions that this path leads to this node."""

    key: PublicKey
    address: Address
    version: int
    path: int
    metric: int
    """See core/metric.py; lower is better."""


@dataclass(frozen=True, slots=True)
class PathLost:
    """Tell the sessions that this path no longer leads to the node of this address."""

    address: Address
    path: int


PathfinderOutput = SendMessage | PathFound | PathLost
