"""What the grammar of cjdroute.conf accepts, file by file, as the reference programs did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import ConfigError, cleanconf, parse
from dexrouter.config.jsonc import Array, Object, String, content_of, parse_strict, parse_tolerant
from dexrouter.config.lexer import Dialect

VECTORS = Path(__file__).parents[2] / "vectors" / "conf"
EXPECTED: list[dict[str, Any]] = json.loads((VECTORS / "expected.json").read_text())["files"]
RUN = "v20.7 and v21.1 (run)"
READABLE = [case for case in EXPECTED if case[RUN]["exit"] == 0]
REFUSED = [case for case in EXPECTED if case[RUN]["exit"] != 0]


def _names(cases: list[dict[str, Any]]) -> list[str]:
    return [case["file"] for case in cases]


def test_every_file_of_the_folder_is_tested() -> None:
    """No vector lies unused: each file has an expectation and each expectation a file."""
    assert sorted(path.name for path in VECTORS.glob("*.conf")) == sorted(_names(EXPECTED))
    assert len(EXPECTED) == 38


@pytest.mark.parametrize("case", READABLE, ids=_names(READABLE))
def test_a_file_that_the_reference_reads_has_the_same_content(case: dict[str, Any]) -> None:
    content = content_of(parse((VECTORS / case["file"]).read_bytes()).root)
    assert isinstance(content, dict)
    content["version"] = 2  # the expectation is what --cleanconf printed, which sets it
    assert content == case[RUN]["parsed"]


@pytest.mark.parametrize("case", READABLE, ids=_names(READABLE))
def test_cleanconf_keeps_content_and_order(case: dict[str, Any]) -> None:
    """What cleanconf writes is strict, has version 2, and its keys stand where the reference put them."""
    cleaned = parse_strict(cleanconf((VECTORS / case["file"]).read_bytes()).encode())
    assert content_of(cleaned) == case[RUN]["parsed"]
    keys = list(dict.fromkeys(member.key.value.decode() for member in cleaned.members))
    assert keys == case[RUN]["keyOrder"]


@pytest.mark.parametrize("case", REFUSED, ids=_names(REFUSED))
def test_a_file_that_the_reference_refuses_is_refused_with_a_place(case: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse((VECTORS / case["file"]).read_bytes())
    assert caught.value.line >= 1
    assert caught.value.hint


def test_the_message_names_place_cause_and_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        parse((VECTORS / "07-missing-commas-version-2.conf").read_bytes())
    assert str(caught.value) == (
        'cjdroute.conf:5:9: expected "," but found "{". Put a comma behind the entry before it'
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "hint"),
    [
        ('{"a": 1,}', 1, 9, 'expected a key in quotation marks but found "}"', "comma before it"),
        ('{"a": [1,]}', 1, 10, 'expected a value but found "]"', "comma before it"),
        ('{"é": 1 "b": 2}', 1, 9, 'expected "," but found a text', "Put a comma"),
        ('{"a": 1 2}', 1, 9, 'expected "," but found the number 2', "Put a comma"),
        ('{"a" 1}', 1, 6, 'expected ":" but found the number 1', "A key, a colon"),
        ('{"a": tru', 1, 7, 'expected a value but found "t"', 'Values are "texts"'),
        ('{"a": true}', 1, 7, 'expected a value but found "t"', "Write 1 for true"),
        ('{\n# no\n"a": 1}', 2, 1, 'but found "#"', "Comments begin with //"),
        ('{"a": -}', 1, 7, 'a "-" without a number', "digits"),
        ('{"a": 1', 1, 1, 'the "{" that stands here is never closed', 'Put the "}"'),
        ('{"a": [1,', 1, 7, 'the "[" that stands here is never closed', 'Put the "]"'),
        ('{"a": [1', 1, 7, 'the "[" that stands here is never closed', 'Put the "]"'),
        ('{"a": "x', 1, 7, "never ends", "closing quotation mark"),
        ("{ /* x", 1, 3, "the comment that begins here never ends", "*/"),
        ('{"a": 9223372036854775808}', 1, 7, "does not fit in 64 bits", "9223372036854775807"),
        ("", 1, 1, 'expected "{" but found the end of the file', "one dictionary"),
        ('{"a":' + "[" * 70, 1, 69, "nested deeper than 64", "Close some"),
        ('{"a": 1 \x01}', 1, 9, "found the byte 0x01", "Values are"),
        ('{"a": "\\', 1, 8, "a backslash stands only before", r"\x22"),
    ],
)
def test_strict_errors(text: str, line: int, column: int, what: str, hint: str) -> None:
    """The strict grammar says where, what and what to do."""
    with pytest.raises(ConfigError) as caught:
        parse_strict(text.encode())
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert what in error.what
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no brace", 'there is no "{"'),
        ("// {", 'there is no "{"'),
        ('{"a"', "no colon behind this key"),
        ('{"a": -1', 'expected a value but found "-"'),
        ('{"a": }', 'expected a value but found "}"'),
        ('{"a": 1', "never closed"),
        ('{"a": [1}', "never closed"),
        ('{"a": "\\xZZ"}', "a backslash"),
    ],
)
def test_tolerant_errors(text: str, what: str) -> None:
    """Even the tolerant grammar has its limits."""
    with pytest.raises(ConfigError, match=what):
        parse_tolerant(text.encode())


def test_comments_before_the_first_brace_are_comments_in_both_dialects() -> None:
    """A brace in a comment at the top is not taken for the beginning."""
    document = parse(b'// { "a": 0 }\n/* { */ {"a": 1 "b": 2,}')
    assert document.dialect is Dialect.TOLERANT
    assert content_of(document.root) == {"a": 1, "b": 2}


def test_when_both_grammars_fail_the_error_is_the_one_that_matters() -> None:
    """A missing comma is not why an older file cannot be read; the word "true" is."""
    with pytest.raises(ConfigError, match='found "t"') as caught:
        parse(b'{"a": 1\n"b": true}')
    assert caught.value.line == 2


def test_spans_are_the_text_of_the_values() -> None:
    """`data[start:end]` of each value is its text in the file, brackets and quotation marks included."""
    data = b' { "a" : "x\\x41" , "l" : [ 1 , {"b":22} ] }'
    root = parse_strict(data)
    text, array = root.get("a"), root.get("l")
    assert isinstance(text, String)
    assert isinstance(array, Array)
    assert text.value == b"xA"
    assert data[text.start : text.end] == b'"x\\x41"'
    assert data[array.start : array.end] == b'[ 1 , {"b":22} ]'
    assert [data[item.start : item.end] for item in array.items] == [b"1", b'{"b":22}']
    member = root.members[0]
    assert data[member.start : member.end] == b'"a" : "x\\x41"'
    assert data[root.start : root.end] == data[1:]


def test_of_duplicate_keys_the_first_is_found_and_all_are_kept() -> None:
    root = parse((VECTORS / "28-duplicate-keys-v2.conf").read_bytes()).root
    assert content_of(root) == {"a": 1, "connectTo": {"x": {"n": 1}}, "version": 2}
    connect_to = root.get("connectTo")
    assert isinstance(connect_to, Object)
    assert [member.key.value for member in connect_to.members] == [b"x", b"x"]


def test_cleanconf_writes_the_form_of_the_reference() -> None:
    """Two spaces a level, spaces around the colon, an empty line in what is empty, xNN for odd bytes."""
    text = cleanconf(b'{"z": {}, "a": ["\xc3\xa9~\\x22", 1, []]}')
    assert text == (
        '{\n  "version" : 2,\n  "z" : {\n\n  },\n  "a" : [\n    "\\xC3\\xA9\\x7E\\x22",\n'
        "    1,\n    [\n\n    ]\n  ]\n}\n"
    )


def test_any_problem_reads_alike_alone_and_in_a_list() -> None:
    """A single error is a list of one, so callers can always walk through `problems`."""
    with pytest.raises(ConfigError) as caught:
        parse(b"{", "other.conf")
    assert caught.value.problems == (caught.value,)
    assert str(caught.value).startswith("other.conf:1:1: ")
    assert str(ConfigError("no place")) == "cjdroute.conf: no place"
