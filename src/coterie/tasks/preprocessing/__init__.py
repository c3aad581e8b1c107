"""Preprocessing: stages that are fitted on every node's own train part and applied to its samples, in the declared order.

A stage is a function `(frame, *, parameters) -> Frame` in a file of its own; it may change the arrays of the frame in place.
How the common test set is transformed, and what `scope` means, is told in `coterie.tasks.frame`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from coterie.core.registry import Registry
from coterie.tasks import choices
from coterie.tasks.frame import Frame

STAGES: Registry[Callable[..., Frame]] = Registry("preprocessing stage", home="coterie.tasks.preprocessing")
stage = STAGES.register


def apply(stages: Sequence[Any], frame: Frame) -> Frame:
    """The frame after all `stages` (choices), in order; raises ScenarioError placed at the number of the stage."""
    for number, choice in enumerate(stages):
        with choices.placed(str(number)):
            name, params = choices.parts(choice)
            entry = STAGES.entry(name, "name")
            frame = entry.thing(frame, **entry.check(params))
    return frame
