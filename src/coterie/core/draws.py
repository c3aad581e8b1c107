"""Random draws keyed by what they are about, never taken from a shared stream.

Public draws (partition, initial model, topology, roles, selection) are keyed by the scenario's seed; private ones
(batch order, noise) by a secret that never leaves its node. Adding a node or a round therefore changes nobody else's luck.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray


class _Key(ISeedSequence):
    """128 bits as they are; Philox given a key in any other way asks the system for entropy first, and drops it."""

    __slots__ = ("words",)

    def __init__(self, digest: bytes) -> None:
        self.words = np.frombuffer(digest, "<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:  # noqa: ARG002 - Philox asks for two of 64 bits
        return self.words


def _words(purpose: str, where: tuple[int, ...]) -> bytes:
    return "/".join((purpose, *map(str, where))).encode()


def _generator(key: bytes, purpose: str, where: tuple[int, ...]) -> np.random.Generator:
    digest = hashlib.blake2b(_words(purpose, where), digest_size=16, key=key)
    return np.random.Generator(np.random.Philox(_Key(digest.digest())))  # type: ignore[arg-type]


def public(seed: int, purpose: str, *where: int) -> np.random.Generator:
    """The generator of everybody's draw for `purpose` at `where` (usually round, node) under the scenario's `seed`."""
    return _generator(b"public/%d" % seed, purpose, where)


def private(secret: bytes, purpose: str, *where: int) -> np.random.Generator:
    """The generator of a node's own draw; `secret` is 16 to 64 bytes that the node keeps to itself.

    Not for masks, keys or noise that must stay unpredictable to an adversary who sees other outputs of it.
    """
    return _generator(secret, purpose, where)


def private_keys(secrets: Iterable[bytes], purpose: str, *where: int) -> NDArray[np.uint64]:
    """(n,) 64 bits each that key the `Orders` of nodes' own draws for `purpose` at `where`."""
    words = _words(purpose, where)
    return np.frombuffer(b"".join([hashlib.blake2b(words, digest_size=8, key=secret).digest() for secret in secrets]), "<u8")


def derived_secret(seed: int, node: int) -> bytes:
    """The secret (32 bytes) that a simulated `node` gets; a real node makes its own when it joins."""
    return hashlib.blake2b(b"secret/%d/%d" % (seed, node), digest_size=32).digest()


GOLDEN, _FIRST, _SECOND, MASK = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, (1 << 64) - 1


def key(seed: int, purpose: str) -> int:
    """64 bits that key the numbers of one public `purpose` under the scenario's `seed`, for `uniforms` and `mixed`."""
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8, key=b"public/%d" % seed).digest(), "little")


def mixed(number: int) -> int:
    """A 64-bit number with its bits mixed, a bijection (SplitMix64's output function: Steele, Lea and Flood 2014)."""
    number = (number ^ (number >> 30)) * _FIRST & MASK
    number = (number ^ (number >> 27)) * _SECOND & MASK
    return number ^ (number >> 31)


def uniforms(key: int, where: NDArray[Any]) -> NDArray[np.float64]:
    """A number in [0, 1) for each of the whole numbers `where` (n,): the k-th of a SplitMix64 stream that starts at `key`.

    For very many small public draws: each depends on (key, its own number) alone, a hundred times faster than a generator each.
    """
    return (_stream(np.array([key & MASK], np.uint64), np.asarray(where)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _stream(keys: NDArray[np.uint64], where: NDArray[Any]) -> NDArray[np.uint64]:
    """The numbers at the places `where` of the SplitMix64 streams that start at `keys` (shapes broadcast)."""
    found: NDArray[np.uint64] = where.astype(np.uint64) * np.uint64(GOLDEN) + (keys + np.uint64(GOLDEN))
    found = (found ^ (found >> np.uint64(30))) * np.uint64(_FIRST)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(_SECOND)
    return found ^ (found >> np.uint64(31))


def uniform(key: int, where: int) -> float:
    """The number that `uniforms` gives for one."""
    return (mixed((key + GOLDEN + where * GOLDEN) & MASK) >> 11) * 2.0**-53


class Orders:
    """Random orders, one after the other, from a key (1,) of `private_keys`: each sorts the next numbers of its SplitMix64 stream.

    `orders` makes those of many keys at once, so that a thousand nodes' batches cost no more than a few generators. `permutation`
    is that of a NumPy generator.
    """

    __slots__ = ("_key", "_place")

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key, self._place = key, 0

    def permutation(self, what: int | NDArray[Any]) -> NDArray[Any]:
        """The numbers below `what` in a random order, or the elements of the array `what` (n,)."""
        size = what if isinstance(what, int) else len(what)
        order = _stream(self._key, np.arange(self._place, self._place + size)).argsort()
        self._place += size
        return order if isinstance(what, int) else what[order]


def orders(keys: NDArray[np.uint64], size: int, count: int) -> NDArray[np.int64]:
    """(n, count, size): the first `count` orders of `size` things that `Orders` of each of `keys` (n,) gives."""
    places = np.arange(count * size).reshape(count, size)
    return _stream(keys[:, None, None], places).argsort(axis=-1)
