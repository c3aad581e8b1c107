"""Folders in the layouts that save_to_disk and the hub use (written here by pyarrow, since `datasets` is not needed)."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.task import build

METADATA = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})}


def table(rows, **more):
    columns = {"x": np.arange(rows, dtype=np.float32), "label": np.arange(rows) % 2, "shop": np.array(["p", "q", "r"])[np.arange(rows) % 3]}
    return pa.table({**columns, **more}).replace_schema_metadata(METADATA)


def save(folder, *shards):
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{len(shards):05d}.arrow" for i in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, shard.schema) as stream:
            stream.write_table(shard)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


@pytest.fixture
def saved(tmp_path):
    save(tmp_path / "both" / "train", table(20), table(10))
    save(tmp_path / "both" / "test", table(6))
    (tmp_path / "both" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    save(tmp_path / "single", table(12))
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for name, rows in (("train-00000-of-00002", 8), ("train-00001-of-00002", 4), ("test-00000-of-00001", 5)):
        pq.write_table(table(rows), tmp_path / "hub" / "data" / f"{name}.parquet")
    return tmp_path


def load(folder, path, **params):
    return datasets.load({"name": "huggingface", "path": path, **params}, folder=str(folder))


def test_splits_and_class_names(saved):
    data = load(saved, "both", features=["x"], node="shop")
    assert (len(data.inputs), len(data.test_inputs), data.classes) == (30, 6, ("cat", "dog"))
    assert data.group_names == ("p", "q", "r")
    assert len(load(saved, "both", features=["x"], train="test").inputs) == 6
    assert load(saved, "both", features=["x"], train="test").test_inputs is None
    assert load(saved, "single", features=["x"]).inputs.shape == (12, 1)
    hub = load(saved, "hub", features=["x"])
    assert (len(hub.inputs), len(hub.test_inputs)) == (12, 5)


def test_a_task_of_natural_nodes(saved):
    assert build(dataset={"name": "huggingface", "path": str(saved / "both"), "features": ["x"], "node": "shop"}).names == ("p", "q", "r")


def test_pictures_are_not_decoded_and_the_message_says_what_does(saved):
    pictures = pa.array([{"bytes": b"\x89PNG", "path": None}] * 4)
    save(saved / "pictures", pa.table({"image": pictures, "label": [0, 1, 0, 1]}))
    with pytest.raises(ScenarioError, match=r"'image' holds struct.*the data set `python`"):
        load(saved, "pictures")


def test_faults_are_said(saved):
    def refused(said, path="both", **params):
        with pytest.raises(ScenarioError, match=said):
            load(saved, path, **params)

    refused("no folder", "none")
    refused("holds no saved data set", "both/train/../../hub/data/..".replace("hub/data/..", ""))
    refused("no split 'valid', but test, train", test="valid")
    refused("no split 'trian'", train="trian")
    refused("no column 'lable'", target="lable")
    (saved / "both" / "train" / "data-00001-of-00002.arrow").unlink()
    refused("data-00001-of-00002.arrow is missing")
    (saved / "single" / "data-00000-of-00001.arrow").write_bytes(b"garbage")
    refused("cannot be read", "single")
    (saved / "single" / "state.json").write_text("{")
    refused("not a saved data set", "single")
    (saved / "single" / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../../etc/passwd"}]}))
    refused("is missing", "single")
