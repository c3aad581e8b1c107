"""Small federations under attack."""

import pytest

import coterie

TRAINING = {"steps": 1, "batch_size": "all", "optimizer": {"name": "sgd", "learning_rate": 0.5}}


@pytest.fixture
def attacked(tmp_path):
    """Runs a federation of eight; `attacks` as in a scenario."""
    count = [0]

    def run(*attacks, **settings):
        count[0] += 1
        chosen = {"task": "digits", "nodes": 8, "until": 3, "training": TRAINING, "engine": "exact", **settings}
        return coterie.run(coterie.Scenario(attacks=list(attacks), **chosen), out=tmp_path / f"run-{count[0]}")

    return run
