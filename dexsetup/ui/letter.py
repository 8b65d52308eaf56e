"""A test letter: handed to the mail server of this node at its mesh address, as any other node would.

It goes from postmaster here to a person here, so it proves the server, its address and its table of people,
and nothing about other nodes.
"""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from dexsetup.errors import MachineError

__all__ = ["send_test_letter"]

_SMTP_PORT = 25
_SECONDS = 10.0


def send_test_letter(address: str, login: str) -> str:
    """Send it; return a sentence. Raises MachineError with what the server said."""
    literal = f"[IPv6:{address}]"
    message = EmailMessage()
    message["From"] = f"postmaster@{literal}"
    message["To"] = f"{login}@{literal}"
    message["Subject"] = "A letter from your own node"
    message.set_content("dexsetup sent this letter to see whether mail arrives. It does.\n")
    try:
        with smtplib.SMTP(address, _SMTP_PORT, local_hostname=literal, timeout=_SECONDS) as server:
            server.sendmail(f"postmaster@{literal}", [f"{login}@{literal}"], message.as_bytes())
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        words = said.decode("utf-8", "replace")
        raise MachineError(f"The mail server refuses letters for {login}.", why=f"{code} {words}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise MachineError(f"No letter was sent: [{address}]:25.", why=str(error)) from error
    return f"The mail server took a letter for {login}@{literal}. Read it with: mail"
