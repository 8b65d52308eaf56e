"""Where packets are in a buffer: two columns, starts and sizes.

Packets that were cut from one super-packet lie at equal distances, and all of them but the last are equally
long: then the starts are a `range`, and what follows from them costs nothing for each packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["Span", "Spans"]

Span = tuple[int, int]
"""Start and end."""


class Spans:
    """Starts and sizes of packets."""

    __slots__ = ("sizes", "starts")

    def __init__(self, starts: Sequence[int], sizes: list[int]) -> None:
        self.starts = starts
        self.sizes = sizes

    @classmethod
    def train(cls, start: int, stride: int, size: int, last: int, count: int) -> Spans:
        """Give `count` packets of one size at equal distances, the last of another size."""
        return cls(range(start, start + count * stride, stride), [size] * (count - 1) + [last])

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Span]:
        return zip(self.starts, map(int.__add__, self.starts, self.sizes), strict=True)

    def part(self, first: int, last: int) -> Spans:
        """Give the packets from number `first` up to `last`."""
        if first == 0 and last >= len(self.sizes):
            return self
        return Spans(self.starts[first:last], self.sizes[first:last])

    def extend(self, more: Spans) -> None:
        """Add packets behind these."""
        if self.sizes:
            self.starts = [*self.starts, *more.starts]
            self.sizes = self.sizes + more.sizes
        else:
            self.starts, self.sizes = more.starts, more.sizes[:]

    def add(self, start: int, size: int) -> None:
        """Add a packet behind these."""
        starts = self.starts
        if not isinstance(starts, list):
            self.starts = starts = list(starts)
        starts.append(start)
        self.sizes.append(size)

    def places(self, offset: int) -> Sequence[int]:
        """Give the places at an offset from each start."""
        starts = self.starts
        if isinstance(starts, range):
            return range(starts.start + offset, starts.stop + offset, starts.step)
        return [start + offset for start in starts]

    def joined(self, offset: int) -> tuple[int, int, int] | None:
        """Say whether packets that begin at an offset from the starts lie one behind the other.

        Then start, end and size of each are given; only the last may be shorter.
        """
        starts, sizes = self.starts, self.sizes
        if not isinstance(starts, range) or sizes[-1] > sizes[0] or sizes.count(sizes[0]) < len(sizes) - 1:
            return None
        size = sizes[0] - offset
        if starts.step != size or len(sizes) == 1:
            return None
        return starts[0] + offset, starts[-1] + sizes[-1], size

    def sizes_less(self, less: int) -> list[int]:
        """Give the sizes without so many bytes of each."""
        sizes = self.sizes
        if isinstance(self.starts, range) and sizes.count(sizes[0]) >= len(sizes) - 1:
            return [sizes[0] - less] * (len(sizes) - 1) + [sizes[-1] - less]
        return [size - less for size in sizes]
