"""The steps, in the order in which they can be done. A new application is one more file here (see base)."""

from __future__ import annotations

from dexsetup.steps.allow import AllowStep
from dexsetup.steps.base import Step
from dexsetup.steps.boot import BootStep
from dexsetup.steps.firewall import FirewallStep
from dexsetup.steps.identity import IdentityStep
from dexsetup.steps.irc import IrcStep
from dexsetup.steps.mail import MailStep
from dexsetup.steps.nodeinfo import NodeinfoStep
from dexsetup.steps.packages import PackagesStep
from dexsetup.steps.peers import PeersStep
from dexsetup.steps.public import PublicStep
from dexsetup.steps.router import RouterStep
from dexsetup.steps.tunnel import TunnelStep
from dexsetup.steps.userfiles import UserFilesStep
from dexsetup.steps.verify import VerifyStep

__all__ = ["all_steps"]


def all_steps() -> tuple[Step, ...]:
    """Return every step. Peers and callers come before the router, so that it is started once, with all."""
    return (
        PackagesStep(),
        IdentityStep(),
        PeersStep(),
        AllowStep(),
        TunnelStep(),
        RouterStep(),
        FirewallStep(),
        PublicStep(),
        BootStep(),
        MailStep(),
        UserFilesStep(),
        IrcStep(),
        NodeinfoStep(),
        VerifyStep(),
    )
