"""What each command of dexsetup does. cli.py reads the command line and hands on to one function here."""

from __future__ import annotations
