import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import ScenarioError
from coterie.tasks.task import build


@pytest.fixture(scope="module")
def task():
    return build(dataset="digits", partition={"name": "dirichlet", "alpha": 0.3}, nodes=16, seed=7)


def test_every_sample_is_in_one_place(task):
    assert len(task.inputs) == len(task.targets) == len(task.rows)
    assert len(np.unique(task.rows)) == len(task.rows)
    assert task.train.indices.tolist() + task.test.indices.tolist() == list(range(len(task.inputs)))
    assert len(task.inputs) + len(task.common_inputs) == 1797


def test_rows_lead_back_to_the_data_set(task):
    from coterie.tasks import datasets

    data = datasets.load("digits")
    assert np.array_equal(task.inputs * 16, data.inputs[task.rows])
    assert np.array_equal(task.targets, data.targets[task.rows])
    left = np.setdiff1d(np.arange(1797), task.rows)
    assert np.array_equal(task.common_inputs * 16, data.inputs[left])


def test_types_and_facts(task):
    assert (task.nodes, task.features, task.outputs, task.kind, task.metric) == (16, (1, 8, 8), 10, "classification", "accuracy")
    assert (task.inputs.dtype, task.targets.dtype, task.common_targets.dtype) == (np.float32, np.int64, np.int64)
    assert task.dataset_bytes == task.train.sizes.sum() * 65
    assert abs(task.test.sizes / (task.train.sizes + task.test.sizes) - 0.2).max() < 0.1
    assert task.train.sizes.min() >= 1


def test_the_same_seed_gives_the_same_task_and_another_another(task):
    again, other = (build(dataset="digits", partition={"name": "dirichlet", "alpha": 0.3}, nodes=16, seed=seed) for seed in (7, 8))
    assert np.array_equal(task.rows, again.rows)
    assert np.array_equal(task.inputs, again.inputs)
    assert not np.array_equal(task.rows, other.rows)


def test_the_common_test_set_does_not_depend_on_nodes_or_partition(task):
    for partition, nodes in (("iid", 3), ("shards", 16)):
        other = build(dataset="digits", partition=partition, nodes=nodes, seed=7)
        assert np.array_equal(other.common_inputs, task.common_inputs)
    counts = np.bincount(task.common_targets), np.bincount(task.targets)
    assert abs(counts[0] - 0.2 * (counts[0] + counts[1])).max() < 1


def test_pooled_is_the_same_samples_at_one_node(task):
    pooled = task.pooled()
    assert (pooled.nodes, pooled.train.sizes.tolist()) == (1, [task.train.sizes.sum()])
    assert np.array_equal(np.sort(pooled.train[0]), np.sort(task.train.indices))
    assert np.array_equal(np.sort(pooled.test[0]), np.sort(task.test.indices))
    assert pooled.inputs is task.inputs
    assert pooled.dataset_bytes == task.dataset_bytes


def test_a_regression():
    task = build(dataset="diabetes", nodes=4)
    assert (task.kind, task.outputs, task.classes, task.metric) == ("regression", 1, (), "r2")
    assert (task.targets.dtype, task.common_targets.dtype) == (np.float32, np.float32)


def test_no_own_test_part():
    task = build(dataset="wine", nodes=4, test_fraction=0)
    assert task.test.sizes.tolist() == [0, 0, 0, 0]
    assert build(dataset="wine", nodes=142, minimum=1).test.sizes.max() == 0


@given(st.integers(1, 12), st.floats(0.05, 0.6), st.floats(0.0, 0.6), st.sampled_from(["iid", "dirichlet", "shards", "power-law"]))
def test_any_sizes_add_up(nodes, common, own, partition):
    task = build(dataset="wine", partition=partition, nodes=nodes, common_test_fraction=common, test_fraction=own)
    assert len(task.inputs) + len(task.common_inputs) == 178
    assert (task.train.sizes + task.test.sizes).min() >= 2
    assert task.train.sizes.min() >= 1


def test_the_natural_partition_is_the_default_where_there_are_natural_nodes(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(60, 2)), y=np.arange(60) % 2, who=np.repeat(["u", "v"], [40, 20]))
    choice = {"name": "npz", "path": str(tmp_path / "d.npz"), "node": "who"}
    natural = build(dataset=choice)
    assert natural.names == ("u", "v")
    assert len(natural.common_inputs) == 12
    assert [natural.train.sizes[n] + natural.test.sizes[n] for n in (0, 1)] == [32, 16]
    assert build(dataset=choice, partition="iid", nodes=3).names == ()
    assert build(dataset=choice, partition={"name": "noise", "of": "natural"}).names == ("u", "v")


@pytest.mark.parametrize(
    ("settings", "place", "said"),
    [
        ({"dataset": "digit"}, "task.dataset.name", "did you mean 'digits'"),
        ({"dataset": {"name": "digits", "pth": "x"}}, "task.dataset.pth", "no such setting"),
        ({"dataset": {"name": "mnist", "path": "/none"}}, "task.dataset.path", "no file or folder"),
        ({"partition": {"name": "dirichlet", "alpha": -1}}, "partition.alpha", "greater than 0"),
        ({"partition": "natural"}, "partition", "does not say whose"),
        ({"partition": "natural", "nodes": None}, "partition", "does not say whose"),
        ({"nodes": None}, "partition", "how many nodes"),
        ({"nodes": 1000}, "partition", "1,438 samples cannot give 1,000 nodes 2 each"),
        ({"nodes": 0}, "nodes", "0 nodes"),
        ({"preprocess": ["standardise"]}, "task.preprocess.0.name", "did you mean 'standardize'"),
        ({"preprocess": ["flatten", {"name": "min-max", "scope": "all"}]}, "task.preprocess.1.scope", "node"),
        ({"common_test_fraction": 0}, "task.common_test_fraction", "between 0 and 1"),
        ({"test_fraction": 1}, "task.test_fraction", "below 1"),
        ({"minimum": 0}, "task.minimum", "cannot train"),
    ],
)
def test_faults_are_placed(settings, place, said):
    with pytest.raises(ScenarioError, match=said) as caught:
        build(**{"dataset": "digits", "nodes": 4, **settings})
    assert caught.value.faults[0].place == place


def test_declarations_import_without_heavy_libraries():
    code = """
import sys
from coterie.tasks.datasets import DATASETS
from coterie.tasks.partitions import PARTITIONS
from coterie.tasks.preprocessing import STAGES
for registry in (DATASETS, PARTITIONS, STAGES):
    for name in registry.names():
        registry.entry(name).parameters.model_json_schema()
        assert registry.entry(name).doc, name
print([name for name in ("torch", "sklearn", "scipy", "pandas", "pyarrow", "pooch", "requests") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
