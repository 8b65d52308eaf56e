"""What a route server knows of a node: the messages that count, and their hash (spec 05 §10.3).

Both sides keep this list, oldest first, and compare the hashes; where they differ everything is said anew.

Rules, after each message: one with the reset flag empties the list first. A message of which every entity was
said again in a later one is dropped, except the newest; link states count for nothing. A message more than
20 minutes older than the newest is dropped.

Bound: every message kept has an entity that no later one has, and there are 65,536 peer numbers. Of its own
a node has 20 minutes of messages, at most two a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha512
from typing import Final

from dexrouter.wire.announce import Announcement, Entity, PeerLink, ProtocolVersion, Scheme

__all__ = ["HASH_SIZE", "LIFETIME", "NO_HASH", "AnnouncedState", "Identity", "Said", "identity_of"]

HASH_SIZE: Final = 64
NO_HASH: Final = bytes(HASH_SIZE)
"""Hash of a node that has said nothing."""

LIFETIME: Final = 20 * 60 * 1000
"""Milliseconds for which a message counts."""

Identity = tuple[str, int]
"""What a later entity must have in common with an earlier one to take its place."""


def identity_of(entity: Entity) -> Identity | None:
    """Tell what an entity is about; None: nothing that lasts."""
    match entity:
        case Scheme():
            return "scheme", 0
        case ProtocolVersion():
            return "version", 0
        case PeerLink(number=number):
            return "peer", number
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Said:
    """The last that was said about something."""

    entity: Entity
    timestamp: int
    """Milliseconds, of the message that said it."""


@dataclass(frozen=True, slots=True)
class _Message:
    content: bytes
    timestamp: int
    entities: dict[Identity, Entity]


class AnnouncedState:
    """The list of one node's messages."""

    __slots__ = ("_messages", "hash", "said")

    def __init__(self) -> None:
        self._messages: list[_Message] = []
        self.said: dict[Identity, Said] = {}
        """All that holds now."""
        self.hash = NO_HASH

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def contents(self) -> list[bytes]:
        """The messages that count, oldest first."""
        return [message.content for message in self._messages]

    def clear(self) -> None:
        """Forget everything."""
        self._messages = []
        self._refresh()

    def accept(self, content: bytes, announcement: Announcement) -> None:
        """Add a message; `content` is its bytes as they were sent."""
        entities = {
            identity: entity
            for entity in announcement.entities
            if (identity := identity_of(entity)) is not None
        }
        if announcement.is_reset:
            self._messages = []
        self._messages.append(_Message(content, announcement.timestamp, entities))
        oldest = announcement.timestamp - LIFETIME
        seen: set[Identity] = set()
        kept: list[_Message] = []
        for message in reversed(self._messages):
            is_new = not message.entities.keys() <= seen
            seen |= message.entities.keys()
            if (is_new or not kept) and message.timestamp >= oldest:
                kept.append(message)
        self._messages = kept[::-1]
        self._refresh()

    def _refresh(self) -> None:
        digest = NO_HASH
        self.said = {}
        for message in self._messages:
            digest = sha512(digest + message.content).digest()
            for identity, entity in message.entities.items():
                self.said[identity] = Said(entity, message.timestamp)
        self.hash = digest
