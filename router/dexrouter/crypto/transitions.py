"""What a handshake packet does to a CryptoAuth session, as data (spec 01 §6 and §8).

Rows are phases of the session, columns are kinds of authentic packets, cells are actions or the error by
which the packet is refused. `handshake.py` carries the actions out.
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from typing import Final

__all__ = ["TRANSITIONS", "Action", "Arrival", "CryptoError", "Phase", "State"]


class CryptoError(IntEnum):
    """Why a packet was refused; the numbers appear in error frames (spec 01 §8.2)."""

    NONE = 0
    RUNT = 1
    NO_SESSION = 2
    FINAL_SHAKE_FAIL = 3
    FAILED_DECRYPT_RUN_MSG = 4
    KEY_PKT_ESTABLISHED_SESSION = 5
    WRONG_PERM_PUBKEY = 6
    IP_RESTRICTED = 7
    AUTH_REQUIRED = 8
    UNRECOGNIZED_AUTH = 9
    STRAY_KEY = 10
    HANDSHAKE_DECRYPT_FAILED = 11
    WISEGUY = 12
    INVALID_PACKET = 13
    REPLAY = 14
    DECRYPT = 15


class State(IntEnum):
    """The state as the world sees it (spec 01 §6)."""

    INIT = 0
    SENT_HELLO = 1
    RECEIVED_HELLO = 2
    SENT_KEY = 3
    RECEIVED_KEY = 4
    """Also after data has been sent, until data has been received."""

    ESTABLISHED = 100


class Phase(Enum):
    """The rows of the transition table: the session when a handshake packet arrives."""

    IDLE = auto()
    """`next` = 0."""

    ASKING = auto()
    """`next` = 1: our hello is out."""

    ANSWERING = auto()
    """`next` = 2 or 3: we are the responder."""

    KEYED = auto()
    """`next` = 4: her key is here, no data was sent."""

    SENDING = auto()
    """`next` > 4, not established."""

    RUNNING = auto()
    """`next` > 4, established."""


class Arrival(Enum):
    """The columns: an authentic handshake packet. "Known" means that its temporary key is the one we have."""

    HELLO_KNOWN = auto()
    REPEAT_HELLO_KNOWN = auto()
    HELLO_NEW = auto()
    """A hello or a repeat hello."""

    KEY_NEW = auto()
    KEY_KNOWN = auto()
    REPEAT_KEY_NEW = auto()
    REPEAT_KEY_KNOWN = auto()


class Action(Enum):
    """The cells: what an accepted packet does."""

    ANSWER = auto()
    """Take her temporary key; the next packet is a key."""

    START_OVER = auto()
    """Reset, then as ANSWER."""

    CROSS = auto()
    """Two hellos have crossed: the lower permanent key stays initiator (spec 01 §8.1)."""

    ACCEPT = auto()
    """A repetition: the payload counts, the state stays."""

    ACCEPT_STEP = auto()
    """As ACCEPT, and `next` += 1."""

    TAKE_KEY = auto()
    """Take her temporary key; the next packet is data."""

    REKEY = auto()
    """Take her temporary key, compute the data secret again, `next` += 1."""


_INVALID: Final = CryptoError.INVALID_PACKET

TRANSITIONS: Final[dict[tuple[Phase, Arrival], Action | CryptoError]] = {
    (Phase.IDLE, Arrival.HELLO_NEW): Action.ANSWER,
    (Phase.ASKING, Arrival.HELLO_NEW): Action.CROSS,
    (Phase.ASKING, Arrival.KEY_NEW): Action.TAKE_KEY,
    (Phase.ASKING, Arrival.REPEAT_KEY_NEW): Action.TAKE_KEY,
    (Phase.ANSWERING, Arrival.HELLO_KNOWN): _INVALID,
    (Phase.ANSWERING, Arrival.REPEAT_HELLO_KNOWN): Action.ACCEPT,
    (Phase.ANSWERING, Arrival.HELLO_NEW): Action.START_OVER,
    (Phase.KEYED, Arrival.HELLO_KNOWN): _INVALID,
    (Phase.KEYED, Arrival.REPEAT_HELLO_KNOWN): _INVALID,
    (Phase.KEYED, Arrival.HELLO_NEW): Action.START_OVER,
    (Phase.KEYED, Arrival.KEY_NEW): Action.TAKE_KEY,
    (Phase.KEYED, Arrival.KEY_KNOWN): _INVALID,
    (Phase.KEYED, Arrival.REPEAT_KEY_NEW): _INVALID,
    (Phase.KEYED, Arrival.REPEAT_KEY_KNOWN): Action.ACCEPT,
    (Phase.SENDING, Arrival.HELLO_KNOWN): _INVALID,
    (Phase.SENDING, Arrival.REPEAT_HELLO_KNOWN): _INVALID,
    (Phase.SENDING, Arrival.HELLO_NEW): Action.START_OVER,
    (Phase.SENDING, Arrival.KEY_NEW): Action.REKEY,
    (Phase.SENDING, Arrival.KEY_KNOWN): _INVALID,
    (Phase.SENDING, Arrival.REPEAT_KEY_NEW): _INVALID,
    (Phase.SENDING, Arrival.REPEAT_KEY_KNOWN): Action.ACCEPT_STEP,
    (Phase.RUNNING, Arrival.HELLO_KNOWN): _INVALID,
    (Phase.RUNNING, Arrival.REPEAT_HELLO_KNOWN): _INVALID,
    (Phase.RUNNING, Arrival.HELLO_NEW): Action.START_OVER,
}
"""Spec 01 §8 step E8. The pairs that are missing cannot occur: key packets come this far only to an initiator
that is not established, and in the first two phases there is no temporary key to be known."""
