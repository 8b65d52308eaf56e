"""How a switch writes interface numbers into labels: forms, schemes, directors (spec 03 §4 and §5).

A switch numbers its interfaces from 0; interface 1 is always the router. A *director* names one interface
inside a label. A *form* writes it as `raw << prefix_length | prefix`; a *scheme* is an ordered list of forms,
and the low bits of a label tell which of them is in use.

Rules:

* A scheme that exists is sane: the constructor refuses others with `WireError`.
* Impossible conversions give `INVALID_LABEL`, never an exception: their arguments come from other nodes.
* v3x5x8, which every public node uses, is read from tables, because a switch decodes one director per packet.
  The tables are public for the forwarding path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import (
    INVALID_LABEL,
    LABEL_MASK,
    MAX_PATH_BITS,
    SELF_LABEL,
    label_bits,
    splice,
)

__all__ = [
    "CANONICAL",
    "F4",
    "F8",
    "V4X8",
    "V358",
    "V358_CANONICAL_BITS",
    "V358_INTERFACES",
    "V358_LOW_BITS",
    "V358_NUMBERS",
    "V358_WIDTHS",
    "EncodingForm",
    "EncodingScheme",
    "extend_route",
    "label_for",
]

CANONICAL: Final = -1
"""In place of a form number: the smallest form that can hold the interface number."""

NO_FORM: Final = -1
"""Answer of `form_number` and `director` for a label whose low bits match no form."""

MAX_FORMS: Final = 31
_LENGTH_BITS: Final = 5
"""Width of `prefix_length` and of `bit_count` in the serialised scheme."""

V358_INTERFACES: Final = 257
"""256 peers and the router."""

V358_LOW_BITS: Final = 0x3FF
"""Mask of the bits of a label which decide its first v3x5x8 director; the index into the tables."""


@dataclass(frozen=True, slots=True)
class EncodingForm:
    """One way to write a director (spec 03 §4)."""

    bit_count: int
    """Bits of the raw interface number."""

    prefix_length: int
    """Bits below it which tell this form from the others."""

    prefix: int
    """Value of these bits."""

    @property
    def width(self) -> int:
        """Bits of a director in this form."""
        return self.bit_count + self.prefix_length


@dataclass(frozen=True, slots=True)
class EncodingScheme:
    """The forms of one switch, in order of width (spec 03 §4)."""

    forms: tuple[EncodingForm, ...]
    """Ordered as given; form numbers are indices into this."""

    is_v358: bool = field(init=False, repr=False, compare=False)
    """Whether these are exactly the three forms of v3x5x8, which alone has its own number mapping."""

    def __post_init__(self) -> None:
        reason = _insanity(self.forms)
        if reason:
            raise WireError(reason)
        object.__setattr__(self, "is_v358", self.forms == _V358_FORMS)

    def serialize(self) -> bytes:
        """Write the scheme as in the DHT key `es` (spec 03 §4.3)."""
        bits = 0
        used = 0
        for form in self.forms:
            bits |= (
                form.prefix_length | form.bit_count << _LENGTH_BITS | form.prefix << 2 * _LENGTH_BITS
            ) << used
            used += 2 * _LENGTH_BITS + form.prefix_length
        return bits.to_bytes((used + 7) // 8, "little")

    @classmethod
    def parse(cls, data: bytes) -> EncodingScheme:
        """Read a serialised scheme (spec 03 §4.3). Raises `WireError` unless it is sane."""
        return _parse_scheme(bytes(data))

    def form_number(self, label: int) -> int:
        """Tell the form of the first director, or -1 if none fits (spec 03 §5.1)."""
        if self.is_v358:
            return _V358_FORM_NUMBERS[label & 3]
        if len(self.forms) == 1:
            return 0
        for number, form in enumerate(self.forms):
            if label & ((1 << form.prefix_length) - 1) == form.prefix:
                return number
        return NO_FORM

    def director(self, label: int) -> int:
        """Tell the interface number that the first director names, or -1 (spec 03 §5.2)."""
        if self.is_v358:
            return V358_NUMBERS[label & V358_LOW_BITS]
        number = self.form_number(label)
        if number == NO_FORM:
            return NO_FORM
        form = self.forms[number]
        raw = label >> form.prefix_length & ((1 << form.bit_count) - 1)
        return raw if len(self.forms) == 1 else raw ^ 1

    def director_bits(self, label: int) -> int:
        """Width of the first director; 0 if no form fits."""
        if self.is_v358:
            return V358_WIDTHS[label & V358_LOW_BITS]
        number = self.form_number(label)
        return 0 if number == NO_FORM else self.forms[number].width

    def width(self, form: int) -> int:
        """Width of a director in this form."""
        return self.forms[form].width

    def canonical_form(self, number: int) -> int:
        """Tell the first form which can hold the interface number, or -1."""
        for index, form in enumerate(self.forms):
            value = number - 1 if self.is_v358 and index else number
            if number >= 0 and value < 1 << form.bit_count:
                return index
        return NO_FORM

    def encode_director(self, number: int, form: int = CANONICAL) -> int:
        """Write an interface number as a director, *without* an end mark above it (spec 03 §5.3).

        `INVALID_LABEL` if the number does not fit into the form (any form, when canonical). In v3x5x8,
        interface 1 is `0001` at every width, as a switch needs it for packets of its own router (spec 03 §6).
        """
        if form == CANONICAL:
            form = self.canonical_form(number)
        if not 0 <= form < len(self.forms) or number < 0:
            return INVALID_LABEL
        if number == 1 and self.is_v358:
            return SELF_LABEL
        shape = self.forms[form]
        if len(self.forms) == 1:
            raw = number
        elif not self.is_v358:
            raw = number ^ 1
        elif form == 0:
            raw = 1 if number == 0 else number
        else:
            raw = number - 1 if number else 0
        if raw >> shape.bit_count:
            return INVALID_LABEL
        return raw << shape.prefix_length | shape.prefix

    def peer_label(self, number: int) -> int:
        """Make the path to the peer on an interface: canonical director and end mark (spec 03 §4.1)."""
        form = self.canonical_form(number)
        if form == NO_FORM:
            return INVALID_LABEL
        return self.encode_director(number, form) | 1 << self.width(form)

    def is_self(self, label: int) -> bool:
        """Whether the first director names the router of this switch (spec 03 §5.4)."""
        bits = self.director_bits(label)
        return bits > 0 and label & ((1 << bits) - 1) == SELF_LABEL

    def is_one_hop(self, label: int) -> bool:
        """Whether the label ends right behind its first director (spec 03 §5.5)."""
        bits = self.director_bits(label)
        return bits > 0 and label_bits(label) == bits

    def convert(self, label: int, form: int = CANONICAL) -> int:
        """Write the first director of a label in another form (spec 03 §5.9)."""
        old_number = self.form_number(label)
        if old_number == NO_FORM:
            return INVALID_LABEL
        if len(self.forms) == 1 or self.is_self(label):
            return label if form in (0, CANONICAL) else INVALID_LABEL
        old = self.forms[old_number]
        rest = label >> old.width
        raw = label >> old.prefix_length & ((1 << old.bit_count) - 1)
        number = _number_of(raw, old.prefix) if self.is_v358 else raw
        if form == CANONICAL:
            form = self._smallest_form(number)
        if not 0 <= form < len(self.forms):
            return INVALID_LABEL
        new = self.forms[form]
        raw = _raw_of(number, new.prefix) if self.is_v358 else number
        if label_bits(raw) + 1 > new.bit_count or label_bits(rest) + new.width > MAX_PATH_BITS:
            return INVALID_LABEL
        director = raw << new.prefix_length | new.prefix
        return INVALID_LABEL if director == SELF_LABEL else rest << new.width | director

    def _smallest_form(self, number: int) -> int:
        """Tell the form that `convert` takes as canonical, which is its own rule (spec 03 §5.9 step 3).

        There is one: the number came out of a director, and the last form has the most bits.
        """
        return next(
            index
            for index, form in enumerate(self.forms)
            if form.bit_count > label_bits(number if form.prefix == 1 else max(number - 1, 0))
        )


def label_for(target: int, asker: int) -> int:
    """Fit a v3x5x8 label for an asker whose way back is `asker` (getLabelFor, spec 03 §5.10).

    A switch refuses a packet whose incoming interface needs a wider director than the outgoing one has, so
    the first director of `target` is widened to that of `asker`. There is no check for paths that become too
    long: whoever splices the result finds out.
    """
    old_bits = V358_WIDTHS[target & V358_LOW_BITS]
    new_bits = V358_WIDTHS[asker & V358_LOW_BITS]
    if old_bits >= new_bits:
        return target
    number = V358_NUMBERS[target & V358_LOW_BITS]
    director = V358.encode_director(number, _V358_FORM_NUMBERS[asker & 3])
    return (target >> old_bits << new_bits | director) & LABEL_MASK


def extend_route(path_to_b: int, scheme_of_b: EncodingScheme, label_b_to_c: int, inverse_form: int) -> int:
    """Build the path to C behind B, or `INVALID_LABEL` (spec 05 §5.2).

    `inverse_form` is the form number, in B's scheme, of B's label back along the link by which the path
    enters B. If it is wider than the form of the label to C, the label is widened, or B's switch could not
    write the way back.
    """
    if label_b_to_c == SELF_LABEL:
        return path_to_b
    form = scheme_of_b.form_number(label_b_to_c)
    if form == NO_FORM:
        return INVALID_LABEL
    label = scheme_of_b.convert(label_b_to_c, inverse_form) if inverse_form > form else label_b_to_c
    return INVALID_LABEL if label == INVALID_LABEL else splice(label, path_to_b)


def _insanity(forms: tuple[EncodingForm, ...]) -> str:
    """Name what makes a list of forms unusable, or give an empty text (spec 03 §4.3)."""
    if not 1 <= len(forms) <= MAX_FORMS:
        return "an encoding scheme has 1 to 31 forms"
    if len(forms) == 1:
        form = forms[0]
        if form.prefix_length or form.prefix or not 1 <= form.bit_count <= 31:
            return "a scheme's only form has no prefix and 1 to 31 bits"
        return ""
    last_count = 0
    for form in forms:
        if not (1 <= form.prefix_length <= 31 and 1 <= form.bit_count <= 31):
            return "a form has 1 to 31 prefix bits and 1 to 31 number bits"
        if form.width > MAX_PATH_BITS:
            return "a form is wider than any path"
        if form.prefix < 0 or form.prefix >> form.prefix_length:
            return "a form's prefix is longer than its length says"
        if form.bit_count <= last_count:
            return "forms are ordered by their number of bits"
        last_count = form.bit_count
    if _has_ambiguous_prefix(forms):
        return "one form's prefix hides another form"
    return ""


def _has_ambiguous_prefix(forms: tuple[EncodingForm, ...]) -> bool:
    for index, form in enumerate(forms):
        mask = (1 << form.prefix_length) - 1
        for other_index, other in enumerate(forms):
            if other_index != index and other.prefix & mask == form.prefix:
                return True
    return False


@lru_cache(maxsize=64)
def _parse_scheme(data: bytes) -> EncodingScheme:
    """Read forms from the lowest bits; cached because practically every message carries the same scheme."""
    bits = int.from_bytes(data, "little")
    left = len(data) * 8
    forms: list[EncodingForm] = []
    while left >= 2 * _LENGTH_BITS:
        prefix_length = bits & 0x1F
        bit_count = bits >> _LENGTH_BITS & 0x1F
        if not bit_count:
            break
        left -= 2 * _LENGTH_BITS + prefix_length
        if left < 0 or len(forms) == MAX_FORMS:
            raise WireError("an encoding form reaches past the end", len(data))
        bits >>= 2 * _LENGTH_BITS
        forms.append(EncodingForm(bit_count, prefix_length, bits & ((1 << prefix_length) - 1)))
        bits >>= prefix_length
    if bits:
        raise WireError("an encoding scheme ends with something else than zero bits", len(data))
    return EncodingScheme(tuple(forms))


def _number_of(raw: int, prefix: int) -> int:
    """Interface number of a raw v3x5x8 value; the narrow form swaps 0 and 1 (spec 03 §4.1)."""
    if prefix == 1:
        return raw ^ 1 if raw < 2 else raw
    return raw + 1 if raw else 0


def _raw_of(number: int, prefix: int) -> int:
    """Inverse of `_number_of`."""
    if prefix == 1:
        return number ^ 1 if number < 2 else number
    return number - 1 if number else 0


_V358_FORMS: Final = (EncodingForm(3, 1, 0b1), EncodingForm(5, 2, 0b10), EncodingForm(8, 2, 0b00))
_V358_FORM_NUMBERS: Final = (2, 0, 1, 0)
"""By the two low bits."""

V358: Final = EncodingScheme(_V358_FORMS)
"""v3x5x8: the only scheme of public nodes, serialised `6114458100`."""

F4: Final = EncodingScheme((EncodingForm(4, 0, 0),))
F8: Final = EncodingScheme((EncodingForm(8, 0, 0),))
V4X8: Final = EncodingScheme((EncodingForm(4, 1, 1), EncodingForm(8, 1, 0)))


def _v358_number(low_bits: int) -> int:
    form = _V358_FORMS[_V358_FORM_NUMBERS[low_bits & 3]]
    return _number_of(low_bits >> form.prefix_length & ((1 << form.bit_count) - 1), form.prefix)


V358_WIDTHS: Final = tuple(_V358_FORMS[_V358_FORM_NUMBERS[low & 3]].width for low in range(V358_LOW_BITS + 1))
"""Width of the first director, by the low ten bits of a label."""

V358_NUMBERS: Final = tuple(_v358_number(low) for low in range(V358_LOW_BITS + 1))
"""Interface number of the first director, by the low ten bits of a label."""

V358_CANONICAL_BITS: Final = tuple(
    4 if number < 8 else 7 if number < 33 else 10 for number in range(V358_INTERFACES)
)
"""Width of the smallest director that can hold an interface number."""
