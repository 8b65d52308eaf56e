"""Mail and calls at a public address of this machine: what the Internet is let in for, in place of the mesh.

The other way to reach people without a provider, for those whose machine has a public IPv6 address that
stays. Nothing is encrypted there and nobody vouches for addresses; the risks say so. The mail and phone steps
write the address; this step opens its ports in the zone of the uplink.
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.audit import open_ports
from dexsetup.facts import Facts
from dexsetup.plan.model import FirewallOpening, Risk, StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.firewall import SIP, mesh_ports

__all__ = ["PublicStep"]


class PublicStep:
    """See the module docstring."""

    name = "public"
    title = "Mail and calls from the Internet"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Nothing."""
        del answers, facts
        return ()

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the ports of mail and calls open where the Internet comes in."""
        answers, facts = inputs.answers, inputs.facts
        address = answers.public_address
        if not address:
            return None
        has_mail = answers.mail is not None and answers.mail.enable
        has_phone = answers.phone is not None and answers.phone.enable
        services = (*(("smtp",) if has_mail else ()), *((SIP,) if has_phone else ()))
        ports = sorted(open_ports(mesh_ports(services)))
        is_managed = answers.firewall is not None and answers.firewall.enable and facts.firewall != "none"
        shown = ", ".join(f"{port}/{protocol}" for port, protocol in ports)
        if is_managed:
            notes: tuple[str, ...] = (_ROUTER,)
        else:
            notes = (f"No firewall is changed: ports that must be open to the Internet are {shown}.", _ROUTER)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=tuple(FirewallOpening(*place) for place in ports) if is_managed else (),
            risks=(_calls(address),) if has_phone else (),
            notes=notes if ports else (),
            address=address,
        )


_ROUTER = "The router of your Internet line must let these ports in, too, for IPv6."


def _calls(address: str) -> Risk:
    return Risk(
        "public-calls",
        f"Everybody on the Internet can call this machine at [{address}], and calls travel in plain sound "
        "for whoever carries them.",
    )
