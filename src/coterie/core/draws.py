"""Random draws keyed by what they are about, never taken from a shared stream.

Public draws (partition, initial model, topology, roles, selection) are keyed by the scenario's seed; private ones
(batch order, noise) by a secret that never leaves its node. Adding a node or a round therefore changes nobody else's luck.
"""

import hashlib

import numpy as np


def _generator(key: bytes, purpose: str, where: tuple[int, ...]) -> np.random.Generator:
    digest = hashlib.blake2b(digest_size=16, key=key)
    digest.update(purpose.encode())
    for number in where:
        digest.update(b"/%d" % number)
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))


def public(seed: int, purpose: str, *where: int) -> np.random.Generator:
    """The generator of everybody's draw for `purpose` at `where` (usually round, node) under the scenario's `seed`."""
    return _generator(b"public/%d" % seed, purpose, where)


def private(secret: bytes, purpose: str, *where: int) -> np.random.Generator:
    """The generator of a node's own draw; `secret` is 16 to 64 bytes that the node keeps to itself.

    Not for masks, keys or noise that must stay unpredictable to an adversary who sees other outputs of it.
    """
    return _generator(secret, purpose, where)


def derived_secret(seed: int, node: int) -> bytes:
    """The secret (32 bytes) that a simulated `node` gets; a real node makes its own when it joins."""
    return hashlib.blake2b(b"secret/%d/%d" % (seed, node), digest_size=32).digest()
