"""What to run: one typed, frozen, serialisable tree, checked whole before anything starts.

`Scenario` is the tree; `reading.read` makes one of a file, with the line of every fault; `check` finds what is wrong between
settings, `baselines` derives the scenarios to compare with, `plugins` makes the user's own things known.
"""

from coterie.scenario.scenario import Scenario

__all__ = ["Scenario"]
