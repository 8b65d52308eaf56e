"""The commented sample of an answers file, made from the declarations: `dexsetup answers new`.

Every question stands there with its title, its hint and its default. What has a default is commented out: the
sample as it stands asks for nothing but a node with default answers.
"""

from __future__ import annotations

import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dexsetup.answers.model import SCHEMA, Answers, list_models, section_models

__all__ = ["sample_answers"]

_WIDTH = 100
_EXAMPLES: dict[tuple[str, str], str] = {
    ("node", "udp_port"): "26041",
    ("node", "lan_peering"): "true",
    ("node", "device"): '"cjdns0"',
    ("peer", "public_key"): '"lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"',
    ("peer", "address"): '"192.0.2.1:26041"',
    ("peer", "password"): '"file:/run/secrets/that-peer"',
    ("peer", "login"): '"default-login"',
    ("peer", "name"): '"a friend"',
    ("allow", "login"): '"ann"',
    ("allow", "password"): '"file:/run/secrets/ann"',
    ("allow", "address"): '"198.51.100.7"',
    ("firewall", "accept_risk"): '["mesh-mail"]',
    ("tunnel", "public_key"): '"d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"',
    ("tunnel", "ip4"): '"10.66.0.2"',
    ("tunnel", "ip6"): '"2001:db8:77::4"',
    ("public", "address"): '"2001:db8::5"',
    ("nodeinfo", "name"): '"Jo Doe"',
    ("nodeinfo", "contact"): '"jo@example.net"',
    ("user", "login"): '"jo"',
    ("user", "real_name"): '"Jo Doe"',
    ("user", "files"): '["mailrc", "mailutils", "pinerc", "linphonerc", "baresip"]',
    ("contact", "name"): '"jo"',
    ("contact", "address"): '"fc00:1:2:3:4:5:6:7"',
    ("contact", "login"): '"jo"',
    ("contact", "real_name"): '"Jo Doe"',
}


def sample_answers() -> str:
    """Return the text of the sample."""
    lines = [
        "# Answers of dexsetup. Take away the # before what you want, and apply with:",
        "#     dexsetup --answers FILE          (add --dry-run to only look)",
        "# A section or key that is left out is left alone on the machine.",
        "",
        f"schema = {SCHEMA}",
    ]
    lists = list_models()
    models = {**section_models(), **lists}
    for name in Answers.model_fields:
        if name in models:
            lines += ["", *_section(name, models[name], is_list=name in lists)]
    return "\n".join(lines) + "\n"


def _section(name: str, model: type[BaseModel], *, is_list: bool) -> list[str]:
    """Return one section. Only [node] is in force as it stands."""
    off = "" if name == "node" else "# "
    header = f"[[{name}]]" if is_list else f"[{name}]"
    summary = (model.__doc__ or "").strip().splitlines()[0]
    again = " Repeat the section for each one." if is_list else ""
    lines = [f"# {summary}{again}", f"{off}{header}"]
    for key, field in model.model_fields.items():
        lines += _question(name, key, field)
    return lines


def _question(section: str, key: str, field: FieldInfo) -> list[str]:
    title = field.title or ""
    words = f"{title if title.endswith('?') else f'{title}.'} {field.description or ''}".strip()
    comment = [f"#   {line}" for line in textwrap.wrap(words, _WIDTH)]
    example = _EXAMPLES.get((section, key), _toml(field.default))
    return [*comment, f"# {key} = {example}"]


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"'
