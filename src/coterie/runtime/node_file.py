"""A node's own file (YAML): where its data are, its device, and the site's policy. It never leaves the node.

data: {name: csv, path: clinic-c.csv, target: outcome}   # by default the node's share of the scenario's data set
device: cpu
policy:
  models: [logistic, mlp]
  minimum_examples: 100
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from coterie.core.errors import ScenarioError
from coterie.core.registry import faults_of
from coterie.scenario import yaml
from coterie.scenario.task import Dataset

if TYPE_CHECKING:
    from coterie.scenario.scenario import Scenario

Names = tuple[str, ...] | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Privacy(_Part):
    """The weakest protection that a site accepts: `secure_aggregation`, or differential privacy with at most `epsilon`."""

    secure_aggregation: Annotated[bool, Strict()] = False
    epsilon: Annotated[float, Gt(0)] | None = None

    @property
    def demanded(self) -> str:
        """In words; empty where nothing is."""
        ways = ["secure aggregation"] if self.secure_aggregation else []
        ways += [f"differential privacy with ε ≤ {self.epsilon:g}"] if self.epsilon is not None else []
        return " or ".join(ways)


class Policy(_Part):
    """What a site takes part in. A list that is left out allows everything that is registered.

    tasks: names of data sets. models, algorithms, payload_stages: by name. privacy: what updates must at least be under.
    minimum_examples: how many training samples this node must have, so that no update tells of a few. peers: the members that it
    talks to, by name.
    """

    tasks: Names = None
    models: Names = None
    algorithms: Names = None
    payload_stages: Names = None
    privacy: Privacy = Privacy()
    minimum_examples: Annotated[int, Strict(), Ge(0)] = 0
    peers: Names = None

    def refusals(self, scenario: "Scenario", examples: int, peers: tuple[str, ...]) -> list[str]:
        """Why a site with this policy does not take part, a sentence each; empty where it does. peers: whom it would talk to."""
        stages = [stage.name for stage in getattr(scenario, "payload", ())]
        wanted = (
            ("task", self.tasks, [scenario.task.dataset.name]),
            ("model", self.models, [scenario.task.model.name]),
            ("algorithm", self.algorithms, [scenario.algorithm.name]),
            ("payload stage", self.payload_stages, stages),
            ("peer", self.peers, list(peers)),
        )
        found = [
            f"the {kind} {name} is not among those that this site accepts ({', '.join(allowed) or 'none'})"
            for kind, allowed, names in wanted
            if allowed is not None
            for name in names
            if name not in allowed
        ]
        if examples < self.minimum_examples:
            found.append(f"this node has {examples} examples to train on, and the site asks for {self.minimum_examples} at least")
        if self.privacy.demanded:  # until scenarios can promise either
            found.append(f"updates would be sent in the clear, and the site asks for {self.privacy.demanded}")
        return found


class NodeFile(_Part):
    """The whole file.

    listen: HOST:PORT to listen at, where that is not the address that others dial. start_within_seconds: how long to wait for
    all members before the first round. alone_for_seconds: how long to go on where no other member can be reached.
    jobs_idle_seconds: how long the process that trains stays without a job; what it takes (most of it torch) is free then, and the next
    job waits until another has been started.
    """

    data: Dataset | None = None
    device: str = "cpu"
    listen: str | None = None
    start_within_seconds: Annotated[float, Gt(0)] = 3600.0
    alone_for_seconds: Annotated[float, Gt(0)] = 600.0
    jobs_idle_seconds: Annotated[float, Gt(0)] = 30.0
    policy: Policy = Field(default=Policy())

    @classmethod
    def read(cls, path: Path | None) -> "NodeFile":
        """The one at `path`; without one, all defaults. Raises ScenarioError with every fault."""
        if path is None:
            return cls()
        try:
            document = yaml.read(path.read_bytes())
        except OSError as error:
            raise ScenarioError.at(str(path), f"cannot be read ({error.strerror})", "write the path of a node's file") from None
        settings: dict[str, Any] = dict(yaml.expect_mapping(document))
        try:
            return cls.model_validate(settings, context={"trusted": True})
        except ValidationError as error:
            raise ScenarioError(*faults_of(error, str(path), cls)) from None
