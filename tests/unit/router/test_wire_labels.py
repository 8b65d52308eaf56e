"""The label algebra against known answers of the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dexrouter.wire.encoding_scheme import (
    CANONICAL,
    F4,
    F8,
    V4X8,
    V358,
    V358_CANONICAL_BITS,
    V358_LOW_BITS,
    V358_NUMBERS,
    V358_WIDTHS,
    EncodingForm,
    EncodingScheme,
    extend_route,
    label_for,
)
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import (
    INVALID_LABEL,
    format_label,
    label_bits,
    parse_label,
    reverse64,
    routes_through,
    splice,
    unsplice,
)

VECTORS = Path(__file__).parents[2] / "vectors"
LABELS = json.loads((VECTORS / "labels.json").read_text())
DHT = json.loads((VECTORS / "dht.json").read_text())["functions"]
BY_NAME = {"v3x5x8": V358, "v358": V358, "f4": F4, "f8": F8, "v4x8": V4X8}


def number(text: str) -> int:
    return int(text.replace(".", ""), 16)


def scheme_of(forms: list[dict[str, int]]) -> EncodingScheme:
    return EncodingScheme(
        tuple(EncodingForm(form["bitCount"], form["prefixLen"], form["prefix"]) for form in forms)
    )


SCHEMES = {name: scheme_of(entry["forms"]) for name, entry in LABELS["schemes"].items()}


@pytest.mark.parametrize("name", sorted(LABELS["numberCompress"]))
def test_every_number_at_every_width(name: str) -> None:
    """Each scheme writes and reads every interface number at every width exactly as the reference does."""
    entry = LABELS["numberCompress"][name]
    scheme = BY_NAME[name]
    assert scheme == scheme_of(entry["forms"])
    assert scheme.serialize().hex() == entry["serialized"]
    for interface, bits in enumerate(entry["bitsUsedForNumber"]):
        assert scheme.width(scheme.canonical_form(interface)) == bits
    forms = {scheme.width(index): index for index in range(len(scheme.forms))}
    for width, pairs in entry["compressed"].items():
        for interface, director in pairs:
            if (name, interface, width) == ("v4x8", 1, "9"):
                continue  # the reference's own two writers differ here; ours follows spec 03 §5.3
            assert scheme.encode_director(interface, forms[int(width)]) == director
    for low, (bits, interface) in enumerate(entry["decompressAllLowBits"]["bitsUsed_and_number"]):
        assert (scheme.director_bits(low), scheme.director(low)) == (bits, interface)


def test_public_tables_agree_with_the_scheme() -> None:
    """The forwarding path may read the tables directly."""
    for low in range(V358_LOW_BITS + 1):
        assert (V358_WIDTHS[low], V358_NUMBERS[low]) == (V358.director_bits(low), V358.director(low))
    for interface, bits in enumerate(V358_CANONICAL_BITS):
        assert V358.width(V358.canonical_form(interface)) == bits


def test_scheme_serialisation() -> None:
    """Sane schemes serialise to the reference's bytes and parse back to themselves."""
    for entry in LABELS["schemeSerialize"]:
        scheme = scheme_of(entry["forms"])
        assert scheme.serialize().hex() == entry["hex"]
        assert EncodingScheme.parse(bytes.fromhex(entry["hex"])) == scheme


def test_scheme_parsing() -> None:
    """Serialised schemes are read, or refused, as the reference does."""
    for entry in LABELS["schemeDeserialize"]:
        data = bytes.fromhex(entry["hex"])
        if entry["forms"] is None:
            with pytest.raises(WireError):
                EncodingScheme.parse(data)
        else:
            assert EncodingScheme.parse(data) == scheme_of(entry["forms"])


def test_directors_and_conversions() -> None:
    """Form, interface, self, one hop and every conversion of 550 labels."""
    for entry in LABELS["director"]:
        scheme = SCHEMES[entry["scheme"]]
        label = number(entry["label"])
        assert scheme.form_number(label) == entry["formNum"], entry
        assert scheme.director(label) == entry["director"], entry
        assert scheme.is_self(label) == bool(entry["isSelf"]), entry
        assert scheme.is_one_hop(label) == bool(entry["isOneHop"]), entry
        for form, converted in entry["convert"].items():
            wanted = CANONICAL if form == "canonical" else int(form)
            assert scheme.convert(label, wanted) == number(converted), (entry, form)


def test_written_directors() -> None:
    """A number is written as the reference writes it."""
    for entry in LABELS["serializeDirector"]:
        scheme = SCHEMES[entry["scheme"]]
        assert scheme.encode_director(entry["director"], entry["form"]) == number(entry["result"]), entry


def test_label_for() -> None:
    """Labels handed to others are widened for them."""
    for entry in LABELS["getLabelFor"]:
        assert label_for(number(entry["target"]), number(entry["asker"])) == number(entry["result"]), entry


def test_splicing() -> None:
    """Paths are joined and cut as in the reference."""
    for entry in LABELS["splice"]:
        go, via = number(entry["goHere"]), number(entry["viaHere"])
        joined = splice(go, via)
        assert joined == number(entry["result"]), entry
        if "unsplice" in entry:
            assert unsplice(joined, via) == number(entry["unsplice"]), entry
            assert routes_through(joined, via) == bool(entry["routesThrough"]), entry
    for entry in LABELS["unsplice"]:
        assert unsplice(number(entry["fullPath"]), number(entry["midPath"])) == number(entry["result"])
    for entry in LABELS["routesThrough"]:
        assert routes_through(number(entry["destination"]), number(entry["midPath"])) == entry["result"]


def test_bits_and_text() -> None:
    """Bit reversal, logarithm and the printed form."""
    for entry in LABELS["bits"]:
        label = number(entry["label"])
        assert reverse64(label) == number(entry["bitReverse"])
        assert label_bits(label) == entry["log2"]
        assert format_label(label) == entry["printed"]
        assert parse_label(entry["printed"]) == label


def test_dht_function_vectors() -> None:
    """The second, independent list of known answers that came with the captured router messages."""
    for row in DHT["schemes"]:
        scheme = BY_NAME[row["name"]] if row["name"] in BY_NAME else scheme_from_dht(row)
        assert scheme.serialize().hex() == row["serialized_hex"]
    schemes = {
        row["name"]: EncodingScheme.parse(bytes.fromhex(row["serialized_hex"])) for row in DHT["schemes"]
    }
    for go, via, joined in DHT["splice"]:
        assert splice(number(go), number(via)) == number(joined)
    for dest, mid, passes in DHT["routes_through"]:
        assert routes_through(number(dest), number(mid)) == bool(passes)
    for target, asker, fitted in DHT["label_for"]:
        assert label_for(number(target), number(asker)) == number(fitted)
    for name, label, form in DHT["form_num"]:
        assert schemes[name].form_number(number(label)) == form
    for interface, form, director in DHT["directors_v358"]:
        assert V358.encode_director(interface, form) == number(director)
    for name, label, form, converted in DHT["convert_label"]:
        wanted = CANONICAL if form in ("canonical", -1) else int(form)
        assert schemes[name].convert(number(label), wanted) == number(converted), (name, label, form)


def scheme_from_dht(row: dict[str, object]) -> EncodingScheme:
    return EncodingScheme.parse(bytes.fromhex(str(row["serialized_hex"])))


@pytest.mark.parametrize(
    ("interface", "label"),
    [(0, 0x13), (2, 0x15), (7, 0x1F), (8, 0x9E), (9, 0xA2), (32, 0xFE), (33, 0x480), (256, 0x7FC)],
)
def test_peer_labels(interface: int, label: int) -> None:
    """The path to a direct peer is its smallest director with the end mark on top."""
    assert V358.peer_label(interface) == label
    assert V358.is_one_hop(label)


def test_number_that_fits_nowhere() -> None:
    """A number beyond the scheme has no label, nor has one in a form that is too small."""
    assert V358.peer_label(257) == INVALID_LABEL
    assert V358.encode_director(257) == INVALID_LABEL
    assert V358.encode_director(-1) == INVALID_LABEL
    assert V358.encode_director(8, 0) == INVALID_LABEL
    assert V358.encode_director(8, 3) == INVALID_LABEL
    assert V358.convert(0x13, 7) == INVALID_LABEL


def test_extend_route_widens_for_the_way_back() -> None:
    """Behind a hub that reaches us by a 7 bit director, its 4 bit labels are rewritten (spec 05 §5.2)."""
    assert extend_route(0x133, V358, 0x1F, 1) == 0x9A33
    assert extend_route(0x133, V358, 0x9A, 1) == 0x9A33
    assert extend_route(0x13, V358, 0x13, 0) == 0x133
    assert extend_route(0x133, V358, 1, 2) == 0x133


def test_extend_route_without_a_form() -> None:
    """A label or form which B's scheme does not know gives no path."""
    custom = SCHEMES["custom_b"]
    assert extend_route(0x13, custom, 0x1AA118CC68, 0) == INVALID_LABEL
    assert extend_route(0x13, V358, 0x13, 3) == INVALID_LABEL


@pytest.mark.parametrize(
    "text", ["", "0000.0000.0000", "0000.0000.0000.001", "0000.0000.0000.00 1", "0000.0000.0000.+013"]
)
def test_malformed_path_text(text: str) -> None:
    """Only four groups of four hex digits are a path."""
    with pytest.raises(WireError):
        parse_label(text)


@pytest.mark.parametrize(
    "forms",
    [
        (),
        (EncodingForm(0, 0, 0),),
        (EncodingForm(4, 1, 0),),
        (EncodingForm(4, 1, 1), EncodingForm(4, 1, 0)),
        (EncodingForm(4, 0, 0), EncodingForm(8, 1, 0)),
        (EncodingForm(4, 1, 2), EncodingForm(8, 1, 0)),
        (EncodingForm(4, 1, 1), EncodingForm(8, 2, 1)),
        (EncodingForm(4, 31, 1), EncodingForm(31, 31, 0)),
    ],
)
def test_insane_schemes_do_not_exist(forms: tuple[EncodingForm, ...]) -> None:
    """A scheme that could not be decoded unambiguously is refused when it is made."""
    with pytest.raises(WireError):
        EncodingScheme(forms)
