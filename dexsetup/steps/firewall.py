"""What is let in: the router's UDP port, so that others can call this node, and mail if mail is wanted."""

from __future__ import annotations

from dexsetup.facts import Facts
from dexsetup.plan.model import FirewallOpening, StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.configuration import udp_ports
from dexsetup.steps.node import ReadsConfig, parsed, planned_config

__all__ = ["FirewallStep"]

_SMTP_PORT = 25


class FirewallStep(ReadsConfig):
    """See the module docstring."""

    name = "firewall"
    title = "Firewall"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the ports open, now and after a reboot."""
        answers, facts = inputs.answers, inputs.facts
        content = planned_config(inputs)
        if answers.firewall is None or not answers.firewall.enable or content is None:
            return None
        ports = udp_ports(parsed(content))
        is_mail_wanted = answers.mail is not None and answers.mail.enable
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=() if facts.firewall == "none" else _openings(ports, is_mail_wanted=is_mail_wanted),
            needs=("router",),
            notes=_notes(ports, facts),
        )


def _openings(ports: tuple[int, ...], *, is_mail_wanted: bool) -> tuple[FirewallOpening, ...]:
    mail = (FirewallOpening(_SMTP_PORT, "tcp"),) if is_mail_wanted else ()
    return (*(FirewallOpening(port, "udp") for port in ports), *mail)


def _notes(ports: tuple[int, ...], facts: Facts) -> tuple[str, ...]:
    notes = []
    if facts.firewall == "none":
        notes.append(
            "No firewalld is here, so nothing is opened, and nothing is shut either: every program that "
            "listens on all addresses can be reached from the mesh. Look with: ss -lntu"
        )
    if not ports:
        notes.append(
            "The router's UDP port is drawn at each start, so it cannot be opened: set node.udp_port."
        )
    return tuple(notes)
