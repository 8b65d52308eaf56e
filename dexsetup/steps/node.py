"""What several steps ask about the node: which answers hold for it, its configuration, its address.

Pure functions of a step's inputs. The configuration goes through several hands: the identity step gives it
key, port and device, and each list of the answers that belongs into it is put into the result of the one
before, in the order of CONFIG_LISTS. All compute from the same bytes here, so every step sees the address and
the port that the files will have.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from dexrouter.config import ConfigError, RouterConfig, load_config
from dexsetup.answers.model import Answers, Node
from dexsetup.answers.sense import is_switched_off
from dexsetup.errors import AnswersError, MachineError
from dexsetup.facts import Facts
from dexsetup.steps.base import Inputs
from dexsetup.steps.configuration import node_address, with_allowed, with_identity, with_peers, with_tunnels

__all__ = [
    "CONFIG",
    "CONFIG_LISTS",
    "ReadsConfig",
    "address_of",
    "config_with",
    "file_content",
    "imported_path",
    "needed_config",
    "parsed",
    "planned_config",
    "present_config",
    "service_address",
    "wanted_node",
    "with_node_identity",
]

CONFIG = "/etc/cjdroute.conf"
CONFIG_LISTS = ("peer", "allow", "tunnel")
"""The lists of the answers that stand in the configuration, in the order in which their steps put them in."""

_remembered = lru_cache(maxsize=4)
"""A dozen steps ask for the same configuration, and making it takes tens of milliseconds."""
_with_identity = _remembered(with_identity)
_with_peers = _remembered(with_peers)
_with_allowed = _remembered(with_allowed)
_with_tunnels = _remembered(with_tunnels)


class ReadsConfig:
    """A step that must see the router's configuration: key, address, port and peers stand there."""

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the configuration, whatever the answers."""
        del answers, facts
        return (CONFIG,)


def wanted_node(answers: Answers, facts: Facts) -> Node | None:
    """Return the node section that holds, or None when the node is left alone.

    Without a section and without an identity on the machine, whatever needs an address gets a node with the
    default answers.
    """
    if answers.node is not None:
        return answers.node
    if file_content(facts, CONFIG):
        return None
    is_here = not answers.public_address
    is_mail_wanted = is_here and answers.mail is not None and answers.mail.enable
    is_phone_wanted = is_here and answers.phone is not None and answers.phone.enable
    is_used = is_here and any(
        not is_switched_off(file, answers) for user in answers.user for file in user.files
    )
    is_connected = any(entry.is_wanted for name in CONFIG_LISTS for entry in getattr(answers, name))
    is_told_of = answers.nodeinfo is not None and answers.nodeinfo.enable
    is_node_needed = is_mail_wanted or is_phone_wanted or is_connected or is_used or is_told_of
    return Node() if is_node_needed else None


def imported_path(answers: Answers) -> str | None:
    """Return the path of the configuration whose key shall be taken over, if one is named."""
    if answers.node is None or not answers.node.key.startswith("import:"):
        return None
    return answers.node.key.removeprefix("import:")


def file_content(facts: Facts, path: str) -> bytes | None:
    """Return what was read of a file for the steps. Raises MachineError if it must not be touched."""
    file = facts.files.get(path)
    if file is None:
        return None
    if file.problem:
        raise MachineError(f"{path} cannot be used.", why=file.problem, done="Nothing was changed.")
    return file.content


def present_config(facts: Facts) -> bytes | None:
    """Return the configuration that is on the machine; an empty file counts as none (spec 09 §4)."""
    return file_content(facts, CONFIG) or None


@_remembered
def parsed(data: bytes, source: str = CONFIG) -> RouterConfig:
    """Read a configuration. Raises MachineError that names every place that is not understood."""
    try:
        return load_config(data, source)
    except ConfigError as error:
        raise MachineError(
            f"{source} cannot be understood.",
            why=str(error),
            done="It was not touched.",
            advice=f"Mend the place named above, then look with: dexrouter --check --config {source}",
        ) from error


def with_node_identity(inputs: Inputs) -> bytes | None:
    """Return the configuration with the identity, port and device that are wanted; None without a node."""
    present = present_config(inputs.facts)
    node = wanted_node(inputs.answers, inputs.facts)
    if present is not None:
        parsed(present)
    if node is None:
        return present
    path = imported_path(inputs.answers)
    imported = None
    if path is not None:
        imported = file_content(inputs.facts, path)
        if not imported:
            raise AnswersError(
                (f"node.key: {path} is not there or is empty, so no key can be taken from it",)
            )
        parsed(imported, path)
    return _with_identity(present, node, inputs.draws.router_config, imported)


def config_with(inputs: Inputs, lists: Collection[str]) -> bytes | None:
    """Return the same with these lists of the answers put in, in their order; None without a node."""
    data, answers = with_node_identity(inputs), inputs.answers
    if data is None:
        return None
    if "peer" in lists:
        data = _with_peers(data, answers.peer)
    if "allow" in lists:
        data = _with_allowed(data, answers.allow, inputs.draws.secret)
    if "tunnel" in lists:
        data = _with_tunnels(data, answers.tunnel)
    return data


def planned_config(inputs: Inputs) -> bytes | None:
    """Return the configuration as it will be when this plan is done; None without a node."""
    return config_with(inputs, CONFIG_LISTS)


def needed_config(inputs: Inputs) -> bytes:
    """Return the configuration as it will be, for a step whose own answers bring a node if there is none."""
    content = planned_config(inputs)
    if content is None:
        raise AssertionError("what needs an address brings a node: see wanted_node")
    return content


def service_address(inputs: Inputs) -> str:
    """Return where letters and calls go: the node's address, or a public one if the answers say so."""
    return inputs.answers.public_address or address_of(needed_config(inputs))


def address_of(data: bytes) -> str:
    """Return the mesh address of a configuration's key, as RFC 5952 writes it: the one form for all files."""
    return str(node_address(parsed(data)))
