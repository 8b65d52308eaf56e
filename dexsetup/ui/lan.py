"""Who is on the local network, for the page of peers and for plain lines: the same words for both.

Nothing of the toolkit is needed here. `LanEar` hears in a thread of its own, for lines, which wait for a
person; the screen has its own threads (probing.py).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dexsetup.errors import DexsetupError

if TYPE_CHECKING:
    from dexsetup.neighbours import Neighbour
    from dexsetup.ui.desk import Desk

__all__ = ["HEARD", "LanEar", "lan_words", "neighbour_name"]

HEARD = "heard"
"""What is known of a neighbour that was not asked, or did not answer yet."""
_END_SECONDS = 2.0


def lan_words(count: int, *, is_listening: bool, deaf: tuple[str, ...]) -> str:
    """Return the sentence about the local network; empty before anybody listens."""
    if count:
        return f"{count} found on the local network. Each is called by itself, if you answer yes:"
    if is_listening:
        return "Listening on the local network: nobody yet. A neighbour speaks up every 33 seconds."
    if deaf:
        return f"The local network cannot be heard. {'; '.join(deaf)}"
    return ""


def neighbour_name(neighbour: Neighbour) -> str:
    """Return what a neighbour is called: it tells no name, but a key and a version."""
    return f"{neighbour.public_key[:8]} v{neighbour.version}"


class LanEar:
    """Listens from its start to its end; what was heard can be read at any time."""

    def __init__(self, desk: Desk, own_address: str) -> None:
        self._desk = desk
        self._own_address = own_address
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listen", daemon=True)
        self._heard: dict[str, Neighbour] = {}
        self.deaf: tuple[str, ...] = ()
        """Why some of them cannot be heard."""

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer. Once more does no harm."""
        self._is_over.set()
        self._thread.join(_END_SECONDS)

    @property
    def is_listening(self) -> bool:
        """Whether somebody may still be heard."""
        return self._thread.is_alive()

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Those that were heard, the first one first."""
        return tuple(self._heard.values())

    def _listen(self) -> None:
        try:
            self.deaf = self._desk.listen(self._own_address, self._take, self._is_over.is_set)
        except DexsetupError as error:
            self.deaf = (error.what,)

    def _take(self, neighbour: Neighbour) -> None:
        self._heard[neighbour.address] = neighbour
