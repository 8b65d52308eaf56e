"""Answers compared with the machine they are for: the people that they name must exist."""

from __future__ import annotations

import difflib

from dexsetup.answers.model import Answers
from dexsetup.facts import Facts

__all__ = ["problems_on"]


def problems_on(answers: Answers, facts: Facts) -> tuple[str, ...]:
    """Return a sentence for each answer that this machine cannot fit."""
    logins = [account.login for account in facts.accounts]
    problems = []
    for index, user in enumerate(answers.user):
        if user.login in logins:
            continue
        near = difflib.get_close_matches(user.login, logins, n=1)
        guess = f' Did you mean "{near[0]}"?' if near else ""
        problems.append(
            f'user[{index + 1}].login: there is no account "{user.login}" on this machine.{guess}'
        )
    public = answers.public_address
    if public and public not in facts.stable_addresses:
        there = ", ".join(facts.stable_addresses) or "no public IPv6 address that stays"
        problems.append(f"public.address: {public} is not on this machine; here is {there}")
    return tuple(problems)
