"""`coterie export`: a run's model as a file for other programs."""

from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from coterie.cli.arguments import Folder, Node, option
from coterie.cli.outcome import outcome, writing

FORMATS = (".safetensors", ".pt", ".npz")


def export(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"{', '.join(FORMATS)}; by default model.safetensors in the folder.")
    ] = None,
    node: Node = None,
) -> None:
    """Write the final model of the run in FOLDER as named tensors: for safetensors, torch (a state dict), or NumPy."""
    with outcome(), option("node"):
        from coterie.core.errors import ScenarioError, nearest
        from coterie.reporting.run_folder import RunFolder
        from coterie.simulator.run import Run

        path = out or folder / "model.safetensors"
        if path.suffix not in FORMATS:
            raise ScenarioError.at("--out", f"{path.name} is of no known format", nearest(path.suffix, FORMATS))
        tensors = {name: tensor.contiguous() for name, tensor in Run(RunFolder.open(folder)).model(node).state_dict().items()}
        with writing(path), path.open("wb") as file:
            _write(tensors, path.suffix, file)
        typer.echo(str(path))


def _write(tensors: dict[str, Any], suffix: str, file: BinaryIO) -> None:
    if suffix == ".pt":
        import torch

        torch.save(tensors, file)
    elif suffix == ".npz":
        import numpy as np

        np.savez(file, **{name: tensor.numpy() for name, tensor in tensors.items()})
    else:
        from safetensors.torch import save

        file.write(save(tensors))
