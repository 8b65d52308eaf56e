"""A mesh in a test tube: whole nodes on a virtual clock (`python -m dexrouter.sim`).

The same core that runs behind sockets, on wires of memory: datagrams are sealed, moved and opened as in the
world, only time and wires are ours. Everything follows from one seed. No I/O but the table that is printed.
"""

from __future__ import annotations
