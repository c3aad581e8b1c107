"""When the garbage collector comes while a federation is simulated."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG_OBJECTS = 200_000
"""So many new objects bring it."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """What is there now is left alone by the garbage collector, and it comes rarely: nodes at work are many and hold few cycles."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
