"""Who may call this node: a login and a password for each, in the router's `authorizedPasswords`.

What the answers name is merged into what is there; others stay. A password that nobody chose is drawn once
and kept: the second run finds it in the configuration. It is in no file but that one, root's alone.
"""

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
    planned_config,
    wanted_node,
)
from dexsetup.steps.router import told_router

__all__ = ["AllowStep"]


class AllowStep(ReadsConfig):
    """See the module docstring."""

    name = "allow"
    title = "Who may call this node"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the logins of the answers in the configuration, and a router that has read it."""
        answers, facts = inputs.answers, inputs.facts
        if not answers.allow:
            return None
        base, content = peered_config(inputs), planned_config(inputs)
        if base is None or content is None:
            raise AnswersError(("allow: there is no node here that anybody could call",))
        is_before = wanted_node(answers, facts) is not None or bool(answers.peer)
        based_on = base if is_before or CONFIG not in facts.files else facts.files[CONFIG].content
        told, notes = ((), ()) if wanted_node(answers, facts) is not None else told_router(inputs)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(config_file(content, based_on), *told),
            needs=("identity", "peers"),
            notes=notes,
            address=address_of(content),
        )
