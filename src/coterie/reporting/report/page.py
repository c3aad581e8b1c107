"""The page itself: templates filled in, styles and scripts inlined, and a policy that lets nothing else run or load.

Everything a scenario or a folder names is treated as hostile: Jinja escapes what it writes into the page, the scripts' data is
JSON without a character that could end its element, and the scripts put text only where it stays text.
"""

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import coterie
from coterie.reporting.facts import Attack, Facts
from coterie.reporting.measures import measure, own
from coterie.reporting.report import content
from coterie.reporting.run_folder import REPORT, RunFolder, replace_file
from coterie.reporting.settings import written
from coterie.reporting.summary import ROUNDS, Outcome, Spread, Summary
from coterie.reporting.tables import attacked
from coterie.reporting.units import counted, data_size, duration, number

MOST_BYTES = 5_000_000
MOST_NAMED = 50
"""So many attackers are named."""
_SCRIPTS = ("dom.js", "format.js", "lines.js", "bars.js", "nodes.js", "graph.js", "heatmap.js", "gantt.js", "verdicts.js", "curves.js")


def write_report(folder: RunFolder) -> Path:
    """Writes `report.html` into a run's folder, finished or not, and returns its path."""
    path = folder.path / REPORT
    replace_file(path, report(folder).encode())
    return path


def report(folder: RunFolder) -> str:
    """The HTML of a run's report."""
    summary, facts = content.outcome(folder), folder.facts
    data = content.content(folder)
    kind = measure(summary.scored)
    return render(
        "report.html.jinja",
        ("report.js",),
        data,
        summary=summary,
        facts=facts,
        about=_about(summary, facts),
        verdict=_verdict(summary, kind.name),
        figures=_figures(summary),
        rows=_rows(summary, [run["name"] for run in data["runs"]]),
        label=kind.label,
        own_label=measure(own(summary.metric)).label,
        notices=_notices(folder, summary),
        attacks=[_attack(attack, facts) for attack in facts.attacks],
        settings=[(path, written(value)) for path, value in content.known_settings(folder).items()],
        scenario=folder.scenario,
        data=data,
        stretched=any(run.get("stretched") for run in data["runs"]),
        further=_further(data),
        node_rows=_node_rows(data["nodes"]),
        graph_words=_graph_words(data["graph"]),
        timeline_words=_timeline_words(data["timeline"]),
        verdict_words=_verdict_words(summary),
    )


def render(template: str, scripts: tuple[str, ...], embedded: dict[str, Any], **context: Any) -> str:
    """A page out of a template, with `embedded` as the data of its scripts."""
    style = Markup(_part("style.css"))  # noqa: S704 - our own file
    script = Markup("(() => {\n'use strict';\n" + "\n".join(map(_part, (*_SCRIPTS, *scripts))) + "\n})();")  # noqa: S704
    context |= {
        "policy": f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "embedded": _embedded(embedded),
        "version": coterie.__version__,
    }
    return _environment().get_template(template).render(context)


def _embedded(data: dict[str, Any]) -> Markup:
    """`data` as JSON that is the same to a parser of JSON, and harmless to one of HTML."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII only, so no exotic line ends either
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


@cache
def _part(name: str) -> str:
    return (resources.files("coterie.reporting.report") / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """What a content security policy calls an inline element with exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"data_size": data_size, "duration": duration, "number": number}
    return environment


def _about(summary: Summary, facts: Any) -> list[str]:
    """The line under the title."""
    model = f"{facts.model.name}, {number(facts.model.parameters)} parameters" if facts.model.name else ""
    parts = [counted(summary.nodes, "node"), facts.architecture, facts.topology, counted(summary.rounds, "round"), facts.dataset, model]
    return [part for part in parts if part] + [f"seed {summary.seed}"]


def _verdict(summary: Summary, metric: str) -> str:
    """What a newcomer wants to know, in words: how good, against what, at which cost."""
    kind, score = measure(metric), summary.score
    if score is None or score.mean is None:
        return ""
    where = "on the common test set" if metric == summary.metric else "on their own test data"
    told = f"The nodes reach {kind.written(score.mean)} {kind.label.split(' on ')[0]} on average {where}"
    told = told if score.min != score.max else f"The model reaches {kind.written(score.mean)} {kind.label.split(' on ')[0]} {where}"
    against = []
    for name, words in (("centralized", "training on all data in one place"), ("local", "each node training alone")):
        other = summary.baselines[name].spread(metric) if name in summary.baselines else None
        if other is not None and other.mean is not None:
            against.append(f"{_difference(score.mean - other.mean, kind.percent)} {words}")
    told += ": " + " and ".join(against) + "." if against else "."
    if summary.dataset_bytes and not summary.raw_bytes:
        told += f" No raw data left a node; training in one place would have moved {data_size(summary.dataset_bytes)} of it."
    return told


def _difference(difference: float, percent: bool) -> str:
    size = f"{abs(100 * difference):.1f} points" if percent else f"{abs(difference):.3f}"
    if size.startswith(("0.0 ", "0.000")):
        return "as much as"
    return f"{size} {'more' if difference > 0 else 'less'} than"


def _figures(summary: Summary) -> list[dict[str, str]]:
    """The few large numbers at the top: label, value, what to hold it against."""
    kind, score = measure(summary.scored), summary.score or Spread()
    several = score.min != score.max
    low = score if several else summary.spread(own(summary.metric)) or score
    low_kind = kind if several else measure(own(summary.metric))
    return [
        {
            "label": f"Mean {kind.label}" if several else kind.label,
            "value": kind.written(score.mean),
            "note": f"{kind.written(score.min)} to {kind.written(score.max)} over nodes" if several else "",
        },
        {"label": "Worst tenth of nodes", "value": low_kind.written(low.worst_decile), "note": f"mean {low_kind.label}"},
        {
            "label": "Raw data that left a node",
            "value": data_size(summary.raw_bytes),
            "note": f"of {data_size(summary.dataset_bytes)}" if summary.dataset_bytes else "",
        },
        {"label": "Sent between nodes", "value": data_size(summary.bytes_sent), "note": counted(summary.messages, "message")},
        {"label": "Time", "value": duration(summary.virtual_seconds), "note": f"simulated; {_real(summary)}"},
    ]


def _real(summary: Summary) -> str:
    """The real time, and the share of it that evaluation took."""
    share = summary.job_seconds.get("evaluation", 0.0) / summary.wall_seconds if summary.wall_seconds else 0.0
    return f"{duration(summary.wall_seconds)} real, {share:.0%} of it evaluating" if share else f"{duration(summary.wall_seconds)} real"


def _rows(summary: Summary, drawn: list[str]) -> list[dict[str, Any]]:
    """The table of the run and its baselines, in the colours in which the plots have them `drawn`."""
    runs = {content.FEDERATION: summary, **summary.baselines}
    return [{"slot": drawn.index(name) % 8 if name in drawn else 7, **_row(name, outcome, summary)} for name, outcome in runs.items()]


def _row(name: str, outcome: Outcome, summary: Summary) -> dict[str, Any]:
    kind, mine, loss = measure(summary.scored), outcome.spread(summary.scored) or Spread(), outcome.loss or outcome.loss_own or Spread()
    own_kind, own_spread = measure(own(summary.metric)), outcome.spread(own(summary.metric)) or Spread()
    several = mine.min != mine.max
    return {
        "name": name.replace("-", " "),
        "score": kind.written(mine.mean),
        "bar": round(100 * min(max(mine.mean, 0.0), 1.0), 1)
        if mine.mean is not None and (kind.percent or kind.name.startswith("r2"))
        else None,
        "range": f"{kind.written(mine.min)} to {kind.written(mine.max)}" if several else "—",
        "worst": kind.written(mine.worst_decile) if several else "—",
        "own": own_kind.written(own_spread.mean),
        "loss": measure("loss").written(loss.mean),
        "sent": data_size(outcome.bytes_sent),
        "raw": data_size(outcome.raw_bytes),
        "time": duration(outcome.virtual_seconds),
    }


def _attack(attack: Attack, facts: Facts) -> list[str]:
    """A row of the table of attacks: what, who, when, knowing what."""
    who = [facts.name(node) for node in attack.nodes[:MOST_NAMED]] + [f"{a} – {b}" for a, b in attack.links[:MOST_NAMED]]  # noqa: RUF001
    more = len(attack.nodes) + len(attack.links) - len(who)
    if attack.last == attack.first:
        rounds = f"round {attack.first}"
    elif attack.last is None:
        rounds = f"from round {attack.first} on" if attack.first else "every round"
    else:
        rounds = f"rounds {attack.first} to {attack.last}"
    where = "on the link " if attack.links else ""
    return [
        attack.name.replace("_", " "),
        where + ", ".join(who) + (f" and {number(more)} more" if more else ""),
        rounds + (" where it would pass" if attack.stealthy else ""),
        "nothing but the link" if attack.links else ", ".join(attack.knowledge),
    ]


def _node_rows(finals: list[dict[str, Any]]) -> list[list[str]]:
    """A row a node, in order of id: its name, then each final score and what it reaches alone."""
    columns: list[dict[int, str]] = []
    names: dict[int, str] = {}
    for final in finals:
        kind = measure(final["metric"])
        names |= dict(zip(final["node"], final["name"], strict=True))
        measured = [values for values in (final["value"], final["local"]) if values is not None]
        columns += [{node: kind.written(value) for node, value in zip(final["node"], values, strict=True)} for values in measured]
    return [[names[node], *(column.get(node, "—") for column in columns)] for node in sorted(names)]


def _further(data: dict[str, Any]) -> list[dict[str, str]]:
    """The metrics that have no plot of their own above: each gets a small one."""
    main = data["metric"]
    known = {main, own(main), "loss", "loss_own"}
    return [{"name": name, "label": kind["label"]} for name, kind in data["measures"].items() if name not in known]


def _graph_words(graph: dict[str, Any] | None) -> str:
    if graph is None:
        return ""
    drawn, total = len(graph["x"]), graph["total"]
    words = f"{counted(total, 'node')}, {counted(graph['edgeTotal'], 'edge')}."
    if drawn < total:
        words = f"{number(drawn)} of {words[:-1]}: the neighbourhood of the busiest node."
    if graph["rotates"]:
        words += " Roles move from round to round; these are of the first."
    return words + " Larger: more samples. Thicker: more bytes."


def _timeline_words(line: dict[str, Any] | None) -> str:
    """How busy the nodes of the strip are, and which of how many they are."""
    if line is None:
        return ""
    trains = [share for share in line["train"] if share]
    words = f"{number(len(line['node']))} of {counted(line['total'], 'node')}. " if len(line["node"]) < line["total"] else ""
    if trains and max(trains) < 0.01:
        words += "The nodes that train do so less than 1 % of the time."
    elif trains:
        busiest = line["name"][line["train"].index(max(trains))]
        mean, most = _percent(sum(trains) / len(trains)), _percent(max(trains))
        words += f"The nodes that train do so {mean} of the time on average; node {busiest} most, {most}."
    return words + ("" if line["whole"] else f" Known of the first {duration(line['known'])} alone.")


def _verdict_words(summary: Summary) -> str:
    """How well what was thought of updates fits who attacked."""
    found, axis = summary.defence, "Over the same rounds as the scores above."
    if found is None or found.recall is None:
        return f"{axis} Who is left out by a rule need not be bad: some take few by their nature."
    right = "" if found.precision is None else f" Of those flagged, down-weighted or cut, {found.precision:.0%} were attackers'."
    return f"{axis}{right} Of the updates with which attackers attacked, {found.recall:.0%} were found."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _notices(folder: RunFolder, summary: Summary) -> list[str]:
    """What a reader must know before trusting the numbers."""
    notices = []
    if not folder.finished:
        notices.append(
            f"This run has not finished: it shows {counted(summary.rounds, 'round')}. Go on with: coterie resume {folder.path.name}"
        )
    if summary.ended_by not in {None, ROUNDS}:
        notices.append(f"This run ended before its last round: {summary.ended_by}.")
    notices += attacked(summary)
    for reason, count in sorted(folder.events.rejected.items()):
        notices.append(f"Refused by their receivers: {counted(count, 'message')} ({reason}).")
    lost = {name: int(np.isnan(values).sum()) for name, values in folder.metrics.final().items()}
    return notices + [
        f"At {counted(count, 'node')} the {measure(name).label} ended as no finite number: their training diverged."
        for name, count in lost.items()
        if count
    ]
