"""The report: one file that loads nothing, hostile names stay text, the numbers are those of the run, and it stays small."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from coterie.reporting.facts import Facts, Partition, Roles
from coterie.reporting.report.page import MOST_BYTES, report, write_report
from coterie.reporting.run_folder import RunFolder
from reporting.sample_runs import make_run, small_world

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028 & \"'`{{7*7}}"


class Page(HTMLParser):
    """Elements with their attributes, and the text of styles and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"style": [], "script": [], "h1": [], "td": [], "dd": [], "p": []}
        self._inside: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.texts:
            self._inside.append(tag)
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside[-1]][-1] += data

    @property
    def data(self) -> dict:
        return json.loads(self.texts["script"][0])

    @property
    def policy(self) -> str:
        return next(about["content"] or "" for tag, about in self.elements if about.get("http-equiv") == "Content-Security-Policy")


def page(path: Path) -> Page:
    return Page(write_report(RunFolder.open(path)).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", rounds=6)


def test_it_loads_nothing_and_allows_only_its_own_style_and_script(run: Path) -> None:
    found = page(run)
    for tag, about in found.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {name for name in about if name in {"src", "href", "style"} or name.startswith("on")}
    [style], [data, script] = found.texts["style"], found.texts["script"]
    assert json.loads(data)
    assert "url(" not in style
    assert "@import" not in style
    assert re.findall(r"https?://[^'\"]*", style + script) == ["http://www.w3.org/2000/svg"]  # the name of a vocabulary
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    assert found.policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def test_the_numbers_are_those_of_the_summary(run: Path) -> None:
    found, summary = page(run), RunFolder.open(run).summary
    assert found.texts["h1"] == ["sixteen-clinics"]
    assert f"{100 * summary.accuracy.mean:.1f} %" in found.texts["td"]
    assert "0 B" in found.texts["dd"]
    assert any("No raw data left a node; training in one place would have moved 460 kB" in words for words in found.texts["p"])
    runs = {one["name"]: one for one in found.data["runs"]}
    assert list(runs) == ["federation", "centralized", "local", "distributed"]
    drawn = runs["federation"]["curves"]["accuracy"]
    assert drawn["round"] == list(range(7))
    assert drawn["low"][-1] == pytest.approx(summary.accuracy.min, rel=1e-3)
    assert drawn["high"][-1] == pytest.approx(summary.accuracy.max, rel=1e-3)
    assert drawn["bytes"][-1] == summary.bytes_sent
    assert runs["centralized"]["curves"]["accuracy"]["bytes"] == [460_288] * 7  # all of it before training began
    assert len(runs["federation"]["lines"]["accuracy"]) == 16
    common = found.data["nodes"][0]
    assert common["value"] == sorted(common["value"], reverse=True)
    last = dict(zip(*(column.tolist() for column in RunFolder.open(run).metrics.last("accuracy")), strict=True))
    alone = dict(zip(*(column.tolist() for column in RunFolder.open(run).baselines()["local"].metrics.last("accuracy")), strict=True))
    for node, value, local in zip(common["node"], common["value"], common["local"], strict=True):
        assert value == pytest.approx(last[node], rel=1e-3)
        assert local == pytest.approx(alone[node], rel=1e-3)


def test_names_out_of_a_scenario_stay_text(tmp_path: Path) -> None:
    plain = page(make_run(tmp_path / "plain", nodes=4, rounds=2))
    path = make_run(
        tmp_path / "hostile",
        name=json.dumps(HOSTILE),
        nodes=4,
        rounds=2,
        names=(HOSTILE,) * 4,
        class_names=(HOSTILE,) * 10,
    )
    with RunFolder.resume(Path(make_run(tmp_path / "half", nodes=4, rounds=2, finish=False))) as half:
        half.append_metrics(1, HOSTILE, [0], [1.0], 1.0)
        half.append_rejection(node=0, sender=1, reason=HOSTILE, round=1)
    for found in (page(path), page(tmp_path / "half")):
        assert [tag for tag, _ in found.elements if tag in {"script", "img", "style"}] == ["style", "script", "script"]
        assert found.texts["script"][1] == plain.texts["script"][1]
        assert found.policy == plain.policy
    assert page(path).data["partition"]["classes"] == [HOSTILE] * 10
    assert page(path).texts["h1"] == [json.dumps(HOSTILE)]
    assert any(HOSTILE in words for words in page(tmp_path / "half").texts["p"])


def test_a_large_federation_stays_small(tmp_path: Path) -> None:
    path = make_run(tmp_path / "large", nodes=1000, rounds=100)
    report = write_report(RunFolder.open(path))
    assert report.stat().st_size < 1_000_000
    data = page(path).data
    assert len(data["graph"]["x"]) == 300
    assert data["graph"]["total"] == 1000
    assert len(data["nodes"][0]["value"]) == 400
    assert data["nodes"][0]["rank"][0] == 1
    assert data["nodes"][0]["rank"][-1] == data["nodes"][0]["total"] == 1000
    assert len(data["partition"]["node"]) == 160


def test_the_largest_of_everything_is_under_the_bound(tmp_path: Path) -> None:
    nodes, rounds = 3000, 3000
    draw = np.random.default_rng(5)
    edges = small_world(nodes, 12, 0.3, draw)
    names = tuple(f"organisation number {node} of a very long list, with a name to match" for node in range(nodes))
    with RunFolder.create("name: largest\n", path=tmp_path / "run") as folder:
        folder.write_facts(
            Facts(
                nodes=nodes,
                names=names,
                edges=tuple(edges),
                edge_bytes=tuple((a, b, 10**12 + a) for a, b in edges),
                roles=Roles(trainer=tuple(range(nodes)), aggregator=tuple(range(nodes)), proxy=tuple(range(nodes))),
                partition=Partition(classes=names[:500], counts=((10**6,) * 500,) * nodes),
            )
        )
        for metric in ["accuracy", "accuracy_own", "loss", "loss_own", *(f"mine {number}" for number in range(20))]:
            for number in range(0, rounds, 5):
                folder.append_metrics(number, metric, np.arange(40), draw.random(40), 1.23456789 * number)
        for number in range(rounds):
            folder.append_round(
                round=number, seconds=1.23 * number, wall_seconds=0.1, bytes=10**15 + number, messages=10**9, trained=3000, aggregated=3000
            )
    assert write_report(RunFolder.open(tmp_path / "run")).stat().st_size < MOST_BYTES


def test_an_unfinished_run_is_shown_and_says_so(tmp_path: Path) -> None:
    found = page(make_run(tmp_path / "half", nodes=4, rounds=3, finish=False))
    assert found.texts["h1"] == ["sixteen-clinics"]
    assert any("has not finished: it shows 3 rounds" in words for words in found.texts["p"])


def test_what_ended_a_run_early_is_told(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", nodes=4, rounds=3)
    assert "ended before" not in report(RunFolder.open(path))
    file = path / "summary.json"
    file.write_text(file.read_text().replace('"ended_by": "rounds"', '"ended_by": "accuracy reached 0.85 after round 3"'))
    found = page(path)
    assert any("ended before its last round: accuracy reached 0.85 after round 3." in words for words in found.texts["p"])


def test_a_run_without_anything_is_a_page_too(tmp_path: Path) -> None:
    with RunFolder.create("not: [yaml", path=tmp_path / "run") as folder:
        assert "has not finished" in report(folder)
        assert Page(report(folder)).data["graph"] is None


def test_nodes_that_diverged_are_told_and_not_averaged_away(tmp_path: Path) -> None:
    with RunFolder.create("name: x\n", path=tmp_path / "run") as folder:
        folder.append_metrics(1, "loss", [0, 1], [0.5, float("nan")], 1.0)
        text = report(folder)
    assert "At 1 node the loss ended as no finite number" in text


def test_a_regression_has_r2_and_sizes_without_classes(tmp_path: Path) -> None:
    found = page(make_run(tmp_path / "run", nodes=5, rounds=2, metric="r2", class_names=()))
    assert found.data["metric"] == "r2"
    assert found.data["measures"]["r2"] == {"label": "R²", "percent": False, "rising": True}
    assert found.data["partition"]["classes"] == []
    assert len(found.data["partition"]["sizes"]) == 5


def test_both_ways_of_an_edge_are_added(tmp_path: Path) -> None:
    with RunFolder.create("name: x\n", path=tmp_path / "run") as folder:
        folder.write_facts(Facts(nodes=3, edges=((0, 1), (1, 2)), edge_bytes=((0, 1, 5), (1, 0, 7), (2, 1, 40))))
        data = Page(report(folder)).data
    assert data["edges"]["bytes"] == [40, 12]
    assert data["edges"]["name"] == ["1 ↔ 2", "0 ↔ 1"]
    assert dict(zip(map(tuple, data["graph"]["edges"]), data["graph"]["bytes"], strict=True)) == {(0, 1): 12, (1, 2): 40}


def test_a_baseline_of_other_rounds_is_drawn_over_those_of_the_federation():
    from coterie.reporting.report.content import _over

    run = _over(30, {"label": "distributed", "curves": {"accuracy": {"round": [0, 5, 404]}}}, 404)
    assert run["curves"]["accuracy"]["round"] == [0, 0.4, 30]
    assert run["label"] == "distributed, 404 rounds"
    same = {"label": "local", "curves": {"accuracy": {"round": [0, 30]}}}
    assert _over(30, dict(same), 30) == same
