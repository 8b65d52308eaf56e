"""A file in a home in which only our settings are ours: a resource, with the rights that it has there."""

from __future__ import annotations

from dexsetup.facts import Account, FileFact
from dexsetup.plan.model import FileSharing, ManagedFile
from dexsetup.render.environment import Renderer

__all__ = ["home_file"]

_NEW_FILE_MODE = 0o600


def home_file(
    path: str,
    content: bytes | None,
    known: FileFact | None,
    account: Account,
    *,
    made_of: tuple[str, Renderer],
    unless_running: tuple[str, ...],
) -> ManagedFile:
    """Return the file with this content (None: gone), made from what is `known` of it, by its owner's hand.

    It keeps mode and group; a new one is for its owner alone. `made_of` names the template.
    """
    template, renderer = made_of
    is_there = known is not None and known.content is not None
    return ManagedFile(
        path=path,
        content=content,
        mode=known.mode if known is not None and is_there else _NEW_FILE_MODE,
        owner=account.login,
        group=known.group if known is not None and is_there else account.group,
        sharing=FileSharing.SHARED,
        based_on=known.content if known is not None else None,
        as_user=account.login,
        template=f"{template} {renderer.version(template)}",
        unless_running=unless_running,
    )
