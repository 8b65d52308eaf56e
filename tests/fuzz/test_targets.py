"""The fuzz targets hold for a few random bytes: so that they are right when somebody fuzzes for an hour."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz_targets import TARGETS

SLOW = ("admin", "crypto", "node")


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_takes_any_bytes(name: str) -> None:
    @settings(max_examples=15 if name in SLOW else 60)
    @given(st.binary(max_size=400))
    def law(data: bytes) -> None:
        TARGETS[name](data)

    law()
