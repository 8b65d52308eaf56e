"""What opensmtpd asks about each letter that comes over the mesh: dex-mailfilter, a program of its own."""

from __future__ import annotations
