# ruff: noqa: E402, I001 - settings and stubs must be there before it is imported
"""The peer's side of `nodes.py`: runs in an environment of its own with p2pfl, and prints one line of JSON.

PYTHON benchmarks/nodes_p2pfl.py NODES ROUNDS [memory|grpc]

Its nodes are threads of one process, as in its own examples, with its own settings for one machine. torchvision, which it imports but
does not need here, is a stub; progress bars are off, and Ray, which it would train in, so that what is counted is all here.
"""

import json
import os
import resource
import sys
import time
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import functools

import lightning
import torchmetrics  # noqa: F401 - both must see that there is no torchvision

lightning.Trainer = functools.partial(lightning.Trainer, enable_progress_bar=False)  # those of several threads get into each other's way

for _name in ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.models"):
    _stub = types.ModuleType(_name)
    _stub.__spec__ = ModuleSpec(_name, None)
    sys.modules[_name] = _stub

from p2pfl.settings import Settings

Settings.general.DISABLE_RAY = True  # it begins a Ray cluster when it is imported

import datasets
import torch
from p2pfl.communication.protocols.protobuff.grpc import GrpcCommunicationProtocol
from p2pfl.communication.protocols.protobuff.memory import MemoryCommunicationProtocol
from p2pfl.examples.mnist.model.mlp_pytorch import model_build_fn
from p2pfl.learning.dataset.p2pfl_dataset import P2PFLDataset
from p2pfl.learning.dataset.partition_strategies import RandomIIDPartitionStrategy
from p2pfl.management.logger import logger
from p2pfl.node import Node
from p2pfl.utils.topologies import TopologyFactory, TopologyType
from p2pfl.utils.utils import set_standalone_settings, wait_convergence, wait_to_finish
from sklearn.datasets import load_digits


def resident() -> float:
    """Memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """One run."""
    nodes, rounds, protocol = int(sys.argv[1]), int(sys.argv[2]), (sys.argv[3:] or ["memory"])[0]
    torch.set_num_threads(1)
    set_standalone_settings()
    Settings.training.TRAIN_SET_SIZE = nodes
    logger.set_level(os.environ.get("P2PFL_LOG", "ERROR"))
    digits = load_digits()
    images, labels = (digits.images / 16).astype("float32"), digits.target
    parts = {"train": slice(0, 1440), "test": slice(1440, None)}
    data = P2PFLDataset(
        datasets.DatasetDict(
            {
                name: datasets.Dataset.from_dict({"image": images[part], "label": labels[part]}).with_format("torch")
                for name, part in parts.items()
            }
        )
    )
    data.set_batch_size(16)
    shards = data.generate_partitions(nodes, RandomIIDPartitionStrategy)
    before, made = resident(), []
    for number in range(nodes):
        memory = protocol == "memory"
        node = Node(
            model_build_fn(input_size=64, hidden_sizes=[64]),
            shards[number],
            protocol=MemoryCommunicationProtocol() if memory else GrpcCommunicationProtocol(),
            addr=f"node-{number}" if memory else "127.0.0.1",
        )
        node.start()
        made.append(node)
        if number == 0:
            one = resident()
    TopologyFactory.connect_nodes(TopologyFactory.generate_matrix(TopologyType.RING, nodes), made)
    wait_convergence(made, nodes - 1, only_direct=False, wait=60)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    began, cpu = time.perf_counter(), usage.ru_utime + usage.ru_stime
    made[0].set_start_learning(rounds=rounds, epochs=1)
    wait_to_finish(made, timeout=400)
    seconds, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    scores = [value for exp in logger.get_global_logs().values() for node in exp.values() for value in node.get("test_metric", [])[-1:]]
    found = {
        "protocol": protocol,
        "rounds": rounds,
        "seconds a round": round(seconds / rounds, 2),
        "CPU seconds a round": round((usage.ru_utime + usage.ru_stime - cpu) / rounds, 2),
        "a process with one node, MB": round(one),
        "before any node, MB": round(before),
        "the whole process at the end, MB": round(resident()),
        "accuracy": round(sum(score for _, score in scores) / len(scores), 3) if scores else None,
    }
    print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
