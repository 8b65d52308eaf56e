"""The draft that the wizard opens with: a file that was named, what was applied last, or good defaults.

After a run that was interrupted it holds the answers of that run, so that going on brings about the same.
Defaults are answers like any others: each stands on a screen before Apply, and in the file that is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from dexsetup.answers.model import Answers, Firewall, Mail, Node, Phone, User
from dexsetup.facts import Facts
from dexsetup.probe import Result
from dexsetup.public_peers import PublicPeer
from dexsetup.ui.desk import Survey
from dexsetup.ui.draft import Draft

__all__ = ["best_peers", "first_draft", "has_gnu_mail", "mail_obstacle"]

_PEERS_WANTED = 2
_Program = Literal["mailrc", "mailutils", "pinerc", "linphonerc", "baresip"]


def first_draft(survey: Survey) -> Draft:
    """Return the draft to begin with."""
    if survey.given is not None:
        return Draft(survey.given, saved=survey.given)
    if survey.begun is not None:
        return Draft(survey.begun, saved=survey.begun, problems=survey.problems, is_peers_chosen=True)
    if survey.last is not None:
        return Draft(survey.last, saved=survey.last, problems=survey.problems)
    answers = _defaults(survey.facts)
    return Draft(answers, saved=answers, problems=survey.problems)


def _defaults(facts: Facts) -> Answers:
    people = tuple(account for account in facts.accounts if account.uid != 0)[:1]
    is_mail_possible = not mail_obstacle(facts)
    is_bare = facts.firewall == "none" and facts.init == "systemd"
    given: dict[str, object] = {"node": Node(), "firewall": Firewall(guard=True) if is_bare else Firewall()}
    if is_mail_possible:
        given["mail"] = Mail()
        programs = _programs(facts)
        given["user"] = tuple(User(login=account.login, files=programs) for account in people)
        if people and {"linphonerc", "baresip"} & set(programs):
            given["phone"] = Phone()
    return Answers(schema=1).model_copy(update=given)


def _programs(facts: Facts) -> tuple[_Program, ...]:
    files: list[_Program] = ["mailrc"]
    if "alpine" in facts.programs:
        files.append("pinerc")
    if any(name.startswith("linphone") for name in facts.programs):
        files.append("linphonerc")
    if "baresip" in facts.programs:
        files.append("baresip")
    return tuple(files)


def has_gnu_mail(facts: Facts) -> bool:
    """Whether the command `mail` is GNU mail: only then is it worth a question."""
    return "mail" in facts.programs and facts.programs["mail"].path.endswith("/mail.mailutils")


def mail_obstacle(facts: Facts) -> str:
    """Return why mail is not proposed on this machine; empty if it is."""
    server = facts.mail_server
    if server.port_25_holder not in {"", "?", "smtpd", "opensmtpd"}:
        return f"{server.port_25_holder} listens on port 25 already; two mail servers cannot share it."
    if server.installed is None and facts.package_manager == "none":
        return "opensmtpd is not installed, and there is no package manager here that dexsetup knows."
    return ""


def best_peers(
    public: Iterable[PublicPeer], results: Mapping[str, Result], wanted: int = _PEERS_WANTED
) -> tuple[PublicPeer, ...]:
    """Return the fastest that answer, in different places and with different keys."""
    answering = [peer for peer in public if (found := results.get(peer.address)) and found.rtt_ms is not None]
    answering.sort(key=lambda peer: results[peer.address].rtt_ms or 0)
    chosen: list[PublicPeer] = []
    for is_strict in (True, False):
        for peer in answering:
            keys = {other.public_key for other in chosen}
            places = {(other.country, other.regions) for other in chosen}
            if len(chosen) >= wanted or peer.public_key in keys:
                continue
            if not is_strict or (peer.country, peer.regions) not in places:
                chosen.append(peer)
    return tuple(chosen)
