"""Who this node is: its key, and with it its address; its UDP port, its device, its neighbours on the LAN.

All of it stands in /etc/cjdroute.conf, which is made where there is none and otherwise edited: only what an
answer names changes, every other byte stays. The file is root's alone, and the private key is never shown.
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.facts import Facts
from dexsetup.plan.model import FileSharing, ManagedFile, Risk, StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.node import (
    CONFIG,
    address_of,
    imported_path,
    present_config,
    wanted_node,
    with_node_identity,
)

__all__ = ["IdentityStep", "config_file"]


def config_file(content: bytes, based_on: bytes | None) -> ManagedFile:
    """Return cjdroute.conf as a resource: shared, secret, root's alone."""
    return ManagedFile(
        path=CONFIG, content=content, mode=0o600, sharing=FileSharing.SHARED, based_on=based_on, secret=True
    )


class IdentityStep:
    """See the module docstring."""

    name = "identity"
    title = "Key and address of this node"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the configuration that is there, and the one whose key shall be taken over."""
        del facts
        path = imported_path(answers)
        return (CONFIG,) if path is None else (CONFIG, path)

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the file with the identity that the answers ask for."""
        content = with_node_identity(inputs)
        if wanted_node(inputs.answers, inputs.facts) is None or content is None:
            return None
        present = inputs.facts.files[CONFIG].content if CONFIG in inputs.facts.files else None
        address = address_of(content)
        risks: tuple[Risk, ...] = ()
        notes: tuple[str, ...] = ()
        former = present_config(inputs.facts)
        if former is None:
            notes = (_first_note(address),)
        elif address_of(former) != address:
            risks = (
                Risk(
                    "new-address",
                    f"The node gets another key, and with it the address {address} in place of "
                    f"{address_of(former)}: nobody who knows the old one reaches it any more.",
                ),
            )
            notes = (_new_note(address),)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(config_file(content, present),),
            risks=risks,
            notes=notes,
            address=address,
        )


def _new_note(address: str) -> str:
    return (
        f"Tell your friends the new address, {address}: `dexsetup card` prints what to send them. Letters "
        "that wait in the queue name the old one as their sender, and will be refused."
    )


def _first_note(address: str) -> str:
    return (
        f"This node's address is {address}. Whoever has {CONFIG} has the address: keep a copy of it in a "
        "safe place."
    )
