"""dex-mailfilter: hands lines between opensmtpd, on standard input and output, and the rules.

opensmtpd starts it as its own user and ends when it ends, so it goes on whatever it reads; it ends when
opensmtpd closes its input or output. What it cannot make sense of is passed over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from dexsetup.mailfilter.rules import REGISTRATION, MailFilter

__all__ = ["main", "serve"]

_LINE_MAX = 1 << 20
"""Far above a line of SMTP (opensmtpd: 16 KiB): what is longer is cut, so that no peer fills the memory."""
_READY = b"config|ready"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until opensmtpd is gone; takes no arguments. Gives 0, or 2 when it is called wrongly."""
    if (sys.argv[1:] if argv is None else argv) or sys.stdin.isatty():
        sys.stderr.write(
            "dex-mailfilter is started by opensmtpd, from its configuration, without arguments\n"
        )
        return 2
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (BrokenPipeError, KeyboardInterrupt):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Introduce the filter, then answer line by line until the source ends."""
    lines = _lines(source)
    for line in lines:
        if line == _READY:
            break
    else:
        return
    target.write(b"".join(words + b"\n" for words in REGISTRATION))
    target.flush()
    rules = MailFilter()
    for line in lines:
        answer = rules.receive(line)
        if answer is not None:
            target.write(answer + b"\n")
            target.flush()


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline(_LINE_MAX):
        yield line.removesuffix(b"\n")
