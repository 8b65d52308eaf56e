"""Peers: whom this node calls. The public list with a real handshake each, what was pasted, what is there.

[=] is on the machine and stays    [x] will be called    [ ] could be called
[-] will be removed, or cannot be used
A neighbour on the local network is [x] while neighbours are looked for, and never a question of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from dexrouter.config import ConnectTo, parse_peers
from dexsetup.pasted import why_no_peers
from dexsetup.public_peers import PublicPeer
from dexsetup.ui.glyphs import shortened
from dexsetup.ui.lan import HEARD, lan_words, neighbour_name
from dexsetup.ui.pages.base import words
from dexsetup.ui.pages.form import FormPage
from dexsetup.ui.printable import clean
from dexsetup.ui.questions import question_for
from dexsetup.ui.widgets.lines import Row, Rows

if TYPE_CHECKING:
    from dexsetup.probe import Result
    from dexsetup.ui.app import Wizard

__all__ = ["PeersPage", "peer_rows"]

_SECONDS = 1.0
_HELP = (
    "This page decides which nodes are called. Space ticks a node; p takes what somebody sent you, in any"
    " form that is going around, many at once; o reads a file; d takes one out; c shows what to send to a"
    " friend. Peers that are on the machine and not named here stay as they are. Neighbours on the local"
    " network are heard while this program is open, each within 33 seconds; hardware addresses only by root."
)


class PeersPage(FormPage):
    """See the module docstring."""

    step: ClassVar[str] = "Peers"
    planned: ClassVar[tuple[str, ...]] = ("peers", "allow", "identity")
    keys: ClassVar[str] = "p Paste  o File  d Remove  c Card  F5 Test"
    help: ClassVar[str] = _HELP

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield words(
            "Whom shall this node call? Two or three, in different places, are enough. Space ticks.",
            id="intro",
            look="title",
        )
        yield Static("", id="head", classes="title", markup=False)
        rows = Rows(id="peers")
        rows.styles.max_height = 12
        yield rows
        yield Static("", id="lan", classes="hint", markup=False)
        yield from self.field(question_for("node", "lan_peering"))
        yield self.buttons()

    def on_mount(self) -> None:
        """Ask the public ones, if nobody did yet."""
        wizard = self.wizard
        self.renew()
        wizard.probing.ask_once()
        if wizard.survey is not None and wizard.survey.facts.running_router != "none":
            wizard.watching.look()
            self.set_interval(_SECONDS, wizard.watching.look)

    def on_resize(self) -> None:
        """Use the room."""
        if self.is_mounted:
            self.renew()

    @property
    def words(self) -> str:
        """What became of the search for the best peers."""
        return self.wizard.probing.words

    def renew(self) -> None:
        """Show the peers with what is known of them."""
        wizard = self.wizard
        width = max(40, self.size.width - 2)
        rows = self.query_one("#peers", Rows)
        rows.show(peer_rows(self, width))
        rows.styles.max_height = max(4, self.size.height - 12)
        probing = wizard.probing
        words_ = lan_words(len(probing.neighbours), is_listening=probing.is_listening, deaf=probing.deaf)
        self.query_one("#lan", Static).update(words_)
        asked, count = len(wizard.probing.results), len(wizard.probing.asked)
        state = f"asked {asked}/{count}" if wizard.probing.is_under_way else ""
        name, address = _widths(width)
        head = f"     {'name':<{name}} {'address':<{address}} {'answer':<9} {state or 'place'}"
        self.query_one("#head", Static).update(head)

    def test_again(self) -> None:
        """Ask all peers anew."""
        self.wizard.probing.ask(is_forced=True)

    def value_to_copy(self) -> str:
        """Return the address of the marked peer."""
        row = self.query_one("#peers", Rows).row
        return row.key.partition(" ")[2] if row is not None else self.wizard.address

    def on_rows_ticked(self, event: Rows.Ticked) -> None:
        """Call the marked peer, or do not."""
        event.stop()
        self._toggle(event.row.key)

    def on_rows_acted(self, event: Rows.Acted) -> None:
        """Enter does what Space does."""
        event.stop()
        self._toggle(event.row.key)

    def _toggle(self, key: str) -> None:
        wizard = self.wizard
        draft = wizard.draft
        public_key, _, address = key.partition(" ")
        draft.is_peers_chosen = True
        answer = draft.peer(public_key)
        if answer is not None and answer.state == "absent":
            draft.keep_peer(public_key)
        elif answer is not None and answer.address == address:
            draft.drop_peer(public_key, is_present=False)
        elif address in wizard.probing.neighbours:
            wizard.say("A neighbour needs no tick: it is called by itself, as answered below.")
            return
        elif (entry := self._entry(key)) is not None and not self._is_configured(public_key):
            draft.add_peers([entry])
        wizard.draft_changed()
        self.renew()

    def _entry(self, key: str) -> ConnectTo | None:
        survey = self.wizard.survey
        if survey is None:
            return None
        return next((peer.connect_to() for peer in survey.public.peers if _key(peer) == key), None)

    def _is_configured(self, public_key: str) -> bool:
        survey = self.wizard.survey
        return survey is not None and any(peer.public_key == public_key for peer in survey.configured)

    def key_d(self) -> None:
        """Take the marked peer out."""
        rows = self.query_one("#peers", Rows)
        if not rows.has_focus or rows.row is None:
            return
        public_key = rows.row.key.partition(" ")[0]
        is_present = self._is_configured(public_key)
        if is_present or self.wizard.draft.peer(public_key) is not None:
            self.wizard.draft.is_peers_chosen = True
            self.wizard.draft.drop_peer(public_key, is_present=is_present)
            self.wizard.draft_changed()
            self.renew()

    def key_p(self) -> None:
        """Open the sheet to paste into."""
        if not self.wizard.is_typing:
            self.wizard.sheets.paste()

    def key_a(self) -> None:
        """Add by hand: the same sheet, it takes any form."""
        self.key_p()

    def key_o(self) -> None:
        """Open the sheet that asks for a file."""
        if not self.wizard.is_typing:
            self.wizard.sheets.file()

    def key_c(self) -> None:
        """Show the card for friends."""
        if not self.wizard.is_typing:
            self.wizard.sheets.card()

    def take(self, text: str) -> str:
        """Take the peers of a text; return what is wrong with the others, or with the text."""
        found = parse_peers(text)
        wrong = [f"entry {one.index} ({clean(one.address)}): {clean(one.why)}" for one in found.problems]
        wrong += self.wizard.draft.add_peers(found.peers)
        if not found.peers and not wrong:
            return why_no_peers(text)
        if found.peers:
            self.wizard.draft.is_peers_chosen = True
            self.wizard.draft_changed()
            self.wizard.probing.ask(found.peers)
        self.renew()
        return "\n".join(wrong)


def _key(peer: PublicPeer | ConnectTo) -> str:
    return f"{peer.public_key} {peer.address}"


def _widths(width: int) -> tuple[int, int]:
    """Return the columns for name and address."""
    room = width - 5 - 10 - 12
    address = min(47, max(21, room // 2))
    return max(8, room - address - 1), address


def peer_rows(page: PeersPage, width: int) -> list[Row]:
    """Return what stands in the list: what is there, what was chosen, and the public ones by round trip."""
    wizard = page.wizard
    survey, draft = wizard.survey, wizard.draft
    if survey is None:
        return []
    name_width, address_width = _widths(width)
    results = wizard.probing.results

    def row(key: str, mark: str, name: str, address: str, place: str) -> Row:
        result = results.get(address)
        text = result.text if result is not None else "\u2026" if address in wizard.probing.asked else "-"
        if result is None and address in wizard.probing.neighbours:
            text = HEARD
        first = f"[{mark}] {shortened(clean(name), name_width):<{name_width}}"
        look = "good" if mark == "x" else "bad" if mark == "-" else ""
        return Row(
            key, f"{first} {shortened(address, address_width):<{address_width}} {text:<9} {place}", look
        )

    rows = []
    shown: set[str] = set()
    for peer in survey.configured:
        answer = draft.peer(peer.public_key)
        mark = "-" if answer is not None and answer.state == "absent" else "="
        rows.append(
            row(_key(peer), mark, peer.peer_name or peer.public_key[:12], peer.address, "on this machine")
        )
        shown.add(_key(peer))
    known = {peer.public_key for peer in survey.configured}
    rows += [row(*found) for found in _neighbour_rows(wizard, known)]
    public = {_key(peer): peer for peer in survey.public.peers}
    for chosen in draft.answers.peer:
        key = f"{chosen.public_key} {chosen.address}"
        if key not in shown and chosen.state == "present":
            place = public[key].place if key in public else "yours"
            rows.append(row(key, "x", chosen.name or chosen.public_key[:12], chosen.address or "", place))
            shown.add(key)
    rest = [peer for key, peer in public.items() if key not in shown]
    rest.sort(key=lambda peer: (_order(results.get(peer.address)), peer.number))
    for entry in rest:
        result = results.get(entry.address)
        mark = "-" if result is not None and result.answer in {"bad key", "bad address"} else " "
        rows.append(row(_key(entry), mark, entry.peer_name, entry.address, entry.place))
    return rows


def _neighbour_rows(wizard: Wizard, known: set[str]) -> Iterator[tuple[str, str, str, str, str]]:
    """Give (key, mark, name, address, place) of neighbours that were heard, and of those the router has."""
    is_wanted = wizard.draft.value("node", "lan_peering") is not False
    for one in wizard.probing.neighbours.values():
        if one.public_key not in known:
            key = f"{one.public_key} {one.address}"
            yield key, "x" if is_wanted else " ", neighbour_name(one), one.address, one.place
    heard = set(wizard.probing.neighbours)
    for line in wizard.watching.pulse.peers if wizard.watching.pulse is not None else ():
        if line.is_incoming and line.address not in heard:
            place = "local network" if line.is_local else "calls this node"
            yield f" {line.address}", "=", line.state, line.address, place


def _order(result: Result | None) -> float:
    """Put those that answer first, by round trip, and those that do not last."""
    if result is None:
        return 1e6
    return float(result.rtt_ms) if result.rtt_ms is not None else 1e7
