"""The order at boot: what listens on the mesh address starts after the address is there.

A drop-in, not a copy of the unit: updates of the package stay in force. After= alone would only order, and
nothing would start the unit that waits; with Wants= it works (spec 11 §3.1).
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.facts import Facts
from dexsetup.plan.model import ManagedFile, StepPlan
from dexsetup.steps.base import Inputs

__all__ = ["NETWORK_TARGET", "BootStep", "drop_in_path", "resolver_path"]

NETWORK_TARGET = "network-online.target"
"""What mail at a public address waits for."""

_DROP_IN = "opensmtpd/10-dexsetup.conf.j2"
_RESOLVER = "opensmtpd/smtpd-resolv.conf.j2"


def drop_in_path(facts: Facts) -> str:
    """Return the path of the mail server's drop-in."""
    return f"/etc/systemd/system/{facts.mail_server.unit}.d/10-dexsetup.conf"


def resolver_path() -> str:
    """Return the path of the resolver settings that the mail server sees."""
    return "/etc/dexsetup/smtpd-resolv.conf"


class BootStep:
    """See the module docstring."""

    name = "boot"
    title = "Order at boot"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Nothing."""
        del answers, facts
        return ()

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the mail server's drop-in, or want it gone when mail is switched off."""
        mail, facts, renderer = inputs.answers.mail, inputs.facts, inputs.renderer
        if mail is None:
            return None
        resolver = resolver_path()
        if not mail.enable:
            files = (ManagedFile(drop_in_path(facts), None), ManagedFile(resolver, None))
            return StepPlan(name=self.name, title=self.title, resources=files)
        needs_resolver = mail.relay == "mesh"
        drop_in = renderer.render(
            _DROP_IN,
            resolver=resolver if needs_resolver else "",
            awaited=NETWORK_TARGET if inputs.answers.public_address else "",
        )
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(
                ManagedFile(
                    resolver,
                    renderer.render(_RESOLVER) if needs_resolver else None,
                    template=f"{_RESOLVER} {renderer.version(_RESOLVER)}",
                ),
                ManagedFile(
                    drop_in_path(facts), drop_in, template=f"{_DROP_IN} {renderer.version(_DROP_IN)}"
                ),
            ),
            needs=("router",),
        )
