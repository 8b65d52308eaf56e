"""`dexsetup new-address`: another key, and with it everything that carries the address, in one run."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dexsetup.answers.model import Node
from dexsetup.commands.apply import apply_answers
from dexsetup.commands.look import present_config
from dexsetup.commands.session import Session
from dexsetup.errors import MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.steps.configuration import node_address

__all__ = ["new_address"]

_FOLLOWING_RISKS = ("new-address", "mesh-mail")
"""What this command is for, and what was accepted when mail was set up: the same doors at another address."""


def new_address(session: Session, source: str | None) -> ExitCode:
    """Give the node another key, new or from the configuration at `source`, and apply all answers anew."""
    last, config = session.last_applied(), present_config(session)
    if last is None or config is None:
        raise MachineError(
            "There is no node here that dexsetup set up, so there is no address to replace.",
            advice="dexsetup, or dexsetup --answers FILE",
        )
    former = node_address(config)
    key = f"import:{source}" if source is not None else f"replace:{former}"
    backend: Literal["embedded", "cjdns"] = "cjdns" if session.facts.running_router == "cjdns" else "embedded"
    node = (last.node or Node(backend=backend)).model_copy(update={"key": key})
    accepted = (*session.flags.accepted_risks, *_FOLLOWING_RISKS)
    session.flags = replace(session.flags, accepted_risks=accepted)
    return apply_answers(session, last.model_copy(update={"node": node}))
