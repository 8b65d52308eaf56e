"""What a terminal can show, by its environment."""

from __future__ import annotations

import pytest

from dexsetup.ui.glyphs import is_ascii_terminal


@pytest.mark.parametrize(
    ("environment", "is_ascii"),
    [
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8"}, False),
        ({"TERM": "xterm", "LANG": "de_DE.utf8"}, False),
        ({"TERM": "xterm", "LC_ALL": "C.UTF-8"}, False),
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, False),
        ({"TERM": "xterm", "LANG": "en_GB.ISO-8859-1"}, True),
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8", "LC_ALL": "C"}, True),
        ({"TERM": "xterm", "LANG": "C"}, True),
        ({"TERM": "xterm", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"TERM": "xterm"}, True),
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "en_GB.UTF-8"}, True),
    ],
)
def test_only_a_terminal_that_says_so_gets_more_than_ascii(
    environment: dict[str, str], *, is_ascii: bool
) -> None:
    """Python sets LC_CTYPE itself where the locale is C: that is no word of the terminal's."""
    assert is_ascii_terminal(environment) is is_ascii
