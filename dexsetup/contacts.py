"""A contact out of what somebody typed: `jo fc9a::7 Jo Doe`, or a short name and a friend's `dex:` link."""

from __future__ import annotations

from pydantic import ValidationError

from dexsetup.answers.load import explain
from dexsetup.answers.model import Contact
from dexsetup.answers.sense import contact_address, contact_problems
from dexsetup.card import find_card, read_card
from dexsetup.errors import AnswersError

__all__ = ["contact_of", "read_contact"]


def contact_of(name: str, address: str, *, login: str = "", real_name: str = "") -> Contact:
    """Return a contact with its address as RFC 5952 writes it; what a link says fills what is left out.

    Raises AnswersError for what is no short name, no address, or no login.
    """
    if find_card(address):
        card = read_card(address)
        address, login, real_name = card.address, login or card.login, real_name or card.name
    given = {
        "name": name,
        "address": contact_address(address) or address,
        "login": login,
        "real_name": real_name,
    }
    try:
        contact = Contact.model_validate({key: value for key, value in given.items() if value})
    except ValidationError as error:
        raise AnswersError(explain(error, "contact")) from error
    problems = tuple(sentence for _, sentence in contact_problems(contact))
    if problems:
        raise AnswersError(problems)
    return contact


def read_contact(text: str) -> Contact:
    """Return the contact on one line: short name, address or link, name. Raises AnswersError."""
    words = text.split(maxsplit=2)
    if len(words) < 2:
        raise AnswersError(("a contact is a short name and an address, as: jo fc00:1:2::3 Jo Doe",))
    return contact_of(words[0], words[1], real_name=words[2] if len(words) > 2 else "")
