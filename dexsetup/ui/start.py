"""The way in: the wizard on the screen, as plain lines, or the reason why neither.

`--plain` chooses itself where the terminal cannot move its cursor, and where the toolkit is not installed.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dexsetup.exitcodes import ExitCode
from dexsetup.ui.terminal import PatientOutput, is_terminal_lost

if TYPE_CHECKING:
    from dexsetup.commands.session import Flags
    from dexsetup.ui.desk import Desk

__all__ = ["open_wizard"]

_DUMB = {"", "dumb"}


def open_wizard(
    make_flags: Callable[[], Flags],
    *,
    answers: str = "",
    ask: str = "",
    is_plain: bool = False,
    has_mouse: bool = True,
) -> ExitCode:
    """Open the wizard. `answers` is a file to begin with, `ask` the section to begin at.

    The flags are made when the engine is loaded, behind the first frame.
    """
    if is_plain or os.environ.get("TERM", "") in _DUMB or find_spec("textual") is None:
        from dexsetup.ui.plain import run_plain  # noqa: PLC0415 - one of the two is used

        return run_plain(make_flags(), answers=answers, ask=ask)
    from dexsetup.ui.curtain import draw_first_frame  # noqa: PLC0415 - as above

    if not ask:
        draw_first_frame()
    gc.disable()  # four hundred modules leave no garbage while they load; looking for it takes time
    from dexsetup.ui.app import Wizard  # noqa: PLC0415 - the toolkit takes its time: the first frame is there

    gc.enable()
    from dexsetup.ui.glyphs import is_ascii_terminal  # noqa: PLC0415 - as above

    def make_desk() -> Desk:
        """Load the engine in the thread that asks for it."""
        from dexsetup.ui.desk import Desk as LoadedDesk  # noqa: PLC0415 - as above

        return LoadedDesk(make_flags(), answers=answers)

    wizard = Wizard(make_desk, page=ask, is_ascii=is_ascii_terminal(os.environ))
    if sys.__stderr__ is not None:
        # Where the toolkit draws; it looks there when it starts.
        sys.__stderr__ = PatientOutput(sys.__stderr__)  # type: ignore[misc, assignment]
    try:
        code = wizard.run(mouse=has_mouse)
    finally:
        wizard.end_run()
        if is_terminal_lost():
            # The toolkit's reading thread would go round for ever on a terminal that is gone.
            os._exit(ExitCode.INTERRUPTED)
    return code if code is not None else ExitCode(wizard.return_code or 0)
