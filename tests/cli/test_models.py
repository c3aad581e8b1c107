"""Models of finished runs: evaluated on files, and exported."""

import json

import numpy as np
import pytest

from cli.command import coterie_


@pytest.fixture(scope="module")
def samples(folder):
    """The digits as files, some of them, with the names of columns that a csv has."""
    from coterie.tasks import datasets

    data = datasets.load("digits")
    inputs, targets = (data.inputs / 16).astype(np.float32)[:400], data.targets[:400]
    np.savez(folder / "digits.npz", x=inputs, y=targets)
    return inputs, targets


def test_a_model_is_evaluated_on_a_file_as_by_hand(finished, folder, samples):
    import torch

    inputs, targets = samples
    result = coterie_("evaluate", finished[0], "--data", folder / "digits.npz", "--node", 3, "--json")
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    from coterie.reporting.run_folder import RunFolder
    from coterie.simulator.run import Run

    net = Run(RunFolder.open(finished[0])).model(3)
    with torch.inference_mode():
        outputs = net(torch.from_numpy(inputs))
    assert shown["samples"] == 400
    assert shown["accuracy"] == pytest.approx(float((outputs.argmax(1).numpy() == targets).mean()))
    assert shown["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(outputs, torch.from_numpy(targets))), rel=1e-5)
    assert "400 samples: accuracy" in coterie_("evaluate", finished[0], "--data", folder / "digits.npz").stdout


def test_data_that_do_not_fit_the_model(finished, folder, samples):
    inputs, targets = samples
    np.savez(folder / "flat.npz", x=inputs.reshape(400, -1), y=targets)
    np.savez(folder / "classes.npz", x=inputs, y=np.where(targets == 3, 12, targets))
    for name, problem in (
        ("flat.npz", "its samples have the shape (64,), the run's (1, 8, 8)"),
        ("classes.npz", "it has the classes 12, which the run does not know"),
        ("none.npz", "there is no file"),
        ("digits.txt", "digits.txt is of no known format"),
    ):
        result = coterie_("evaluate", finished[0], "--data", folder / name)
        assert result.exit_code == 2
        assert f"--data: {problem}" in result.stderr
        assert "folder of the scenario" not in result.stderr
    for command in (["evaluate", "--data", folder / "digits.npz"], ["export"]):
        result = coterie_(command[0], finished[0], *command[1:], "--node", 99)
        assert result.exit_code == 2
        assert "--node: the run has nodes 0 to 5, not 99" in result.stderr


def test_a_file_is_preprocessed_with_the_statistics_of_the_federation(folder):
    """A column may be missing throughout, columns may stand in another order, and the file may hold a single class."""
    draw = np.random.default_rng(0)
    for name in "ab":
        rows = [f"{x:.3f},{y:.3f},{draw.choice(['u', 'v'])},{'yes' if x > 2 * y else 'no'}" for x, y in draw.normal(5, 2, (60, 2))]
        (folder / f"part-{name}.csv").write_text("x,y,word,out\n" + "\n".join(rows) + "\n")
    path = folder / "table.yaml"
    path.write_text(
        "task: {dataset: {name: csv, path: 'part-*.csv', target: out}, model: logistic,"
        " preprocess: [{name: impute, scope: federation}, {name: standardize, scope: federation}, one-hot]}\n"
        "partition: natural\nuntil: 2\nexecutor: inline\n"
    )
    assert coterie_("run", path, "--out", folder / "table").exit_code == 0
    found = {}
    for name, text in {
        "whole": "x,y,word,out\n7,2,u,yes\n6,1,v,yes\n",
        "turned": "out,word,more,y,x\nyes,u,1,2,7\nyes,v,2,1,6\n",
        "missing": "x,y,word,out\n7,,u,yes\n6,,new,yes\n",
    }.items():
        (folder / f"{name}.csv").write_text(text)
        result = coterie_("evaluate", folder / "table", "--data", folder / f"{name}.csv", "--json")
        assert result.exit_code == 0, result.stderr
        found[name] = json.loads(result.stdout)
    assert found["whole"]["samples"] == 2
    assert found["turned"] == found["whole"] != found["missing"]


def test_an_exported_model_is_the_model(finished, folder):
    import torch
    from safetensors.torch import load_file

    from coterie.reporting.run_folder import RunFolder
    from coterie.simulator.run import Run

    for node in (None, 2):
        expected = Run(RunFolder.open(finished[0])).model(node).state_dict()
        chosen = [] if node is None else ["--node", node]
        for suffix, read in (
            ("safetensors", load_file),
            ("pt", lambda path: torch.load(path, weights_only=True)),
            ("npz", lambda path: {name: torch.from_numpy(array) for name, array in np.load(path).items()}),
        ):
            path = folder / "exported" / f"model.{suffix}"
            result = coterie_("export", finished[0], "--out", path, *chosen)
            assert result.exit_code == 0
            assert result.stdout.strip() == str(path)
            found = read(path)
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert coterie_("export", finished[0], "--out", folder / "model.onnx").exit_code == 2
    assert coterie_("export", finished[0], "--node", 99).exit_code == 2
