"""Attacks against defences: a table, a heat map, and of each defence what is left of it under the worst attack."""

import csv
import html
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from coterie.reporting.measures import measure
from coterie.reporting.run_folder import replace_file
from coterie.reporting.summary import Estimate
from coterie.reporting.tables import estimated, plain_table

NONE = "none"
"""The column without an attack; it is not what a defence is judged by."""


@dataclass(frozen=True)
class Result:
    """What one cell came to. score: of honest nodes, null where it is no number. success: of the attack. failed: why it did not finish."""

    attack: str
    defence: str
    seed: int
    folder: str
    metric: str = ""
    score: float | None = None
    success: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Matrix:
    """Results by defence (rows) and attack (columns), in the order in which they were asked for."""

    name: str
    results: tuple[Result, ...]

    @property
    def attacks(self) -> list[str]:
        """The columns."""
        return list(dict.fromkeys(result.attack for result in self.results))

    @property
    def defences(self) -> list[str]:
        """The rows."""
        return list(dict.fromkeys(result.defence for result in self.results))

    @property
    def metric(self) -> str:
        """What is measured."""
        return next((result.metric for result in self.results if result.metric), "accuracy")

    def of(self, defence: str, attack: str) -> Estimate | None:
        """The score of a cell over its seeds; None where a seed has none."""
        return Estimate.of(result.score for result in self.results if (result.defence, result.attack) == (defence, attack))

    def success(self, defence: str, attack: str) -> Estimate | None:
        """How well the attack of a cell succeeded, over its seeds."""
        return Estimate.of(result.success for result in self.results if (result.defence, result.attack) == (defence, attack))

    def worst(self, defence: str) -> tuple[str, Estimate | None]:
        """The attack that leaves least of a defence, and how much; one whose score is no number leaves nothing."""
        found = [(attack, self.of(defence, attack)) for attack in self.attacks if attack != NONE] or [(NONE, self.of(defence, NONE))]
        lost = next(((attack, estimate) for attack, estimate in found if estimate is None), None)
        if lost is not None:
            return lost
        rising = measure(self.metric).rising
        return min(found, key=lambda one: (one[1].mean if rising else -one[1].mean) if one[1] else 0.0)

    def plain(self) -> dict[str, Any]:
        """Plain data: `worst` by defence, `cells`, `runs`."""
        return {
            "name": self.name,
            "metric": self.metric,
            "worst": {
                defence: {"attack": attack, **_estimate(estimate)}
                for defence, (attack, estimate) in ((defence, self.worst(defence)) for defence in self.defences)
            },
            "cells": [
                {
                    "defence": defence,
                    "attack": attack,
                    **_estimate(self.of(defence, attack)),
                    "success": _estimate(self.success(defence, attack))["mean"],
                }
                for defence in self.defences
                for attack in self.attacks
            ],
            "runs": [asdict(result) for result in self.results],
        }


def _estimate(estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {"mean": None, "std": None, "seeds": 0}
    return {"mean": estimate.mean, "std": estimate.std, "seeds": estimate.runs}


def table(matrix: Matrix) -> Table:
    """For the terminal, the defence that keeps most under its worst attack first."""
    kind = measure(matrix.metric)
    found = plain_table(f"{matrix.name} · {kind.label} of honest nodes" + (", %" if kind.percent else ""))
    for heading in ("", *matrix.attacks, "worst", "by"):
        found.add_column(Text(heading.replace("_", " ")), justify="left" if heading in {"", "by"} else "right")
    for defence in ranked(matrix):
        attack, worst = matrix.worst(defence)
        row = [_short(matrix.of(defence, name), matrix.metric) for name in matrix.attacks]
        found.add_row(
            Text(defence.replace("_", " ")), *row, Text(_short(worst, matrix.metric), style="bold"), Text(attack.replace("_", " "))
        )
    return found


def _short(estimate: Estimate | None, metric: str) -> str:
    return estimated(estimate, metric).removesuffix(" %")


def ranked(matrix: Matrix) -> list[str]:
    """The defences, the best first."""
    rising = measure(matrix.metric).rising

    def left(defence: str) -> float:
        estimate = matrix.worst(defence)[1]
        return float("inf") if estimate is None else -estimate.mean if rising else estimate.mean

    return sorted(matrix.defences, key=left)


def write(matrix: Matrix, folder: Path) -> list[Path]:
    """`matrix.json`, `matrix.csv` (a line a run) and `matrix.html` (the heat map) in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = io.StringIO()
    writer = csv.DictWriter(lines, list(Result.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in matrix.results)
    pages = {
        "matrix.json": json.dumps(matrix.plain(), indent=2, allow_nan=False) + "\n",
        "matrix.csv": lines.getvalue(),
        "matrix.html": page(matrix),
    }
    for name, text in pages.items():
        replace_file(folder / name, text.encode())
    return [folder / name for name in pages]


CELL, ROW, LEFT, TOP = 96, 36, 240, 96


def page(matrix: Matrix) -> str:
    """A page that needs nothing else: the heat map as SVG."""
    kind = measure(matrix.metric)
    columns, rows = [*matrix.attacks, "worst"], ranked(matrix)
    width, height = LEFT + CELL * len(columns) + 16, TOP + ROW * len(rows) + 8
    parts = [f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="Attacks against defences">']
    for number, name in enumerate(columns):
        x = LEFT + CELL * number + (16 if name == "worst" else 0) + CELL / 2
        weight = ' font-weight="700"' if name == "worst" else ""
        parts.append(f'<text x="{x:.0f}" y="{TOP - 12}" transform="rotate(-25 {x:.0f} {TOP - 12})"{weight}>{_words(name)}</text>')
    for place, defence in enumerate(rows):
        y = TOP + ROW * place
        parts.append(f'<text x="{LEFT - 12}" y="{y + ROW / 2 + 5:.0f}" text-anchor="end">{_words(defence)}</text>')
        for number, name in enumerate(columns):
            worst = name == "worst"
            attack, estimate = matrix.worst(defence) if worst else (name, matrix.of(defence, name))
            x = LEFT + CELL * number + (16 if worst else 0)
            parts.append(_cell(x, y, estimate, f"{defence} under {attack}", kind.name))
    parts.append("</svg>")
    style = "body{font:15px system-ui,sans-serif;margin:2rem;background:#fff;color:#1a1a1a}"
    style += "svg{max-width:100%;height:auto}svg text{font-size:13px}"
    title = html.escape(f"{matrix.name}: {kind.label} of honest nodes")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{style}</style></head><body><h1>{title}</h1>"
        "<p>A row a defence, a column an attack; what counts is the last column: what is left under the worst attack.</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def _cell(x: float, y: float, estimate: Estimate | None, what: str, metric: str) -> str:
    share = None if estimate is None else min(max(estimate.mean, 0.0), 1.0)
    fill = "#d9d9d9" if share is None else _colour(share)
    ink = "#fff" if share is not None and share < 0.45 else "#1a1a1a"
    words = html.escape(estimated(estimate, metric))
    return (
        f'<g><title>{html.escape(what)}: {words}</title><rect x="{x:.0f}" y="{y}" width="{CELL - 2}" height="{ROW - 2}" fill="{fill}"/>'
        f'<text x="{x + CELL / 2 - 1:.0f}" y="{y + ROW / 2 + 4:.0f}" text-anchor="middle" fill="{ink}">{words}</text></g>'
    )


STOPS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis, dark for little: a scale that is even to the eye, and to those who do not tell red from green."""


def _colour(share: float) -> str:
    place = share * (len(STOPS) - 1)
    low = min(int(place), len(STOPS) - 2)
    mixed = (round(a + (b - a) * (place - low)) for a, b in zip(STOPS[low], STOPS[low + 1], strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _words(name: str) -> str:
    return html.escape(name.replace("_", " "))


def failures(results: Sequence[Result]) -> list[str]:
    """What did not finish, in words."""
    return [f"{result.attack} against {result.defence}, seed {result.seed}: {result.failed}" for result in results if result.failed]
