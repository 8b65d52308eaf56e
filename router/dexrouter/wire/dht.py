"""Messages between routers: DHT queries, route server queries, and the replies (spec 05 §2 and §9).

One bencoded dictionary, content type 256. A message with `q` or `sq` is a query, another one a reply. `es`,
`ei` and `p` stand in every message: scheme, form of the way to the receiver, protocol version.

Reading follows the stock nodes: a known key of another type counts as absent; a node list that is not whole
is ignored as a whole; unknown keys, padding and bytes behind the end do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from dexrouter.wire import bencode
from dexrouter.wire.bencode import Bencoded
from dexrouter.wire.encoding_scheme import V358, EncodingScheme
from dexrouter.wire.errors import WireError

__all__ = ["NODE_SIZE", "DhtMessage", "NodeEntry", "decode_versions", "encode_versions"]

_NODE: Final = Struct(">32sQ")

_MAX_VERSION: Final = 0xFFFF_FFFF

NODE_SIZE: Final = _NODE.size
"""40 bytes: public key and label."""


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """One node of the list in a reply."""

    key: bytes
    """32 bytes."""

    label: int
    """From the responder to the node, fitted for the asker; in replies to `sq=gr` the whole path."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DhtMessage:
    """One message; absent keys are None (or 0, False, empty)."""

    txid: bytes
    """Chosen by the asker, copied unchanged into the reply."""

    query: bytes | None = None
    """`q`: pn, gp, fn, nh."""

    snode_query: bytes | None = None
    """`sq`: pn, gr, ann, pc."""

    version: int = 0
    """`p`: protocol version of the sender; 0 if absent."""

    scheme: EncodingScheme | None = None
    """`es` of the sender."""

    inverse_form: int | None = None
    """`ei`: form number, in the sender's scheme, of the sender's path to the receiver."""

    target: bytes | None = None
    """`tar`: 8 bytes of label for gp, 16 of address for the others."""

    nodes: tuple[NodeEntry, ...] = ()
    """`n` and `np`."""

    dnd: bool = False
    """Do not disturb: not to be listed for others."""

    receive_time: int | None = None
    """`recvTime`: ms since 1970 by the route server's clock."""

    state_hash: bytes | None = None
    """`stateHash`: 64 bytes."""

    error: bytes | None = None
    source: bytes | None = None
    """`src`: 16 bytes of address."""

    announcement: bytes | None = None
    """`ann`."""

    @property
    def is_query(self) -> bool:
        """Whether it wants an answer from the DHT or from a route server."""
        return self.query is not None or self.snode_query is not None

    @property
    def is_complete(self) -> bool:
        """Whether version and form are there and fit: stock nodes answer no others (spec 05 §2.6)."""
        scheme = self.scheme or V358
        return self.version > 0 and self.inverse_form is not None and self.inverse_form < len(scheme.forms)

    @classmethod
    def parse(cls, content: bytes | memoryview) -> DhtMessage:
        """Read a message. Raises `WireError`: no dictionary, no transaction id, no sane scheme."""
        entries = bencode.decode(content, trailing=True)
        if not isinstance(entries, dict):
            raise WireError("a router message is a dictionary")
        txid = _bytes(entries, b"txid")
        if not txid:
            raise WireError("a router message has a transaction id")
        scheme = _bytes(entries, b"es")
        version = _int(entries, b"p")
        return cls(
            txid=txid,
            query=_bytes(entries, b"q"),
            snode_query=_bytes(entries, b"sq"),
            version=version if version is not None and version <= _MAX_VERSION else 0,
            scheme=None if scheme is None else EncodingScheme.parse(scheme),
            inverse_form=_int(entries, b"ei"),
            target=_bytes(entries, b"tar"),
            nodes=_nodes(_bytes(entries, b"n"), _bytes(entries, b"np")),
            dnd=bool(_int(entries, b"dnd")),
            receive_time=_int(entries, b"recvTime"),
            state_hash=_bytes(entries, b"stateHash"),
            error=_bytes(entries, b"error"),
            source=_bytes(entries, b"src"),
            announcement=_bytes(entries, b"ann"),
        )

    def encode(self) -> bytes:
        """Write the message as canonical bencode."""
        entries: dict[bytes, Bencoded | None] = {
            b"txid": self.txid,
            b"q": self.query,
            b"sq": self.snode_query,
            b"p": self.version or None,
            b"es": self.scheme.serialize() if self.scheme else None,
            b"ei": self.inverse_form,
            b"tar": self.target,
            b"dnd": 1 if self.dnd else None,
            b"recvTime": self.receive_time,
            b"stateHash": self.state_hash,
            b"error": self.error,
            b"src": self.source,
            b"ann": self.announcement,
        }
        if self.nodes:
            entries[b"n"] = b"".join(_NODE.pack(node.key, node.label) for node in self.nodes)
            entries[b"np"] = encode_versions([node.version for node in self.nodes])
        return bencode.encode({key: value for key, value in entries.items() if value is not None})


def encode_versions(versions: Sequence[int]) -> bytes:
    """Write the versions of a node list: width byte, then the numbers (`np`, spec 05 §2.3).

    A width is too small for its own greatest value, as stock nodes have it: 255 takes two bytes.
    """
    width = min((max(versions, default=0) + 1).bit_length() + 7 >> 3, 4)
    return bytes((width,)) + b"".join(version.to_bytes(width, "big") for version in versions)


def decode_versions(data: bytes) -> tuple[int, ...] | None:
    """Read the versions of a node list; None if it is not one."""
    width = data[0] if data else 0
    if not 1 <= width <= 4 or (len(data) - 1) % width:
        return None
    return tuple(int.from_bytes(data[at : at + width], "big") for at in range(1, len(data), width))


def _nodes(packed: bytes | None, versions: bytes | None) -> tuple[NodeEntry, ...]:
    """Join keys, labels and versions; empty unless all of it fits together (spec 05 §2.6)."""
    if not packed or len(packed) % NODE_SIZE or versions is None:
        return ()
    numbers = decode_versions(versions)
    if numbers is None or len(numbers) != len(packed) // NODE_SIZE:
        return ()
    pairs = _NODE.iter_unpack(packed)
    return tuple(NodeEntry(key, label, version) for (key, label), version in zip(pairs, numbers, strict=True))


def _bytes(entries: dict[bytes, Bencoded], key: bytes) -> bytes | None:
    value = entries.get(key)
    return value if isinstance(value, bytes) else None


def _int(entries: dict[bytes, Bencoded], key: bytes) -> int | None:
    value = entries.get(key)
    return value if isinstance(value, int) and value >= 0 else None
