"""The nodes that this one calls. What the answers name is merged into what is there; others stay."""

from __future__ import annotations

from dexsetup.errors import AnswersError
from dexsetup.plan.model import StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.identity import config_file
from dexsetup.steps.node import (
    CONFIG,
    ReadsConfig,
    address_of,
    peered_config,
    wanted_node,
    with_node_identity,
)
from dexsetup.steps.router import told_router

__all__ = ["PeersStep"]


class PeersStep(ReadsConfig):
    """See the module docstring."""

    name = "peers"
    title = "Nodes to call"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the peers of the answers in the configuration, and a router that has read it."""
        answers, facts = inputs.answers, inputs.facts
        if not answers.peer:
            return None
        base, content = with_node_identity(inputs), peered_config(inputs)
        if base is None or content is None:
            raise AnswersError(("peer: there is no node here from which a peer could be removed",))
        is_node_planned = wanted_node(answers, facts) is not None
        based_on = base if is_node_planned or CONFIG not in facts.files else facts.files[CONFIG].content
        # Where the node is planned, its own step tells the router; else the last step that has something new.
        told, notes = ((), ()) if is_node_planned or answers.allow else told_router(inputs)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(config_file(content, based_on), *told),
            needs=("identity",),
            notes=notes,
            address=address_of(content),
        )
