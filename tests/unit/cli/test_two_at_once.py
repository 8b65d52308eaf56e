"""Two runs of dexsetup at the same time: whoever comes second builds on what the first one did."""

from __future__ import annotations

from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Allow, Answers, Contact
from dexsetup.cli import main
from dexsetup.commands.apply import apply_answers
from dexsetup.commands.session import Flags, Session
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.engine import Engine
from dexsetup.plan.places import ANSWERS
from machine import ROOT, needs
from person_image import person_image

SETTINGS = 'schema = 1\n[[user]]\nlogin = "jo"\nfiles = ["mailrc"]\n'


@needs(ROOT)
def test_answers_applied_while_another_run_waits_for_its_turn_are_kept() -> None:
    """It read what was applied last before it had the lock, and would have written that back."""
    with person_image(SETTINGS) as place:
        assert main(["--root", str(place), "--answers", str(place / "jo.toml")]) == 0
        first, second = (Session(Flags(root=str(place)), RootedHost(str(place))) for _ in range(2))
        waiting = second.planner(Answers(schema=1, contact=(Contact(name="ben", address="fc00::2"),)))
        both = Answers(
            schema=1, contact=(Contact(name="ann", address="fc00::1"),), allow=(Allow(login="friend"),)
        )
        assert apply_answers(first, both) == 0
        engine = Engine(second.host, waiting, lambda _: None, run="20991122T140211Z-3f")
        assert engine.run().code == 0
        answers = load_answers((place / ANSWERS.lstrip("/")).read_bytes(), ANSWERS).answers
        assert [one.name for one in answers.contact] == ["ann", "ben"]
        assert [one.login for one in answers.allow] == ["friend"]
        mailrc = (place / "home/jo/.mailrc").read_text()
        assert "alias ann" in mailrc
        assert "alias ben" in mailrc
