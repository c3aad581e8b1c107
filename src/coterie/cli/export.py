"""`coterie export`: a run's model as a file for other programs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from coterie.cli.arguments import Folder, Node
from coterie.cli.outcome import outcome

FORMATS = (".safetensors", ".pt", ".npz")


def export(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"{', '.join(FORMATS)}; by default model.safetensors in the folder.")
    ] = None,
    node: Node = None,
) -> None:
    """Write the final model of the run in FOLDER as named tensors: for safetensors, torch (a state dict), or NumPy."""
    with outcome():
        from coterie.core.errors import ScenarioError, nearest
        from coterie.reporting.run_folder import RunFolder
        from coterie.simulator.run import Run

        path = out or folder / "model.safetensors"
        if path.suffix not in FORMATS:
            raise ScenarioError.at("--out", f"{path.name} is of no known format", nearest(path.suffix, FORMATS))
        tensors = {name: tensor.contiguous() for name, tensor in Run(RunFolder.open(folder)).model(node).state_dict().items()}
        _write(tensors, path)
        typer.echo(str(path))


def _write(tensors: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".pt":
        import torch

        torch.save(tensors, path)
    elif path.suffix == ".npz":
        import numpy as np

        np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})
    else:
        from safetensors.torch import save_file

        save_file(tensors, path)
