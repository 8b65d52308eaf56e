"""What a step is: pure code that turns answers and facts into the resources it wants.

A step is one file here with one folder in templates/. It never opens a file, never runs a program and never
asks: files it must see (to edit them, or to keep what a person wrote) it names in `reads`, and the engine
puts their content into the facts before `plan` is called. Adding an application to dexsetup is adding a
step; CONTRIBUTING shows a worked example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dexsetup.answers.model import Answers
from dexsetup.facts import Facts
from dexsetup.plan.model import StepPlan
from dexsetup.render.environment import Renderer

__all__ = ["Draws", "Inputs", "Step"]


@dataclass(frozen=True, slots=True)
class Draws:
    """What chance decides, drawn once before planning, so that planning itself is a function.

    What the machine has already is kept: a run that finds it ignores what was drawn for it.
    """

    router_config: bytes
    """A freshly generated cjdroute.conf: key pair, UDP port, passwords."""
    secret: bytes
    """32 bytes from which a password is made for each person who is to call and has none yet."""

    def __repr__(self) -> str:
        return "Draws(***)"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a step may look at."""

    answers: Answers
    facts: Facts
    draws: Draws
    renderer: Renderer


class Step(Protocol):
    """One subject (packages, peers, mail ...) of the set-up."""

    name: str
    """One word, stable: it stands in journals, in JSON and in `needs` of other steps."""
    title: str
    """What the person reads while it is applied."""

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Paths whose content `plan` must see in `facts.files`. A path under a home is read as its owner."""
        ...

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Return what is wanted, or None when the answers leave this subject alone. Pure."""
        ...
