"""Attacks on samples that stay in their file: attackers train on what they would train on in memory."""

import numpy as np
import pytest

import coterie
from coterie.core.errors import ScenarioError
from coterie.scenario.setup import Setup
from coterie.tasks.stored import Followed
from learning.test_stored_samples import folder

stored = folder

ATTACKS = [
    {"name": "label_flip", "mode": "mirrored", "who": [1], "when": {"from": 1}},
    {"name": "backdoor", "target": 2, "size": 2, "who": [1, 4]},
    {"name": "feature_noise", "who": [3], "when": {"to": 1}},
]


def scenario(dataset, **settings):
    training = {"batch_size": 16, "epochs": 2}
    task = {"dataset": dataset, "model": "logistic", "preprocess": ["standardize"]}
    return coterie.Scenario(
        **{"task": task, "nodes": 6, "until": 3, "executor": "inline", "training": training, "attacks": ATTACKS} | settings
    )


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_a_mapped_file_gives_what_memory_gives(stored, tmp_path, engine):
    dataset = {"name": "npz", "path": str(stored / "plain.npz"), "node": "node"}
    kept, whole, honest = (
        coterie.run(scenario(dataset | {"memory_map": mapped}, engine=engine, **more), out=tmp_path / name, quiet=True).summary
        for mapped, name, more in ((True, "kept", {}), (False, "whole", {}), (True, "honest", {"attacks": []}))
    )
    assert kept.digest == whole.digest != honest.digest
    assert kept.metrics["attack_success"].mean == whole.metrics["attack_success"].mean


def test_only_what_attackers_train_on_is_in_memory(stored):
    setup = Setup(scenario({"name": "npz", "path": str(stored / "plain.npz"), "node": "node", "memory_map": True}))
    task, poisoning = setup.bench().task, setup.bench().poisoning
    assert isinstance(task.inputs, Followed)
    assert len(task.inputs.more) == len(poisoning.parts.indices)
    honest = np.arange(len(task.inputs.first))
    assert np.array_equal(task.inputs[honest], task.inputs.first[honest])
    assert sum(map(len, task.inputs.blocks())) == len(task.inputs)


def test_a_table_that_is_read_row_group_by_row_group(stored, tmp_path):
    dataset = {"name": "parquet", "path": str(stored / "rows.parquet"), "target": "label"}
    one = [{"name": "label_flip", "mode": "mirrored", "who": [1, 2, 3, 4]}]
    found = [
        coterie.run(scenario(dataset | more, attacks=attacks), out=tmp_path / name, quiet=True).summary.accuracy.mean
        for name, more, attacks in (
            ("kept", {"memory_bytes": 10_000}, one),
            ("whole", {}, one),
            ("honest", {"memory_bytes": 10_000}, []),
        )
    ]
    assert abs(found[0] - found[1]) < 0.1
    assert found[0] < found[2] - 0.1


def test_attackers_with_more_than_fits_are_refused(stored):
    dataset = {"name": "parquet", "path": str(stored / "rows.parquet"), "target": "label", "memory_bytes": 4_000}
    with pytest.raises(ScenarioError, match="what attackers train on takes"):
        Setup(scenario(dataset, attacks=[{"name": "label_flip", "who": [1, 2, 3, 4]}])).bench()
