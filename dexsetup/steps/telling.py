"""What cjdns' own router can be told of while it runs, through its admin API (`dexctl reload`)."""

from __future__ import annotations

from dexrouter.config import RouterConfig, load_config
from dexsetup.steps.configuration import is_taken_while_running

__all__ = ["is_added_while_running"]


def is_added_while_running(before: bytes | None, after: bytes) -> bool:
    """Whether cjdns' own router can be told of it while it runs: peers over UDP and passwords that are new.

    Whom it shall forget it cannot be told: it does not say which of its peers stand in the configuration. Nor
    can it be told twice of a password without a user.
    """
    if not before or not is_taken_while_running(before, after):
        return False
    old, new = load_config(before), load_config(after)
    nameless = [{one for one in config.authorized_passwords if one.user is None} for config in (old, new)]
    if old.eth_interfaces != new.eth_interfaces or nameless[0] != nameless[1]:
        return False
    return _people(old) <= _people(new)


def _people(config: RouterConfig) -> set[object]:
    """Return whom the node calls, from which interface, and who may call it."""
    called = {(number, peer) for number, one in enumerate(config.udp_interfaces) for peer in one.connect_to}
    return {*called, *config.authorized_passwords}
