"""Who can talk to whom."""

from typing import ClassVar

from coterie.scenario.choice import Choice


class Topology(Choice):
    """Who can talk to whom."""

    registry: ClassVar[str] = "coterie.topologies:TOPOLOGIES"
