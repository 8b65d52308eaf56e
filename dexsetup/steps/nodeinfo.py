"""What the node tells about itself: /nodeinfo.json, for a web server that is already there.

The file is what crawlers and curious people of the mesh ask a node for: its key, who runs it, what it offers.
All of its fields are optional by the convention; ours names only what the answers say and what is set up.
Publishing it makes the node's owner known, so nothing of it is written unless it was asked for.
"""

from __future__ import annotations

from dexrouter.crypto.keys import key_pair_from_private, public_key_text
from dexsetup.answers.model import Answers
from dexsetup.answers.sense import has_phone
from dexsetup.plan.model import ManagedFile, Risk, StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.mail import mail_literal
from dexsetup.steps.node import ReadsConfig, address_of, needed_config, parsed

__all__ = ["NodeinfoStep"]

_TEMPLATE = "nodeinfo/nodeinfo.json.j2"


class NodeinfoStep(ReadsConfig):
    """See the module docstring."""

    name = "nodeinfo"
    title = "Node information"

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the file where the web server looks for it, or want ours gone."""
        answers, renderer = inputs.answers, inputs.renderer
        wanted = answers.nodeinfo
        if wanted is None:
            return None
        if not wanted.enable:
            gone = ManagedFile(wanted.file, None)
            return StepPlan(name=self.name, title=self.title, resources=(gone,))
        config = needed_config(inputs)
        address, pair = address_of(config), key_pair_from_private(parsed(config).private_key.reveal())
        content = renderer.render(
            _TEMPLATE,
            public_key=public_key_text(pair.public),
            literal=f"[{address}]",
            name=wanted.name or "",
            contact=wanted.contact or _first_mailbox(answers, address),
            services=_services(answers, address),
        )
        version = f"{_TEMPLATE} {renderer.version(_TEMPLATE)}"
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=(ManagedFile(wanted.file, content, foreign="ask", template=version),),
            needs=("identity",),
            risks=(
                Risk(
                    "mesh-web",
                    "Everybody on the mesh can reach the web server of this machine, on port 80, and read in "
                    f"{wanted.file} who runs this node.",
                ),
            ),
            notes=(f"The web server is yours to run; it answers then at http://[{address}]/nodeinfo.json",),
            address=address,
        )


def _first_mailbox(answers: Answers, address: str) -> str:
    has_mail = answers.mail is not None and answers.mail.enable
    return f"{answers.user[0].login}@{mail_literal(address)}" if has_mail and answers.user else ""


def _services(answers: Answers, address: str) -> tuple[dict[str, str], ...]:
    """Name how each person can be reached, by what the same answers set up."""
    mail = answers.mail is not None and answers.mail.enable
    phone = answers.phone is not None and answers.phone.enable
    found = []
    for user in answers.user:
        if mail:
            found.append({"name": "mail", "uri": f"mailto:{user.login}@{mail_literal(address)}"})
        if phone and has_phone(user, answers):
            found.append({"name": "calls", "uri": f"sip:{user.login}@[{address}]"})
    return tuple(found)
