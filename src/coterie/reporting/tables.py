"""Tables for the terminal: a run beside its baselines, and a scenario over several seeds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from coterie.reporting.measures import measure
from coterie.reporting.summary import ROUNDS, Estimate, Outcome, Spread, Summary
from coterie.reporting.units import counted, data_size, duration, number

FEDERATION = "federation"


def comparison(summary: Summary) -> Table:
    """The run above its baselines: mean score with its range over the nodes, bytes sent, raw data moved, time."""
    kind = measure(summary.scored)
    table = plain_table(
        f"{summary.name} · {counted(summary.nodes, 'node')} · {counted(summary.rounds, 'round')} · mean {kind.label} over nodes"
    )
    for heading in ("", "mean [range]", "worst tenth", "sent", "raw data", "time"):
        table.add_column(Text(heading), justify="left" if heading == "" or heading.endswith("]") else "right")
    for name, outcome in {FEDERATION: summary, **summary.baselines}.items():
        score, own = outcome.score or Spread(), measure(outcome.scored)
        table.add_row(
            Text(name),
            Text(own.ranged(score.mean, score.min, score.max)),
            own.written(score.worst_decile) if score.min != score.max else "",
            data_size(outcome.bytes_sent),
            data_size(outcome.raw_bytes),
            duration(outcome.virtual_seconds),
            style="bold" if name == FEDERATION else "",
        )
    return table


def show_outcome(console: Console, summary: Summary, report: Path | None = None, refused: Mapping[str, int] | None = None) -> None:
    """Prints the end of a run: the comparison, what ended it, what was refused, what became of the raw data, and the report's place.

    refused: how many messages their receivers did not take in, by reason.
    """
    console.print()
    console.print(comparison(summary))
    if summary.ended_by not in {None, ROUNDS}:
        console.print(Text(f"Ended before its last round: {summary.ended_by}."), soft_wrap=True)
    for words in attacked(summary):
        console.print(Text(words), soft_wrap=True)
    if summary.faults:
        kinds = ", ".join(f"{number(count)} {kind}" for kind, count in summary.faults.items())
        console.print(Text(f"Faults injected: {kinds}."), soft_wrap=True)
    if summary.happened:
        kinds = ", ".join(f"{number(count)} {kind}" for kind, count in summary.happened.items())
        console.print(Text(f"What nodes made of it: {kinds}."), soft_wrap=True)
    if refused:
        reasons = ", ".join(f"{number(count)} {reason}" for reason, count in sorted(refused.items()))
        console.print(Text(f"Refused by their receivers: {counted(sum(refused.values()), 'message')} ({reasons})."), soft_wrap=True)
    against = f"; central training would have moved {data_size(summary.dataset_bytes)}" if summary.dataset_bytes else ""
    console.print(f"[bold]Raw data that left a node: {data_size(summary.raw_bytes)}[/]{against}.", highlight=False)
    if report is not None:
        console.print(f"Report: [bold]{escape(str(report))}[/]", highlight=False, soft_wrap=True)


def attacked(summary: Summary) -> Iterator[str]:
    """Whose figures are not in the summary, and how well attacks succeeded."""
    if summary.attackers:
        yield f"{counted(summary.attackers, 'node')} of {summary.nodes} attacked; what they measured is left out of all figures."
    for name, spread in summary.metrics.items():
        kind = measure(name)
        if name.startswith("attack_success"):
            yield f"{kind.label[0].upper()}{kind.label[1:]}: {kind.ranged(spread.mean, spread.min, spread.max)}."


def over_seeds(summaries: Sequence[Summary]) -> dict[str, Any]:
    """Runs that differ only in their seed, as plain data: `seeds`, and `runs` name → figure → mean, std, runs (or null).

    The names are `federation` and the baselines; the figures `score`, `loss`, `worst_decile`, `bytes_sent`, `virtual_seconds`.
    """
    runs = {
        name: {figure: _plain(Estimate.of(values)) for figure, values in _figures(outcomes).items()}
        for name, outcomes in _by_name(summaries).items()
    }
    return {"seeds": [summary.seed for summary in summaries], "metric": summaries[0].scored, "runs": runs}


def seeds_table(summaries: Sequence[Summary]) -> Table:
    """One row a seed, then mean ± standard deviation, for the run and for each baseline."""
    kind = measure(summaries[0].scored)
    table = plain_table(f"{summaries[0].name} · {len(summaries)} seeds")
    for heading in ("", kind.label, "worst tenth", "loss", "sent", "time"):
        table.add_column(heading, justify="left" if not heading else "right")
    for summary in summaries:
        score, loss = summary.score, summary.loss or summary.loss_own
        table.add_row(
            f"seed {summary.seed}",
            kind.written(score.mean if score else None),
            kind.written(score.worst_decile if score else None),
            measure("loss").written(loss.mean if loss else None),
            data_size(summary.bytes_sent),
            duration(summary.virtual_seconds),
        )
    table.add_section()
    for name, outcomes in _by_name(summaries).items():
        figures = {figure: Estimate.of(values) for figure, values in _figures(outcomes).items()}
        table.add_row(
            Text(name),
            estimated(figures["score"], kind.name),
            estimated(figures["worst_decile"], kind.name),
            estimated(figures["loss"], "loss"),
            data_size(figures["bytes_sent"].mean if figures["bytes_sent"] else None),
            duration(figures["virtual_seconds"].mean if figures["virtual_seconds"] else None),
            style="bold" if name == FEDERATION else "",
        )
    return table


def estimated(estimate: Estimate | None, metric: str) -> str:
    """Mean ± standard deviation as a person reads it: `91.3 ± 0.4 %`."""
    if estimate is None:
        return "—"
    kind = measure(metric)
    if estimate.std is None:
        return kind.written(estimate.mean)
    if kind.percent:
        return f"{100 * estimate.mean:.1f} ± {100 * estimate.std:.1f} %"
    return f"{kind.written(estimate.mean)} ± {kind.written(estimate.std)}"


def _by_name(summaries: Sequence[Summary]) -> Mapping[str, Sequence[Outcome]]:
    shared = [name for name in summaries[0].baselines if all(name in summary.baselines for summary in summaries)]
    return {FEDERATION: list(summaries), **{name: [summary.baselines[name] for summary in summaries] for name in shared}}


def _figures(outcomes: Sequence[Outcome]) -> dict[str, list[float | None]]:
    scores = [outcome.score for outcome in outcomes]
    losses = [outcome.loss or outcome.loss_own for outcome in outcomes]
    return {
        "score": [score.mean if score else None for score in scores],
        "worst_decile": [score.worst_decile if score else None for score in scores],
        "loss": [loss.mean if loss else None for loss in losses],
        "bytes_sent": [outcome.bytes_sent for outcome in outcomes],
        "virtual_seconds": [outcome.virtual_seconds for outcome in outcomes],
    }


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else {"mean": estimate.mean, "std": estimate.std, "runs": estimate.runs}


def plain_table(title: str) -> Table:
    """A table in the one style that Coterie's have."""
    return Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
