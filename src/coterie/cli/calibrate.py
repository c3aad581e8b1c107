"""`coterie calibrate`: measure how fast this machine trains a scenario's model."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.arguments import ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import outcome, writing

if TYPE_CHECKING:
    from coterie.environments.profile import Pace


def calibrate(
    scenario: ScenarioFile,
    *,
    sets: Sets = None,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The profile to write.")] = Path("device.json"),
    repeats: Annotated[int, typer.Option(metavar="N", min=3, help="Measure everything so many times.")] = 7,
) -> None:
    """Measure this machine's seconds a sample for the model of a SCENARIO, in several batch sizes, and write them to a profile.

    A scenario's `device: {name: measured, path: FILE}` then takes as long as this machine did, one node at a time, on one thread.
    """
    with outcome():
        from rich.console import Console

        from coterie.learning.calibration import calibrate as measure
        from coterie.scenario.reading import read
        from coterie.scenario.workload import BACKWARD
        from coterie.simulator.run import checked

        source = read(scenario, sets=settings(sets, seed=seed))
        with source.placing():
            setup = checked(source.scenario)
            found = measure(setup.bench("exact"), model=setup.scenario.task.model.name, repeats=repeats)
        with writing(out):
            import msgspec

            out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        console = Console()
        about = f"{found.model}, {found.parameters:,} parameters"
        console.print(_table(f"{about} · training", found.training, BACKWARD * found.flops))
        console.print(_table(f"{about} · evaluation", found.evaluation, found.flops))
        told = f"Profile: {out}. In this scenario: device: {{name: measured, path: {os.path.relpath(out, scenario.parent)}}}"
        console.print(told, highlight=False, markup=False, soft_wrap=True)


def _table(title: str, paces: "list[Pace]", flops: int) -> object:
    from coterie.reporting.tables import plain_table

    table = plain_table(title)
    for heading in ("batch", "a sample", "from", "to", "GFLOP/s"):
        table.add_column(heading, justify="right")
    for pace in paces:
        speed = flops / pace.seconds_per_sample / 1e9
        times = (_micro(seconds) for seconds in (pace.seconds_per_sample, pace.least, pace.most))
        table.add_row(str(pace.batch_size), *times, f"{speed:.3g}")
    return table


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.3g} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"
