"""Which peers answer, and who is on the local network: asked and heard in threads, shown as it comes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.worker import get_current_worker

from dexsetup.ui.messages import Found, Probed, ProbesDone, TaskDone

if TYPE_CHECKING:
    from dexrouter.config import ConnectTo
    from dexsetup.neighbours import Neighbour
    from dexsetup.probe import Result
    from dexsetup.ui.app import Wizard

__all__ = ["Probing"]


class Probing:
    """What is known of peers that were asked. Proposes only where nobody has chosen."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard
        self.results: dict[str, Result] = {}
        """By address: what came of asking a peer."""
        self.asked: set[str] = set()
        self._brought: dict[str, ConnectTo] = {}
        """By address: who was pasted, or heard, and is asked again with the others."""
        self._running = 0
        self._is_public_asked = False
        self.neighbours: dict[str, Neighbour] = {}
        """By address: who was heard on the local network."""
        self.deaf: tuple[str, ...] = ()
        """Why some of them cannot be heard."""
        self.is_listening = False
        self._words = ""

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is being asked."""
        return self._running > 0

    @property
    def words(self) -> str:
        """What became of the search for the best; empty once a person has chosen."""
        wizard = self._wizard
        return self._words if wizard.has_draft and not wizard.draft.is_peers_chosen else ""

    def ask_once(self) -> None:
        """Ask the public peers, if nobody did yet."""
        if not self._is_public_asked:
            self.ask()

    def ask(self, peers: Iterable[ConnectTo] = (), *, is_forced: bool = False) -> None:
        """Ask peers whether they answer: these, or all that the page shows."""
        wizard = self._wizard
        if wizard.survey is None or not wizard.survey.is_live or (self.is_under_way and not peers):
            return
        chosen = tuple(peers)
        self._brought |= {peer.address: peer for peer in chosen}
        if not chosen:
            if is_forced:
                self.results = {}
                self.asked = set()
            self._is_public_asked = True
            own = (peer.connect_to() for peer in wizard.survey.public.peers)
            chosen = (*wizard.survey.configured, *own, *self._brought.values())
        self.asked |= {peer.address for peer in chosen}
        self._running += 1
        desk = wizard.desk

        def work() -> None:
            desk.probe(chosen, self._hear, lambda: wizard.is_over)
            wizard.post_message(ProbesDone())

        wizard.in_thread("probe", work)
        wizard.renew()

    def _hear(self, result: Result) -> None:
        self._wizard.post_message(Probed(result))

    def take(self, result: Result) -> None:
        """Take in one answer."""
        self.results[result.peer.address] = result

    def done(self) -> None:
        """Propose the best when all were asked, where nobody has chosen yet."""
        from dexsetup.ui.defaults import best_peers  # noqa: PLC0415 - comes with the answers, after first paint

        self._running -= 1
        if self.is_under_way:
            return
        draft, survey = self._wizard.draft, self._wizard.survey
        has_any = bool(draft.answers.peer) or survey is None or bool(survey.configured)
        if survey is None or has_any or draft.is_peers_chosen:
            return
        was_saved = not draft.is_unsaved
        best = best_peers(survey.public.peers, self.results)
        draft.add_peers(peer.connect_to() for peer in best)
        if was_saved:
            draft.saved = draft.answers
        self._wizard.draft_changed()
        self._words = (
            f"The {len(best)} fastest are ticked."
            if best
            else "None answers: is this machine on the Internet?"
        )

    def listen(self) -> None:
        """Listen for neighbours, from now until the program ends."""
        wizard = self._wizard
        survey = wizard.survey
        if self.is_listening or survey is None or not survey.is_live:
            return
        self.is_listening = True
        desk, own = wizard.desk, survey.address

        def work() -> None:
            worker = get_current_worker()

            def is_stopped() -> bool:
                return wizard.is_over or worker.is_cancelled

            reasons = desk.listen(own, self._hear_neighbour, is_stopped)
            if not is_stopped():
                wizard.post_message(TaskDone(lambda: self._is_deaf(reasons)))

        wizard.in_thread("listen", work)

    def _hear_neighbour(self, neighbour: Neighbour) -> None:
        self._wizard.post_message(Found(neighbour))

    def _is_deaf(self, reasons: tuple[str, ...]) -> None:
        self.is_listening = False
        self.deaf = reasons
        self._wizard.renew_page()

    def found(self, neighbour: Neighbour) -> None:
        """Take in a neighbour, and ask whether it answers: that proves its key."""
        self.neighbours[neighbour.address] = neighbour
        if (entry := neighbour.connect_to()) is not None:
            self.ask([entry])

    def failed(self) -> None:
        """Know that asking came to nothing."""
        self._running -= 1
