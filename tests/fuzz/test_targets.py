"""The fuzz targets hold for a few random bytes: so that they are right when somebody fuzzes for an hour."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzz_targets
import fuzz_wizard
from fuzz_seeds import seeds_for

SLOW = ("admin", "crypto", "node")
TARGETS = {**fuzz_targets.TARGETS, **fuzz_wizard.TARGETS}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_takes_any_bytes(name: str) -> None:
    @settings(max_examples=15 if name in SLOW else 60)
    @given(st.binary(max_size=400))
    def law(data: bytes) -> None:
        TARGETS[name](data)

    law()


@pytest.mark.parametrize("name", [name for name in sorted(TARGETS) if seeds_for(name)])
def test_a_target_takes_the_inputs_that_fuzzing_begins_with(name: str) -> None:
    """They are good ones: of those that read back, the target compares what was read."""
    for seed in seeds_for(name):
        TARGETS[name](seed)
