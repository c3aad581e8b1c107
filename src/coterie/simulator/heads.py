"""At which rounds' heads nodes stand, and so which rounds are over."""

from collections import Counter
from collections.abc import Iterator
from typing import Any


class Heads:
    """done: how many rounds are over. A round is over once nobody who holds a model is in it or before it."""

    def __init__(self) -> None:
        self.done = 0
        self._heads: dict[int, int] = {}
        self._at: Counter[int] = Counter()

    def move(self, node: int, round: int | None) -> Iterator[int]:
        """`node` is at the head of `round` and holds its model (None: it holds none any more); gives the rounds that are over now."""
        old = self._heads.pop(node, None)
        if old is not None:
            self._at[old] -= 1
            if not self._at[old]:
                del self._at[old]
        if round is not None:
            self._heads[node] = round
            self._at[round] += 1
            while self.done < round and self.done not in self._at:
                yield self.done
                self.done += 1

    def finish(self, rounds: int) -> Iterator[int]:
        """All of `rounds` are over; gives those that were not yet."""
        while self.done < rounds:
            yield self.done
            self.done += 1

    def saved(self) -> list[Any]:
        """What makes it again."""
        return [self.done, list(self._heads.items())]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        self.done, self._heads = saved[0], dict(saved[1])
        self._at = Counter(self._heads.values())
