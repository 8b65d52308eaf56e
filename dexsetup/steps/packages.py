"""Packages of the distribution that the other steps need. They are added, never removed."""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.answers.sense import is_switched_off
from dexsetup.facts import Facts
from dexsetup.plan.model import PackageSet, StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.node import ReadsConfig, wanted_node

__all__ = ["PackagesStep"]

_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "debian": {
        "ip": ("iproute2",),
        "mailrc": ("s-nail",),
        "mailutils": ("mailutils",),
        "pinerc": ("alpine",),
        "baresip": ("baresip-core",),
    },
    "fedora": {
        "ip": ("iproute",),
        "mailrc": ("s-nail",),
        "mailutils": ("mailutils",),
        "pinerc": ("alpine",),
        "baresip": ("baresip", "baresip-opus", "baresip-pipewire"),
        "cjdns": ("cjdns", "cjdns-selinux"),
    },
}
"""What a purpose needs, by family of distributions. Debian has no package of cjdns: see the router step."""


class PackagesStep(ReadsConfig):
    """See the module docstring."""

    name = "packages"
    title = "Packages of the distribution"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the packages of everything that the answers switch on."""
        answers, facts = inputs.answers, inputs.facts
        names = _NAMES.get(facts.family)
        purposes = _purposes(answers, facts)
        is_mail_wanted = answers.mail is not None and answers.mail.enable
        if not purposes and not is_mail_wanted:
            return None
        if names is None:
            wanted = [*purposes, *([facts.mail_server.package] if is_mail_wanted else [])]
            text = (
                f"{facts.os_name} is not one dexsetup knows: install what is missing of {', '.join(wanted)}."
            )
            return StepPlan(name=self.name, title=self.title, notes=(text,))
        packages = {name for purpose in purposes for name in names.get(purpose, ())}
        if is_mail_wanted:
            packages.add(facts.mail_server.package)
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(PackageSet(tuple(sorted(packages))),),
            notes=_phone_notes(answers, facts),
        )


def _purposes(answers: Answers, facts: Facts) -> tuple[str, ...]:
    node = wanted_node(answers, facts)
    found = set()
    if node is not None:
        needs_package = node.backend == "cjdns" and "cjdroute" not in facts.programs
        found.add("cjdns" if needs_package else "ip")
    for user in answers.user:
        found |= {file for file in user.files if file != "linphonerc" and not is_switched_off(file, answers)}
    return tuple(sorted(found))


def _phone_notes(answers: Answers, facts: Facts) -> tuple[str, ...]:
    is_here = any(name in facts.programs for name in ("linphone", "linphone-desktop", "linphone-flatpak"))
    is_wanted = any("linphonerc" in user.files for user in answers.user)
    if is_here or not is_wanted or is_switched_off("linphonerc", answers):
        return ()
    if facts.family == "fedora":
        return ('Linphone is not in Fedora: its Flatpak makes the calls, or baresip (files = ["baresip"]).',)
    return ("Linphone is not installed here, and dexsetup does not install it: apt install linphone-desktop",)
