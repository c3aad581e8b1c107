"""At which rounds' heads nodes stand, and so which rounds are over."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any


class Heads:
    """done: how many rounds are over. A round is over once nobody who holds a model is in it or before it."""

    def __init__(self) -> None:
        self.done = 0
        self._heads: dict[int, int] = {}
        self._at: dict[int, int] = {}

    def move(self, node: int, round: int | None) -> Iterable[int]:
        """`node` is at the head of `round` and holds its model (None: it holds none any more); gives the rounds that are over now."""
        at, old = self._at, self._heads.pop(node, None)
        if old is not None:
            if at[old] > 1:
                at[old] -= 1
            else:
                del at[old]
        if round is None:
            return ()
        self._heads[node] = round
        at[round] = at.get(round, 0) + 1
        return self._over(round) if self.done < round and self.done not in at else ()

    def _over(self, round: int) -> Iterator[int]:
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
        self._at = dict(Counter(self._heads.values()))
