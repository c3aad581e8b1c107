"""`coterie plan`: say who does what in a round."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.arguments import ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup

NAMED = 8


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
    for heading in ("node", "roles", "publishes to", "sends its update to", "collects from", "exchanges with"):
        shown.add_column(Text(heading), justify="right" if heading == "node" else "left")
    proxies = set(table.proxies.tolist())
    for node in busy[:most]:
        part = setup.planner.plan(NodeId(node), round)
        roles = [
            name
            for name, holds in (("trainer", part.trains), ("aggregator", part.collect_from is not None), ("proxy", node in proxies))
            if holds
        ]
        itself = part.send_to == node
        shown.add_row(
            str(node),
            ", ".join(roles),
            _names(part.publish_to),
            "itself" if itself else _names(() if part.send_to is None else (part.send_to,)),
            _names(sorted(part.collect_from or ())),
            _names(part.exchange_with),
        )
    return shown


def _names(nodes: Any) -> str:
    listed = ", ".join(map(str, nodes[:NAMED]))
    return listed + (f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")
