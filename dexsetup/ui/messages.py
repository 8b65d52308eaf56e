"""What the threads tell the app. They never touch a widget; these messages are all that crosses over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from dexsetup.exitcodes import ExitCode
    from dexsetup.neighbours import Neighbour
    from dexsetup.plan.events import Event
    from dexsetup.probe import Result
    from dexsetup.ui.desk import Desk, Looked, Survey
    from dexsetup.ui.draft import Draft
    from dexsetup.ui.pulse import Pulse

__all__ = [
    "Failed",
    "Found",
    "Heard",
    "LookDone",
    "Probed",
    "ProbesDone",
    "Pulsed",
    "RunEnded",
    "Surveyed",
    "TaskDone",
]


class Surveyed(Message):
    """The machine was looked at."""

    def __init__(self, desk: Desk, survey: Survey, draft: Draft) -> None:
        super().__init__()
        self.desk = desk
        self.survey = survey
        self.draft = draft


class Failed(Message):
    """A piece of work ended with an error that a person can do something about, or with a fault of ours."""

    def __init__(self, what: str, text: str, error: BaseException) -> None:
        super().__init__()
        self.what = what
        self.text = text
        self.error = error


class LookDone(Message):
    """A draft was planned and compared with the machine."""

    def __init__(self, number: int, looked: Looked) -> None:
        super().__init__()
        self.number = number
        self.looked = looked


class Probed(Message):
    """A peer answered, or did not."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Found(Message):
    """A neighbour on the local network was heard."""

    def __init__(self, neighbour: Neighbour) -> None:
        super().__init__()
        self.neighbour = neighbour


class ProbesDone(Message):
    """All peers were asked."""


class Heard(Message):
    """An event of the engine."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class RunEnded(Message):
    """A run, an undo or a verification is over."""

    def __init__(self, what: str, code: ExitCode) -> None:
        super().__init__()
        self.what = what
        self.code = code


class TaskDone(Message):
    """A small piece of work is done; `then` shows it, in the app's own thread."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.then = then


class Pulsed(Message):
    """The router and the mail server were looked at."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__()
        self.pulse = pulse
