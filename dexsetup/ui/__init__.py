"""The wizard on the screen: edits a draft of the answers, shows the plan and its events, and decides nothing.

    start.py        the way in: screen, plain lines, or the reason why neither
    curtain.py      the first frame, before the toolkit is loaded
    questions.py    form fields and prompts out of the declarations in answers/model.py
    draft.py        the answers under edit; the only thing here that anybody wrote
    desk.py         what takes time (look, probe, plan, apply); runs in threads, touches no widget
    app.py          the wizard's state, pages, keys; hands the threads' messages to the parts:
                    frame.py planning.py probing.py running.py watching.py sheets.py
    pages/ widgets/ dialogs.py
    plain.py        the same questions as numbered lines
    lan.py          who is on the local network, in the same words for screen and lines
    printable.py    text made fit to be shown; like plain.py and lan.py without the toolkit

Only this package imports textual.
"""

from __future__ import annotations
