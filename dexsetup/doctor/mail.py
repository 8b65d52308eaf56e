"""The mail end of the chain: what starts at boot, what the files say, who greets on port 25.

The same for a mesh address and for a public one; only what the server has to wait for at boot differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dexsetup.doctor.finding import AGAIN, Finding, Remedy
from dexsetup.facts import Facts
from dexsetup.host.base import Host
from dexsetup.plan.events import Grade
from dexsetup.steps.boot import drop_in_path
from dexsetup.steps.mail import mail_literal

__all__ = ["mail_links", "unit_at_boot", "waiting_at_boot"]

_SMTP_PORT = 25
_GREETING_SECONDS = 10.0


def unit_at_boot(host: Host, name: str, *, is_pulled_in: bool = False) -> Finding:
    """Look whether a unit starts at boot; one that another unit pulls in need not be enabled."""
    state = host.services.state(name)
    if not state.exists:
        text = f"{name} is not on this machine"
        return Finding("boot", Grade.FAIL, text, "it was removed", AGAIN, Remedy.APPLY)
    if not state.enabled and not is_pulled_in:
        text, fix = f"{name} is not started at boot", f"sudo systemctl enable {name}"
        return Finding("boot", Grade.FAIL, text, "it is not enabled", fix, Remedy.APPLY)
    return Finding("boot", Grade.OK, f"{name} is started at boot")


def waiting_at_boot(host: Host, facts: Facts, awaited: str) -> Finding:
    """Look whether the mail server waits for what its address needs: else mail is gone after a reboot."""
    path, unit = drop_in_path(facts), facts.mail_server.unit
    text = (host.read(path) or b"").decode("utf-8", "replace")
    if f"Wants={awaited}" in text and f"After={awaited}" in text:
        return Finding("boot", Grade.OK, f"{unit} waits for its address")
    cause = (
        f"{path} is not there or does not name {awaited}: at boot the server would find no address and end"
    )
    return Finding("boot", Grade.FAIL, f"{unit} does not wait for its address", cause, AGAIN, Remedy.APPLY)


def mail_links(host: Host, facts: Facts, address: str) -> Iterator[Finding]:
    """Look at the files, the server and its greeting."""
    server = facts.mail_server
    for path, needle in ((server.config, address), (server.mailname, mail_literal(address))):
        if needle not in (host.read(path) or b"").decode("utf-8", "replace"):
            text, cause = (
                f"{path} does not carry {address}",
                "it was written for another key, or by somebody else",
            )
            yield Finding("mail", Grade.FAIL, text, cause, AGAIN, Remedy.APPLY)
    state = host.services.state(server.unit)
    if not state.active:
        fix = f"sudo systemctl restart {server.unit}" if host.services.name == "systemd" else AGAIN
        cause = state.detail or "it was stopped"
        yield Finding("mail", Grade.FAIL, f"{server.unit} is not active", cause, fix, Remedy.APPLY)
        return
    yield _greeting(host.network.tcp_greeting, address, server.unit)


def _greeting(ask: Callable[[str, int, float], str], address: str, unit: str) -> Finding:
    place = f"[{address}]:{_SMTP_PORT}"
    try:
        line = ask(address, _SMTP_PORT, _GREETING_SECONDS)
    except TimeoutError as error:
        cause = f"{error.strerror or error}: it asks a name server that does not answer before it greets"
        return Finding("mail", Grade.FAIL, f"{place} does not greet", cause, AGAIN, Remedy.APPLY)
    except OSError as error:
        cause = f"{error.strerror or error}: {unit} listens elsewhere"
        return Finding(
            "mail",
            Grade.FAIL,
            f"{place} does not answer",
            cause,
            f"sudo systemctl restart {unit}",
            Remedy.RESTART,
            unit,
        )
    if not line.startswith("220 "):
        return Finding(
            "mail",
            Grade.FAIL,
            f"{place} answers with {line!r}",
            "another program has the port",
            "sudo ss -ltnp",
        )
    return Finding("mail", Grade.OK, f"{place} greets: {line}")
