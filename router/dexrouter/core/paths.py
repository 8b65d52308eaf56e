"""The paths of one session: up to three, the best first (spec 04 §6).

A path has a metric (how good its source is, lower is better; core/metric.py) that grows by one for each
millisecond since the path was last validated. On top of the C router's rules a path can be *in doubt*: it was
probed and nothing has come over it since. A doubted path is as bad as a dead one, and one authentic packet
over it clears the doubt. So a session leaves a broken path as soon as another one answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dexrouter.core.metric import DEAD_LINK, NO_INFORMATION, effective_metric
from dexrouter.wire.labels import INVALID_LABEL
from dexrouter.wire.switch_header import origin_header

__all__ = ["MAX_PATHS", "Path", "Paths"]

MAX_PATHS: Final = 3


class Path:
    """One way to a node."""

    __slots__ = ("header", "label", "metric", "probed", "validated")

    def __init__(self, label: int, metric: int, now: float) -> None:
        self.label = label
        self.header = origin_header(label)
        """Switch header of a frame that begins this way here."""
        self.metric = metric
        self.validated = now
        """When something last vouched for it (seconds)."""
        self.probed: float | None = None
        """When a probe over it went out that nothing has answered yet."""

    def effective(self, now: float) -> int:
        """Metric now: aged, and the worst while the path is in doubt."""
        if self.probed is not None:
            return NO_INFORMATION
        return effective_metric(self.metric, now - self.validated)


class Paths:
    """The paths of a session, best first."""

    __slots__ = ("_paths", "best")

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self.best: Path | None = None
        """The path in use, if there is one that is not dead; read only."""

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def newest_validation(self) -> float:
        """When any of them was last validated; minus infinity without paths."""
        return max((path.validated for path in self._paths), default=float("-inf"))

    def discover(self, label: int, metric: int, now: float) -> bool:
        """Take note of a path; True if it was new (spec 04 §6.3)."""
        if label in (0, INVALID_LABEL):
            return False
        for path in self._paths:
            if path.label != label:
                continue
            if metric == DEAD_LINK or metric < path.effective(now):
                path.metric = metric
                path.validated = now
                self._rank(now)
            return False
        if metric == DEAD_LINK:
            return False
        if len(self._paths) < MAX_PATHS:
            self._paths.append(Path(label, metric, now))
        else:
            worst = max(self._paths, key=lambda path: path.effective(now))
            if worst.effective(now) <= metric:
                return False
            self._paths[self._paths.index(worst)] = Path(label, metric, now)
        self._rank(now)
        return True

    def heard(self, label: int, now: float) -> bool:
        """Note an authentic packet that came over this path; False if the path is not known."""
        for path in self._paths:
            if path.label == label:
                path.validated = now
                if path.probed is not None:
                    path.probed = None
                    self._rank(now)
                return True
        return False

    def doubt(self, now: float, *, again_after: float) -> tuple[int, ...]:
        """Put all paths in doubt; gives those over which a probe must go out now.

        A path whose probe was not answered within `again_after` seconds is probed again.
        """
        due = tuple(path for path in self._paths if path.probed is None or now - path.probed > again_after)
        for path in due:
            path.probed = now
        self._rank(now)
        return tuple(path.label for path in due)

    def drop(self, label: int, now: float) -> None:
        """Forget a path that is known to be dead."""
        self._paths = [path for path in self._paths if path.label != label]
        self._rank(now)

    def _rank(self, now: float) -> None:
        self._paths.sort(key=lambda path: (path.metric == DEAD_LINK, path.effective(now)))
        self.best = self._paths[0] if self._paths and self._paths[0].metric != DEAD_LINK else None
