"""What an aggregator does beside its rule: look for what stands out, and remember whom to believe."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from coterie.core.errors import Fault
from coterie.scenario.choice import Choice
from coterie.scenario.part import Part, Positive, Short
from coterie.trust import detection
from coterie.trust.guard import Guard

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup


class Statistic(Choice):
    """A number in which an update may stand out from the others."""

    registry: ClassVar[str] = "coterie.trust:STATISTICS"


class Detection(Part):
    """What is looked at in every update, and what becomes of one that stands out.

    threshold: the robust z-score from which an update stands out. action: flag notes it, down-weight makes it weigh less (times
    threshold / score), cut leaves it out.
    """

    short: ClassVar[Short | None] = Short("action", (str,))

    statistics: tuple[Statistic, ...] = Field(detection.Detection.statistics, validate_default=True)
    threshold: Positive = detection.Detection.threshold
    action: Literal["flag", "down-weight", "cut"] = "flag"

    def contradictions(self) -> list[Fault]:
        """Nothing to look at."""
        names = ", ".join(Statistic.things().names())
        return [] if self.statistics else [Fault("statistics", "is empty: nothing would be looked at", f"write some of {names}")]

    def made(self) -> detection.Detection:
        """Ready to look."""
        return detection.Detection(tuple(one.name for one in self.statistics), self.threshold, self.action)


class Trust(Choice):
    """What is thought of others after many rounds."""

    registry: ClassVar[str] = "coterie.trust:REPUTATIONS"
    default: ClassVar[str | None] = "beta"


def guard_of(setup: "Setup") -> Guard | None:
    """What looks at updates before the rule does, if anything.

    Where a node has to do with the same others in every round, who is not there in the first has come later; else all are there from the
    beginning.
    """
    wanted = setup.scenario
    if wanted.detection is None and wanted.trust is None:
        return None
    looks = (wanted.detection or Detection()).made()
    reputation = None if wanted.trust is None else wanted.trust.entry.thing(**wanted.trust.params)
    aggregator = setup.roles.aggregator
    same = setup.planner.static and (setup.coupled or (not aggregator.rotates and len(aggregator.candidates) == 1))
    founders = None if same else frozenset(range(setup.nodes))
    return Guard(looks, setup.nodes, reputation, founders)
