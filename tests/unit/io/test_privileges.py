"""Which account the router becomes; what becoming it means is tested on a real one (system tests)."""

from __future__ import annotations

import pwd

import pytest

from dexrouter.io.privileges import OWN_USER, user_for


@pytest.mark.parametrize(
    ("accounts", "configured", "expected"),
    [
        ((OWN_USER, "nobody"), "nobody", OWN_USER),
        (("nobody",), "nobody", "nobody"),
        ((), "nobody", "nobody"),
        ((OWN_USER,), None, None),
    ],
)
def test_the_account(
    monkeypatch: pytest.MonkeyPatch, accounts: tuple[str, ...], configured: str | None, expected: str | None
) -> None:
    """Its own if the machine has it, else the configured one; who asked to stay root stays."""

    def look_up(name: str) -> str:
        if name not in accounts:
            raise KeyError(name)
        return name

    monkeypatch.setattr(pwd, "getpwnam", look_up)
    assert user_for(configured) == expected
