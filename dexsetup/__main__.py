"""`python -m dexsetup`."""

from __future__ import annotations

import sys

from dexsetup.cli import main

sys.exit(main())
