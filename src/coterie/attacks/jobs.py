"""The jobs of attackers, as data: what an update attack sends, what a free rider sends, how well an attack succeeds."""

from typing import Any, NamedTuple

from coterie.core.jobs import Handle, Job, job_function
from coterie.learning.jobs import Evaluated, Trained

job_function("attack", "coterie.attacks.playing.updates", "attack")
job_function("free_ride", "coterie.attacks.playing.riding", "free_ride")
job_function("attack_success", "coterie.attacks.playing.success", "success")


class Play(NamedTuple):
    """How an update attack is played once.

    name, params: the attack. attackers: how many of the vectors, the first, are the attackers' own; the rest are of honest nodes.
    knows: whether the attack is given `own`, `received`, `rule`. whole: whether vectors are models and not changes of one: the
    attack then sees them from the model that the attackers started from. target: which honest vector is that of the attacked node.
    weights, weight: what each honest vector weighs there, and all attackers. stealth: the robust z-score above which an attacker sends
    its own vector instead. only: the attacker whose vector is wanted, None for all.
    """

    name: str
    params: tuple[tuple[str, Any], ...]
    attackers: int
    knows: tuple[str, ...] = ()
    whole: bool = False
    target: int | None = None
    weights: tuple[float, ...] | None = None
    weight: float | None = None
    stealth: float | None = None
    only: int | None = None


def attack(
    start: Handle,
    before: Handle | None,
    history: Handle | None,
    vectors: tuple[Handle, ...],
    play: Play,
    *,
    node: int,
    round: int,
) -> Job[tuple[Handle, ...]]:
    """What attackers send, one output for each (or for the one that is wanted), and the attack's new state.

    start: the published vector that they started from; before: that of their round before. vectors: see `Play`.
    """
    outputs = tuple(Handle() for _ in range((play.attackers if play.only is None else 1) + 1))
    return Job("attack", (start, before, history, *vectors), tuple(play), outputs, node=node, round=round)


def free_ride(model: Handle, client: Handle | None, before: Handle | None, noise: float, job: Job[Trained]) -> Job[Trained]:
    """In place of the training `job`: no change of the model, or noise `noise` times as long as the last change of it."""
    outputs = Trained(Handle(), Handle(), Handle())
    whole = job.args[1]
    return Job("free_ride", (model, client, before), (noise, whole), outputs, node=job.node, round=job.round, seconds=job.seconds)


def success(model: Handle, *, node: int, round: int) -> Job[Evaluated]:
    """How often a published vector's model does what the attackers want: for each probe the share of its samples."""
    return Job("attack_success", (model,), (), Evaluated(Handle()), node=node, round=round)
