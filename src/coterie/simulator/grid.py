"""The cells of a matrix run side by side, each in a process of its own with one thread; a cell that is there is not run again."""

import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from coterie.core.errors import Fault, ScenarioError
from coterie.reporting.matrix import Result
from coterie.reporting.run_folder import SCENARIO, RunFolder
from coterie.scenario.check import check
from coterie.scenario.grid import Cell
from coterie.scenario.reading import load


def checked(cells: Sequence[Cell]) -> None:
    """Raises ScenarioError with the faults of all cells; seeds apart, each is looked at once."""
    faults: list[Fault] = []
    seen = set()
    for cell in cells:
        if (cell.attack, cell.defence) in seen:
            continue
        seen.add((cell.attack, cell.defence))
        where = f"{cell.attack} against {cell.defence}"
        faults += [Fault(f"{where}: {fault.place}".removesuffix(": "), fault.problem, fault.fix) for fault in check(cell.scenario)]
    if faults:
        raise ScenarioError(*faults)


def run_all(cells: Sequence[Cell], out: Path, workers: int, told: Callable[[Result], None]) -> list[Result]:
    """The results in the order of the cells. told: hears of each as it comes in.

    A cell's folder that is of another scenario is a ScenarioError; a cell that fails has a reason in place of figures.
    """
    folders = [out / "runs" / re.sub(r"[^\w.=-]+", "-", cell.name) for cell in cells]
    for cell, folder in zip(cells, folders, strict=True):
        if (folder / SCENARIO).exists() and load(folder / SCENARIO).digest != cell.scenario.digest:
            raise ScenarioError.at("--out", f"{folder} is a run of another scenario", "choose another folder, or delete it")
    found: dict[int, Result] = {}
    if workers == 1:
        for place, (cell, folder) in enumerate(zip(cells, folders, strict=True)):
            found[place] = _run(cell, folder)
            told(found[place])
        return [found[place] for place in range(len(cells))]
    spawn = multiprocessing.get_context("spawn")
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            waiting = {pool.submit(_run, cell, folder): place for place, (cell, folder) in enumerate(zip(cells, folders, strict=True))}
            for done in as_completed(waiting):
                found[waiting[done]] = done.result()
                told(found[waiting[done]])
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return [found[place] for place in range(len(cells))]


def _run(cell: Cell, folder: Path) -> Result:
    """One cell, begun, gone on with, or read."""
    from coterie.simulator.run import resume, run

    try:
        begun = (folder / SCENARIO).exists()
        finished = begun and RunFolder.open(folder).finished
        summary = RunFolder.open(folder).summary if finished else (resume(folder) if begun else run(cell.scenario, out=folder)).summary
    except Exception as error:  # noqa: BLE001 - the other cells go on
        return Result(cell.attack, cell.defence, cell.seed, str(folder), failed=f"{type(error).__name__}: {error}"[:500])
    score, success = summary.score, summary.metrics.get("attack_success")
    return Result(
        cell.attack,
        cell.defence,
        cell.seed,
        str(folder),
        metric=summary.scored,
        score=score.mean if score else None,
        success=success.mean if success else None,
    )
