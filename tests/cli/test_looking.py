"""Commands that only look: help, plans, lists, schemas."""

import json
import subprocess
import sys

import jsonschema
import pytest

import coterie
from cli.command import coterie_
from coterie.cli.list import KINDS


def test_help_names_every_command_and_version_the_version():
    shown = coterie_("--help").stdout
    for command in ("run", "check", "plan", "calibrate", "list", "schema", "resume", "compare", "report", "evaluate", "export"):
        assert f"│ {command}" in shown
        assert coterie_(command, "--help").exit_code == 0
    assert coterie_("--version").stdout == f"coterie {coterie.__version__}\n"


def test_the_usage_is_what_one_types():
    for command, usage in (
        ("run", "coterie run [OPTIONS] SCENARIO"),
        ("compare", "coterie compare [OPTIONS] FOLDER..."),
        ("list", "coterie list [OPTIONS] [KIND]"),
        ("schema", "coterie schema [OPTIONS] [scenario|summary]"),
        ("evaluate", "coterie evaluate [OPTIONS] FOLDER"),
    ):
        shown = coterie_(command, "--help").stdout
        assert usage in [line.strip().removeprefix("Usage: ") for line in shown.splitlines()]
        assert not {"<bool>", "<path>", "<str>", "{"} & set(shown.replace("{", " { ").split())
    assert "exact|fast" in coterie_("run", "--help").stdout
    assert "<bool>" not in coterie_("--help").stdout


def test_a_plan_says_who_does_what(file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    settings = ["--set", "architecture=semi-decentralized", "--set", "topology=full"]
    result = coterie_("plan", file, *settings, "--round", 1)
    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert rows == [
        "0 trainer 1-5 1",
        "1 trainer, aggregator itself 0, 2-5",
        *(f"{node} trainer 1" for node in range(2, 6)),
    ]
    assert "publishes" not in result.stdout
    assert "exchanges with" not in result.stdout  # nobody does, so there is no such column
    assert coterie_("plan", file, "--round", 2).exit_code == 2
    assert "2 of 6 nodes" in coterie_("plan", file, "--nodes", 2).stdout


def test_list_names_kinds_and_things():
    kinds = coterie_("list").stdout
    assert all(kind in kinds for kind in KINDS)
    shown = coterie_("list", "partitions").stdout
    assert "dirichlet\n" in shown
    assert "    alpha: number above 0, by default 0.5\n" in shown
    for kind in KINDS:
        assert coterie_("list", kind).exit_code == 0
    result = coterie_("list", "partitons")
    assert result.exit_code == 2
    assert "did you mean 'partitions'?" in result.stderr


def test_list_knows_a_plugin(folder):
    path = folder / "listed.py"
    path.write_text(
        "import coterie\n"
        "@coterie.selection.selection('lowest')\n"
        "def lowest(_round, eligible, _draw):\n"
        "    'The first.'\n"
        "    return eligible[:1]\n"
    )
    assert "lowest\n    The first.\n" in coterie_("list", "selections", "--plugin", path).stdout
    coterie.selection.SELECTIONS._entries.pop("lowest")


def test_the_schemas_are_schemas(file):
    import yaml

    for of in ([], ["scenario"], ["summary"]):
        jsonschema.Draft202012Validator.check_schema(json.loads(coterie_("schema", *of).stdout))
    found = jsonschema.Draft202012Validator(json.loads(coterie_("schema").stdout))
    assert found.is_valid(yaml.safe_load(file.read_text()))
    assert coterie_("schema", "report").exit_code == 2


HEAVY = {"torch", "sklearn", "pandas", "pyarrow", "networkx", "scipy", "numba"}


@pytest.mark.parametrize("words", [["--help"], ["check", "FILE"], ["plan", "FILE"], ["list", "models"], ["schema"]])
def test_what_only_looks_loads_nothing_heavy(file, words):
    words = [str(file) if word == "FILE" else word for word in words]
    code = f"import sys; from coterie.cli import app; app({words!r}, standalone_mode=False); print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_loads_not_even_numpy():
    code = (
        "import sys; from coterie.cli import app; app(['--help'], standalone_mode=False); print({'numpy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
