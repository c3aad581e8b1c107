"""Samples as flat vectors."""

from dataclasses import replace

from coterie.tasks.frame import Frame
from coterie.tasks.preprocessing import stage


@stage("flatten")
def flatten(frame: Frame) -> Frame:
    """Turn each sample into one flat vector, in C order."""
    if len(frame.features) == 1:
        return frame
    return replace(
        frame, inputs=frame.inputs.reshape(len(frame.inputs), -1), common=frame.common.reshape(len(frame.common), -1), columns=()
    )
