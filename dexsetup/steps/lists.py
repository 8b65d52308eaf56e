"""Steps that put one list of the answers into the router's configuration: peers, who may call, tunnels.

What the answers name is merged into what is there; others stay. A router that runs is told of it without a
restart, where that is enough.
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.errors import AnswersError
from dexsetup.plan.model import StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.identity import config_file
from dexsetup.steps.node import CONFIG, CONFIG_LISTS, ReadsConfig, address_of, config_with, wanted_node
from dexsetup.steps.router import told_router

__all__ = ["ListStep"]


class ListStep(ReadsConfig):
    """One list, as its subclass names it."""

    name: str
    title: str
    list_name: str
    """The list's name in the answers; its place among the others is that in CONFIG_LISTS."""
    needs: tuple[str, ...]
    without_node: str
    """Why it makes no sense on a machine that has no node and gets none."""

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the list in the configuration, and a router that has read it."""
        answers, facts = inputs.answers, inputs.facts
        if not getattr(answers, self.list_name):
            return None
        place = CONFIG_LISTS.index(self.list_name)
        earlier, later = CONFIG_LISTS[:place], CONFIG_LISTS[place + 1 :]
        base, content = config_with(inputs, earlier), config_with(inputs, CONFIG_LISTS[: place + 1])
        if base is None or content is None:
            raise AnswersError((f"{self.list_name}: {self.without_node}",))
        is_node_planned = wanted_node(answers, facts) is not None
        is_edited_before = is_node_planned or any(getattr(answers, name) for name in earlier)
        present = facts.files[CONFIG].content if CONFIG in facts.files else base
        # Where the node is planned, its own step tells the router; else the last step that has something new.
        is_told = is_node_planned or any(getattr(answers, name) for name in later)
        told, notes = ((), ()) if is_told else told_router(inputs)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(config_file(content, base if is_edited_before else present), *told),
            needs=self.needs,
            notes=(*notes, *self.said(answers)),
            address=address_of(content),
        )

    def said(self, answers: Answers) -> tuple[str, ...]:
        """Return what the person should know besides."""
        del answers
        return ()
