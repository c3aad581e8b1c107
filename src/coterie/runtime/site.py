"""A node's own view of a scenario: its own data in place of a share of the scenario's, its own device, its site's policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coterie.core.errors import ScenarioError
from coterie.core.ids import NodeId
from coterie.runtime.addresses import parsed
from coterie.runtime.home import Home
from coterie.runtime.node_file import NodeFile
from coterie.runtime.proposal import Answer
from coterie.runtime.register import Register
from coterie.runtime.simulated_only import faults
from coterie.scenario.reading import parse
from coterie.scenario.scenario import Scenario
from coterie.scenario.setup import Setup
from coterie.tasks import task as tasks
from coterie.tasks.ragged import Ragged

if TYPE_CHECKING:
    from coterie.learning.bench import Bench
    from coterie.tasks.task import FederatedTask

NO_COMMON_TEST = 1e-9
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class OwnDataSetup(Setup):
    """A scenario as one node sees it that brings its own samples: the others' shards are empty here.

    me: the node. data: where its samples are (a data set, as in a scenario).
    """

    me: int = 0
    data: object = None

    @cached_property
    def task(self) -> "FederatedTask":
        """The node's own samples, split by the scenario's fractions; nobody has a common test set. Raises ScenarioError."""
        about = self.scenario.task
        found = tasks.build(
            dataset=self.data,
            partition="iid",
            nodes=1,
            seed=self.scenario.seed,
            test_fraction=about.test_fraction,
            common_test_fraction=NO_COMMON_TEST,
            preprocess=about.preprocess,
        )
        train, test = (np.zeros(self.nodes, np.int64) for _ in range(2))
        train[self.me], test[self.me] = found.train.sizes[0], found.test.sizes[0]
        return replace(
            found,
            train=Ragged.contiguous(train),
            test=Ragged.contiguous(test, int(train[self.me])),
            common_inputs=found.common_inputs[:0],
            common_targets=found.common_targets[:0],
            names=(),
        )

    @cached_property
    def shards(self) -> "FederatedTask":
        """As `task`: it says of every node what this one knows of it."""
        return self.task


@dataclass(frozen=True)
class Site:
    """A member with its file and the scenario made ready."""

    home: Home
    file: NodeFile
    setup: Setup

    @classmethod
    def of(cls, home: Home, file: NodeFile) -> "Site":
        """Raises ScenarioError where the scenario, which came over the wire, names anything that is not registered here."""
        scenario = parse(home.scenario, name="the federation's scenario", trusted=False).scenario
        me = home.membership.node
        if scenario.nodes is None or me >= scenario.nodes:
            raise ScenarioError.at("nodes", f"the scenario has no node {me}", "ask the authority's owner")
        if found := list(faults(scenario)):
            raise ScenarioError(*found)
        setup = Setup(scenario) if file.data is None else OwnDataSetup(scenario, me=me, data=file.data)
        return cls(home, file, setup)

    @property
    def me(self) -> NodeId:
        """This node."""
        return NodeId(self.home.membership.node)

    @property
    def scenario(self) -> Scenario:
        """What is to be run."""
        return self.setup.scenario

    @property
    def peers(self) -> tuple[str, ...]:
        """The names of the members that this node has an edge to, as far as they are known."""
        known = {member.node: member.name for member in self.home.register.members}
        return tuple(known[node] for node in self.setup.graph.neighbours(self.me).tolist() if node in known)

    def apart(self, register: Register, taking: Sequence[int]) -> tuple[int, int] | None:
        """Two of those that are `taking` part that share an edge and can never meet, since neither has an address."""
        known = {member.node: member for member in register.members}
        hidden = {node for node in taking if node in known and known[node].address is None}
        for node in sorted(hidden):
            for other in self.setup.graph.neighbours(NodeId(node)).tolist():
                if other in hidden:
                    return node, other
        return None

    @property
    def listen(self) -> str | None:
        """Where to listen: as the node's file says, else at the port of the address that others dial, on all interfaces."""
        address = self.file.listen or self.home.membership.address
        if address is None:
            return None
        host, port = parsed(address, "listen")
        return f"{host if self.file.listen or host in LOOPBACK else '0.0.0.0'}:{port}"  # noqa: S104 - others are to reach it

    def answer(self) -> Answer:
        """What this node says to the proposal, by its site's policy; raises ScenarioError where its data cannot be read."""
        shards = self.setup.shards
        samples, tests = int(shards.train.sizes[self.me]), int(shards.test.sizes[self.me])
        trains = bool(np.isin(self.me, self.setup.trainers))
        reasons = self.file.policy.refusals(self.scenario, samples if trains else self.file.policy.minimum_examples, self.peers)
        return Answer(
            self.me,
            self.home.membership.name,
            not reasons,
            self.scenario.digest,
            "; ".join(reasons)[:2000],
            samples,
            tests,
            self.setup.network.layout.size,
        )

    def bench(self) -> "Bench":
        """What this node's jobs run with: its own secret, its own device."""
        return replace(self.setup.bench("exact"), secret=lambda _: self.home.secret, device=self.file.device)
