"""Mail programs, driven as a person drives them: s-nail, GNU mail, and alpine in a terminal."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neighbourhood import Home
from terminal import Terminal

__all__ = ["CLIENTS", "MailClient", "alpine_of"]


class MailClient(Protocol):
    """What a person does with a mail program. The person's mailbox holds one letter when it is answered."""

    def write(self, home: Home, login: str, recipient: str, subject: str, text: str) -> None:
        """Write a letter."""
        ...

    def answer(self, home: Home, login: str, text: str) -> None:
        """Answer the letter in the mailbox."""
        ...


@dataclass(frozen=True, slots=True)
class _Mailx:
    """s-nail, GNU mail."""

    program: str
    end: str
    """The line that ends a letter."""
    options: tuple[str, ...] = ()

    def write(self, home: Home, login: str, recipient: str, subject: str, text: str) -> None:
        """Write a letter whose text comes from standard input."""
        home.run(self.program, "-s", subject, recipient, stdin=f"{text}\n", login=login)

    def answer(self, home: Home, login: str, text: str) -> None:
        """Answer with the reply command."""
        commands = f"reply 1\n{text}\n{self.end}\nexit\n"
        home.run(self.program, *self.options, "-f", f"/var/mail/{login}", stdin=commands, login=login)


class _Alpine:
    """alpine 2.26: keys as its two bottom lines name them."""

    def write(self, home: Home, login: str, recipient: str, subject: str, text: str) -> None:
        """Compose from the main menu: To, Cc, Attchmnt, Subject, text."""
        with alpine_of(home, login) as window:
            window.press("c")
            window.shows("COMPOSE MESSAGE", "Subject :")
            window.type(recipient)
            window.press("Enter", "Enter", "Enter")
            window.type(subject)
            window.press("Enter")
            window.type(text)
            window.shows(subject, text)
            _send(window)

    def answer(self, home: Home, login: str, text: str) -> None:
        """Answer the first letter of the index, without its text in the answer."""
        with alpine_of(home, login) as window:
            window.press("i")
            window.shows("MESSAGE INDEX", "Message 1 of 1")
            window.press("r")
            window.shows("Include original message in Reply?")
            window.press("n")
            window.until(lambda: "COMPOSE" in _title(window))
            window.type(text)
            window.shows(text)
            _send(window)


def _title(window: Terminal) -> str:
    return window.text.partition("\n")[0]


def _send(window: Terminal) -> None:
    window.press("C-x")
    window.shows("Send message?")
    window.press("y")
    window.until(lambda: "Create?" in window.text or "COMPOSE" not in _title(window))
    if "Create?" in window.text:
        window.press("y")
    window.until(lambda: "COMPOSE" not in _title(window))


@contextlib.contextmanager
def alpine_of(home: Home, login: str) -> Iterator[Terminal]:
    """Start a person's alpine in a terminal, up to its main menu; leave it as a person does."""
    with tempfile.TemporaryDirectory() as directory:
        window = Terminal(Path(directory))
        window.start(home.command(["env", "TERM=screen", "alpine"], login=login))
        try:
            window.until(lambda: "GREETING" in window.text or "MAIN MENU" in window.text)
            if "GREETING" in window.text:
                window.press("e")
            window.shows("MAIN MENU")
            yield window
            window.press("q")
            window.shows("Really quit")
            window.press("y")
            window.code()
        finally:
            window.close()


CLIENTS: dict[str, MailClient] = {
    "s-nail": _Mailx("s-nail", "~.", ("-#",)),
    "GNU mail": _Mailx("mail.mailutils", "."),
    "alpine": _Alpine(),
}
"""By name; bsd-mailx is not among them: it cannot send to a mesh address."""
