"""`coterie plan`: say who does what in a round."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.arguments import ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup

NAMED = 6
"""So many nodes, or ranges of them, are named in one place."""


def plan(
    scenario: ScenarioFile,
    sets: Sets = None,
    seed: Seed = None,
    round: Annotated[int, typer.Option("--round", metavar="R", min=0, help="The round, from 0.")] = 0,
    most: Annotated[int, typer.Option("--nodes", metavar="N", min=1, help="Show at most so many nodes.")] = 50,
) -> None:
    """Say who does what in a round of a SCENARIO: who trains, sends to whom, aggregates, exchanges and forwards."""
    with outcome():
        from rich.console import Console

        from coterie.core.errors import ScenarioError
        from coterie.scenario.reading import read
        from coterie.scenario.setup import Setup

        source = read(scenario, sets=settings(sets, seed=seed))
        setup = Setup(source.scenario)
        if round >= setup.scenario.until.rounds:
            last = setup.scenario.until.rounds - 1
            raise ScenarioError.at("--round", f"there is no round {round}", f"write a number from 0 to {last}")
        with source.placing():
            table = _table(setup, round, most)
        Console().print(table)


def _table(setup: "Setup", round: int, most: int) -> Any:
    from rich.text import Text

    from coterie.core.ids import NodeId
    from coterie.reporting.tables import plain_table

    table = setup.planner.table(round)
    busy = sorted({*table.participants.tolist(), *table.proxies.tolist(), *setup.planner.holders(round).tolist()})
    shown = plain_table(f"{setup.scenario.name} · round {round}" + (f" · {most} of {len(busy)} nodes" if len(busy) > most else ""))
    rows = []
    proxies = set(table.proxies.tolist())
    for node in busy[:most]:
        part = setup.planner.plan(NodeId(node), round)
        roles = [
            name
            for name, holds in (("trainer", part.trains), ("aggregator", part.collect_from is not None), ("proxy", node in proxies))
            if holds
        ]
        itself = part.send_to == node
        rows.append(
            (
                str(node),
                ", ".join(roles),
                _names(part.publish_to),
                "itself" if itself else _names(() if part.send_to is None else (part.send_to,)),
                _names(sorted(part.collect_from or ())),
                _names(part.exchange_with),
            )
        )
    headings = ("node", "roles", "model to", "update to", "updates from", "exchanges with")
    kept = [column for column in range(len(headings)) if any(row[column] for row in rows)]
    for column in kept:
        heading = headings[column]
        shown.add_column(Text(heading), justify="right" if heading == "node" else "left", no_wrap=heading in {"node", "roles"})
    for row in rows:
        shown.add_row(*(row[column] for column in kept))
    return shown


def _names(nodes: Sequence[int]) -> str:
    """Ascending ids as in a scenario, ranges as 4-9."""
    ranges: list[list[int]] = []
    for node in nodes:
        if ranges and ranges[-1][-1] == node - 1:
            ranges[-1][1:] = [node]
        else:
            ranges.append([node])
    listed = [", ".join(map(str, ends)) if ends[-1] - ends[0] < 2 else f"{ends[0]}-{ends[1]}" for ends in ranges[:NAMED]]
    more = sum(ends[-1] - ends[0] + 1 for ends in ranges[NAMED:])
    return ", ".join(listed) + (f" and {more} more" if more else "")
