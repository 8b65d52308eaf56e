"""The look from outside when all is done: the address is there, a peer answers, the mail server greets."""

from __future__ import annotations

from dexrouter.config import BeaconMode, EthInterface, RouterConfig, UdpInterface
from dexsetup.plan.model import AddressBound, PeerEstablished, StepPlan, TcpGreets, Verification
from dexsetup.steps.base import Inputs
from dexsetup.steps.node import ReadsConfig, address_of, parsed, planned_config, wanted_node

__all__ = ["VerifyStep"]

_ADDRESS_SECONDS = 10.0
_PEER_SECONDS = 30.0
_NEIGHBOUR_SECONDS = 10.0
"""Neighbours answer the first beacon of a router that starts."""
_GREETING_SECONDS = 20.0
_SMTP_PORT = 25


class VerifyStep(ReadsConfig):
    """See the module docstring."""

    name = "verify"
    title = "Check from end to end"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want what was set up to answer."""
        answers = inputs.answers
        is_mail_wanted = answers.mail is not None and answers.mail.enable
        is_node_touched = wanted_node(answers, inputs.facts) is not None or bool(answers.peer)
        content, public = planned_config(inputs), answers.public_address
        if not (is_node_touched or is_mail_wanted) or (content is None and not public):
            return None
        address = address_of(content) if content is not None else public
        served = public if is_mail_wanted and public else address
        checks: list[Verification] = [
            AddressBound(each, _ADDRESS_SECONDS) for each in dict.fromkeys((address, served))
        ]
        if content is not None and is_node_touched:
            checks.append(_peer_wanted(parsed(content)))
        if is_mail_wanted:
            checks.append(TcpGreets(served, _SMTP_PORT, "220 ", _GREETING_SECONDS))
        return StepPlan(
            name=self.name, title=self.title, verifications=tuple(checks), needs=("router",), address=address
        )


def _peer_wanted(config: RouterConfig) -> PeerEstablished:
    """Wait for a peer as long as one may answer: not at all if nobody is named or looked for."""
    interfaces: tuple[UdpInterface | EthInterface, ...] = (*config.udp_interfaces, *config.eth_interfaces)
    if any(entry.connect_to for entry in interfaces):
        return PeerEstablished(_PEER_SECONDS)
    is_looking = any(entry.beacon is not BeaconMode.OFF for entry in interfaces) or bool(config.dns_seeds)
    return PeerEstablished(_NEIGHBOUR_SECONDS if is_looking else 0.0, is_any_named=False)
