"""The admin API: bencoded calls over UDP, with the names, types and errors of cjdns (spec 07).

`server` answers, `client` asks. The server is sans-IO as the core is; what only the edge can do it asks of an
`Edge` (edge.py). The client knows nothing of the core: other programs use it, too.
"""

from __future__ import annotations

__all__: list[str] = []
