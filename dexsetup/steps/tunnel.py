"""Internet addresses through the mesh, in the router's `ipTunnel`: from other nodes, or for other nodes.

Who gets addresses here also needs this machine to forward for them. That changes what the machine does for
others beyond the mesh, so it is said and left to the person.
"""

from __future__ import annotations

from dexsetup.answers.model import Answers
from dexsetup.steps.lists import ListStep

__all__ = ["TunnelStep"]

_FORWARDING = (
    "Whoever gets addresses from here reaches the Internet only if this machine forwards for them: give the "
    "mesh interface an address of the same network, set net.ipv4.ip_forward = 1 (for IPv6: "
    "net.ipv6.conf.all.forwarding = 1), and masquerade towards the uplink in the firewall."
)


class TunnelStep(ListStep):
    """See the module docstring."""

    name = "tunnel"
    title = "Internet addresses through the mesh"
    list_name = "tunnel"
    needs = ("identity", "peers", "allow")
    without_node = "there is no node here whose tunnel could be taken away"

    def said(self, answers: Answers) -> tuple[str, ...]:
        """Say what a node that gives addresses needs besides."""
        given = [entry for entry in answers.tunnel if entry.is_wanted and (entry.ip4 or entry.ip6)]
        if not given:
            return ()
        return (_FORWARDING,)
