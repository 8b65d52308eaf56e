"""Reads firewalld's zone files (firewalld.zone(5)): what a zone holds, and whether two files say the same.

firewalld writes a file anew, in an order and layout of its own, at each change. So files are compared by what
they say. A file that is no XML says itself.
"""

from __future__ import annotations

import shlex
from xml.etree import ElementTree as ET

__all__ = ["DISTRIBUTION_ZONES", "ZONES", "has_port", "has_rule", "interfaces", "meaning"]

ZONES = "/etc/firewalld/zones"
"""The machine's own zones, and its own versions of the distribution's."""
DISTRIBUTION_ZONES = "/usr/lib/firewalld/zones"

_Meaning = tuple[str, tuple[tuple[str, str], ...], str, tuple["_Meaning", ...]]


def meaning(content: bytes | None) -> _Meaning | bytes | None:
    """Return what a file says: equal for two files that mean the same. None for no file."""
    if content is None:
        return None
    root = _parsed(content)
    return content if root is None else _said(root)


def interfaces(content: bytes | None) -> frozenset[str]:
    """Return the interfaces that a zone is bound to."""
    return frozenset(item.get("name", "") for item in _items(content, "interface"))


def has_port(content: bytes | None, port: int, protocol: str) -> bool:
    """Whether a zone lets the port in, by itself or in a range."""
    return any(
        item.get("protocol") == protocol and _is_within(port, item.get("port", ""))
        for item in _items(content, "port")
    )


def has_rule(content: bytes | None, rule: str) -> bool:
    """Whether a zone has a rich rule, given as firewalld.richlanguage(5) writes it."""
    wanted = _said(_rule(rule))
    return any(_said(item) == wanted for item in _items(content, "rule"))


def _items(content: bytes | None, name: str) -> list[ET.Element]:
    root = None if content is None else _parsed(content)
    return [] if root is None else root.findall(name)


def _parsed(content: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(content)  # noqa: S314 - files that only root can write
    except ET.ParseError:
        return None


def _said(element: ET.Element) -> _Meaning:
    children = tuple(sorted(_said(child) for child in element))
    return element.tag, tuple(sorted(element.items())), (element.text or "").strip(), children


def _is_within(port: int, text: str) -> bool:
    first, _, last = text.partition("-")
    return first.isdecimal() and (last or first).isdecimal() and int(first) <= port <= int(last or first)


def _rule(text: str) -> ET.Element:
    """Return the XML of a rule: a word without = begins an element, the others are its attributes."""
    words = shlex.split(text)
    root = element = ET.Element("rule")
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if equals:
            element.set(name, value)
        else:
            element = ET.SubElement(root, word)
    return root
