"""A scenario: the typed, frozen description of a federation and its task. Data only, no live objects."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le, Len
from pydantic import Field, StringConstraints, ValidationError
from pydantic import field_validator as validator

from coterie.core.errors import Fault, ScenarioError
from coterie.environments.presets import ENVIRONMENTS
from coterie.scenario import plugins, yaml
from coterie.scenario.attacks import Attack
from coterie.scenario.defence import Detection, Trust
from coterie.scenario.faults import faults_of
from coterie.scenario.federated import Aggregation, Algorithm
from coterie.scenario.injection import Faults
from coterie.scenario.machine import Availability, Device, Environment, Evaluation, Executor, Network
from coterie.scenario.membership import Membership
from coterie.scenario.part import Flag, Part, plain
from coterie.scenario.participation import Participation
from coterie.scenario.partition import Partition
from coterie.scenario.presets import PRESETS, below
from coterie.scenario.roles import ARCHITECTURES, MOST_NODES, Roles
from coterie.scenario.schedule import Schedule, Sharing
from coterie.scenario.task import Task
from coterie.scenario.topology import Topology
from coterie.scenario.training import Training
from coterie.scenario.until import Until

Seed = Annotated[int, Field(strict=True), Ge(0), Le(2**63 - 1)]
Nodes = Annotated[int, Field(strict=True), Ge(1), Le(MOST_NODES)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Baseline = Literal["centralized", "local", "distributed"]

BESIDE = frozenset({"name", "preset", "baselines", "executor", "events", "plugins", "folder"})
"""Settings that say how and beside what something is computed, not what; they are not in the digest."""

CONDITIONS = ("device", "network", "availability")
"""What an environment stands for."""


class Scenario(Part):
    """What to run. In Python: `Scenario(task="digits", nodes=16, architecture="decentralized", until=30)`.

    name: for people, and for the run's folder. seed: keys every public draw. nodes: how many participants; may be left out
    where the partition knows (natural, explicit). preset: settings below the user's own. until: when the run is over.
    architecture: what topology and roles are short
    for. topology: by default a star (centralized) or full. roles: by default those of the architecture. participation: who of
    the trainers takes part in a round. environment: device, network and availability
    together, by name. faults: what goes wrong in a simulation. membership: how nodes notice that others are gone, and what then;
    who joins later and leaves earlier. attacks: who of the nodes is an attacker, and does what when.
    everyone: whether all nodes get the final model, not only those that aggregate.
    detection: what is looked at in updates beside the rule. trust: what is remembered of their senders.
    baselines: what to compare with, as ordinary runs of derived scenarios. engine: exact is bit for bit the same as on real
    nodes, fast trains many nodes as one computation. events: what the run's folder tells of, rounds or every message.
    plugins: files (.py) and modules of your own,
    imported by every local process. folder: where relative paths and your own modules are looked for; by default that of the
    scenario's file.
    """

    name: Name = "scenario"
    seed: Seed = 0
    nodes: Nodes | None = None
    preset: Literal["cross-silo", "cross-device"] | None = None
    until: Until = Field(default_factory=dict, validate_default=True)
    task: Task
    partition: Partition = Field("auto", validate_default=True)
    architecture: Literal["centralized", "semi-decentralized", "decentralized"] = "centralized"
    topology: Topology = Field("full", validate_default=True)
    roles: Roles = Field(default_factory=dict, validate_default=True)
    participation: Participation = Field("all", validate_default=True)
    training: Training = Field(default_factory=dict, validate_default=True)
    algorithm: Algorithm = Field("fedavg", validate_default=True)
    aggregation: Aggregation = Field("mean", validate_default=True)
    detection: Detection | None = None
    trust: Trust | None = None
    sharing: Sharing = Field("plain", validate_default=True)
    schedule: Schedule = Field("synchronous", validate_default=True)
    environment: Environment | None = None
    network: Network = Field("constant", validate_default=True)
    device: Device = Field("processor", validate_default=True)
    availability: Availability = Field("always", validate_default=True)
    faults: Faults | None = None
    membership: Membership | None = None
    attacks: Annotated[tuple[Attack, ...], Len(0, 100)] = ()
    everyone: Flag = True
    baselines: tuple[Baseline, ...] = ()
    evaluation: Evaluation = Field(default_factory=dict, validate_default=True)
    engine: Literal["fast", "exact"] = "fast"
    executor: Executor = Field("auto", validate_default=True)
    events: Literal["rounds", "messages"] = "rounds"
    plugins: Annotated[tuple[str, ...], Len(0, 100)] = ()
    folder: str | None = None

    def __init__(self, **settings: Any) -> None:
        _fill(self, settings, trusted=True)

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, trusted: bool = True) -> Self:
        """The scenario of plain data; raises ScenarioError with every fault.

        trusted: whether the settings are the user's own. Of those that come over a wire or through an API only registered
        things are taken: no plugins, paths, or code by name.
        """
        made = cls.__new__(cls)
        _fill(made, settings, trusted=trusted)
        return made

    @classmethod
    def sorted_out(cls, value: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The settings with those of the preset below them, and with what the architecture is short for."""
        settings, faults = super().sorted_out(value, context)
        if not context.get("trusted", True):
            faults += [
                Fault(key, "this scenario came from elsewhere and may not name files or code", "leave it out, or run it from your own file")
                for key in ("plugins", "folder")
                if settings.pop(key, None)
            ]
        preset = settings.get("preset")
        if isinstance(preset, str) and preset in PRESETS:
            about = PRESETS[preset]
            if settings.get("environment"):  # which says more of the same
                about = {key: value for key, value in about.items() if key not in CONDITIONS}
            settings = below(about, settings)
        architecture = settings.get("architecture", "centralized")
        if isinstance(architecture, str) and architecture in ARCHITECTURES:
            if settings.get("topology") is None:
                settings["topology"] = _topology(architecture)
            if isinstance(settings.get("roles", {}), Mapping):
                settings["roles"] = {**_roles(architecture, settings["topology"]), **settings.get("roles", {})}
        return below(_environment(settings), settings), faults

    @validator("baselines")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    @property
    def decentralized(self) -> bool:
        """Whether every node keeps a model of its own."""
        return self.architecture == "decentralized"

    def resolved(self) -> dict[str, Any]:
        """Plain data with every default filled in; `Scenario.of` makes an equal scenario of it."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        return plain

    def yaml(self) -> str:
        """`resolved` as text."""
        return yaml.dump(self.resolved())

    def changed(self, **settings: Any) -> "Scenario":
        """The same scenario with some settings in place of its own, checked anew.

        Another architecture brings its own roles, another environment its own device, network and availability.
        """
        own = self.resolved()
        if "environment" in settings:
            own = {key: value for key, value in own.items() if key not in CONDITIONS}
        return Scenario(**{**(without_implied(own) if "architecture" in settings else own), **settings})

    @property
    def digest(self) -> str:
        """SHA-256 of what is computed: of all settings but those in `BESIDE`."""
        said = {key: value for key, value in self.resolved().items() if key not in BESIDE}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Scenario.of, (self.resolved(),)  # so that a worker process that gets a scenario has its plugins too


def _fill(scenario: Scenario, settings: Mapping[str, Any], *, trusted: bool) -> None:
    """Gives a new scenario its settings."""
    settings = plain(settings)
    if trusted:
        plugins.load(settings.get("plugins") or (), settings.get("folder"))
    try:
        scenario.__pydantic_validator__.validate_python(settings, self_instance=scenario, context={"trusted": trusted})
    except ValidationError as error:
        raise ScenarioError(*faults_of(error, settings)) from None


def without_implied(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without the topology and the roles that their architecture implies anyway: for when it is to change."""
    architecture = settings.get("architecture", "centralized")
    if architecture not in ARCHITECTURES:
        return dict(settings)
    topology = _topology(architecture)
    implied: dict[str, tuple[type[Part], Any]] = {
        "topology": (Topology, topology),
        "roles": (Roles, _roles(architecture, settings.get("topology", topology))),
    }
    with suppress(ScenarioError):  # what is wrong is told by the check
        return {
            key: value
            for key, value in settings.items()
            if key not in implied or implied[key][0].model_validate(value) != implied[key][0].model_validate(implied[key][1])
        }
    return dict(settings)


def _environment(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the environment of the settings stands for; nothing where there is none of that name, which the check tells."""
    wanted = settings.get("environment")
    name = wanted.get("name") if isinstance(wanted, Mapping) else wanted
    if not isinstance(name, str) or name not in ENVIRONMENTS.names():
        return {}
    roles = settings.get("roles")
    server = roles.get("aggregator") if settings.get("architecture", "centralized") == "centralized" and isinstance(roles, Mapping) else ()
    implied: Mapping[str, Any] = ENVIRONMENTS.entry(name).thing(list(server) if isinstance(server, (list, tuple)) else [])
    return implied


def _topology(architecture: str) -> str:
    return "star" if architecture == "centralized" else "full"


def _roles(architecture: str, topology: Any) -> dict[str, Any]:
    """The roles of an architecture; one aggregator sits in the middle of a star."""
    roles = dict(ARCHITECTURES[architecture])
    if architecture == "centralized" and isinstance(topology, Mapping) and topology.get("name") == "star" and "center" in topology:
        roles["aggregator"] = [topology["center"]]
    return roles
