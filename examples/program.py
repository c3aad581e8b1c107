"""Scenarios from Python: which architecture suits data that differ between nodes? Three runs, a table, and a model to use."""

import torch

import coterie

COMMON = {
    "nodes": 10,
    "task": "digits",
    "partition": {"name": "dirichlet", "alpha": 0.2},
    "training": {"batch_size": 16, "epochs": 2},
    "until": 10,
}
SHAPES = {
    "star": {"architecture": "centralized"},
    "ring": {"architecture": "decentralized", "topology": "ring"},
    "everybody": {"architecture": "decentralized", "topology": "full"},
}

runs = {name: coterie.run(coterie.Scenario(name=name, **COMMON, **shape)) for name, shape in SHAPES.items()}

for name, run in runs.items():
    accuracy = run.summary.accuracy
    print(f"{name:<10} {accuracy.mean:6.1%} on average, {accuracy.min:6.1%} at the worst node, {run.summary.bytes_sent / 1e6:5.1f} MB sent")

net = runs["ring"].model(node=3)  # a torch.nn.Module: node 3's own; without a node, the average of all
scores = net(torch.zeros(1, 1, 8, 8))
print(f"To node 3 an empty image looks like a {scores.argmax().item()}. The whole story: {runs['ring'].report}")
