"""The JSON Schema of an answers file, for editors: `dexsetup answers schema`."""

from __future__ import annotations

import json

from dexsetup.answers.model import Answers

__all__ = ["schema_text"]


def schema_text() -> str:
    """Return the schema as JSON text."""
    schema = Answers.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Answers of dexsetup"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
