"""How well attacks succeed."""

from typing import Any

import torch

from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one
from coterie.learning.evaluation import outputs_of


@one_by_one("attack_success")
def success(bench: Bench, call: Call) -> tuple[Any, ...]:
    """The job: inputs (published vector,); gives (facts,), a share for each probe."""
    if bench.poisoning is None:
        return ({},)
    bench.replica.load(call.inputs[0][: bench.size])
    found = {}
    with torch.inference_mode():
        for probe, inputs in bench.probes:
            predicted = outputs_of(bench, inputs).argmax(1)
            found[probe.name] = float((predicted == probe.target).double().mean())
    return (found,)
