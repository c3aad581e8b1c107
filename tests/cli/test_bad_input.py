"""Bad input of every kind: a clear message, exit 2, never a traceback, and no run that looks as if it had been one."""

import json
import warnings

import numpy as np
import pytest

from cli.command import coterie_
from coterie.aggregation import RULES

GOOD = {
    "nodes": 4,
    "until": 1,
    "task": "wine",
    "executor": "inline",
    "architecture": "decentralized",
    "topology": "ring",
    "training": {"batch_size": 64},
}
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
TABLE = "a,b,t\n" + "".join(f"{row},{row % 3},{'yn'[row % 2]}\n" for row in range(40))
RULE = "from coterie import aggregation\n@aggregation.rule\ndef own_{name}(updates, weights{more}):\n    return {gives}\n"
OWN = """\
import torch
class Narrow(torch.nn.Linear):
    def __init__(self):
        super().__init__(12, 3)
class Broken(torch.nn.Linear):
    def __init__(self):
        raise ValueError("no way")
class Few(torch.nn.Linear):
    def __init__(self):
        super().__init__(13, 2)
def nothing(outputs, targets):
    return outputs.sum() * float("nan")
def raises(outputs, targets):
    raise KeyError("oops")
def word(outputs, targets):
    return "high"
def trains(model, data):
    return model
"""


def told(*words):
    """What a command says on standard error when it ends with 2; anything else fails the test, a warning of a library too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = coterie_(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module", autouse=True)
def _rules_of_their_own():
    """Takes the rules of these tests out of the registry again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RULES, "_entries", {name: RULES.entry(name) for name in RULES.names()})
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good and bad files of all kinds."""
    path = tmp_path_factory.mktemp("bad")
    write_archives(path)
    write_texts(path)
    return path


def write_archives(path):
    hole, endless, huge = X.copy(), X.copy(), X.astype(np.float64) * 1e60
    hole[3, 2], endless[3, 2] = np.nan, np.inf
    arrays = {
        "good": (X, Y),
        "short": (X, Y[:-1]),
        "flat_y": (X, np.stack([Y, Y], 1)),
        "no_features": (X[:, :0], Y),
        "empty": (X[:0], Y[:0]),
        "one_sample": (X[:1], Y[:1]),
        "one_class": (X, Y * 0),
        "hole": (hole, Y),
        "endless": (endless, Y),
        "huge": (huge, Y),
        "words": (X.astype(str), Y),
        "hole_y": (X, np.where(Y == 0, np.nan, Y)),
    }
    for name, (x, y) in arrays.items():
        np.savez(path / f"{name}.npz", x=x, y=y)
    np.savez(path / "objects.npz", x=np.array([[1, "a"]] * 60, dtype=object), y=Y)
    np.savez(path / "tests.npz", x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y)
    np.savez(path / "odd.npz", foo=X, bar=Y)
    (path / "cut.npz").write_bytes((path / "good.npz").read_bytes()[:400])
    damaged = bytearray((path / "good.npz").read_bytes())
    damaged[300:340] = bytes(40)
    (path / "damaged.npz").write_bytes(damaged)
    (path / "nothing.npz").touch()
    (path / "text.npz").write_text(TABLE)


def write_texts(path):
    files = {
        "good.csv": TABLE,
        "headless.csv": TABLE.partition("\n")[2],
        "no_rows.csv": "a,b,t\n",
        "ragged.csv": TABLE + "1,2,3,4\n",
        "semicolons.csv": TABLE.replace(",", ";"),
        "holes.csv": TABLE.replace("3,0", "3,"),
        "words.csv": TABLE.replace("3,", "x,"),
        "table.parquet": TABLE,
        "own.py": OWN,
        "syntax.py": "def x(:\n",
        "raises.py": "1 / 0\n",
        "ends.py": "raise SystemExit(0)\n",
        "needs.py": "import not_there_at_all\n",
        "taken.py": "from coterie import aggregation\n@aggregation.rule\ndef mean(updates, weights):\n    return updates[0]\n",
        "rule_raises.py": RULE.format(name="raises", more="", gives="updates / 0 if len(updates) > 99 else [][0]"),
        "rule_shape.py": RULE.format(name="shape", more="", gives="updates"),
        "rule_none.py": RULE.format(name="none", more="", gives="None"),
        "rule_one.py": RULE.format(name="one", more="", gives="updates[0]").replace(", weights", ""),
        "rule_hint.py": RULE.format(name="hint", more=", *, k: 'Nothing' = 1", gives="updates[0]"),
        "rule_reference.py": RULE.format(name="reference", more=", *, reference", gives="reference"),
        "edges.txt": "0 1\n1 x\n",
    }
    for name, text in files.items():
        (path / name).write_text(text)
    (path / "binary.csv").write_bytes(bytes(range(256)) * 4)
    (path / "binary.py").write_bytes(bytes(range(128, 256)))
    (path / "is_a_folder.py").mkdir()
    for site, text in (("1", TABLE), ("2", "a,b,t\n")):
        (path / "sites").mkdir(exist_ok=True)
        (path / "sites" / f"{site}.csv").write_text(text)
    (path / "bare").mkdir()


def scenario(folder, settings, name="s.yaml"):
    path = folder / name
    path.write_text(json.dumps({**GOOD, **settings}))
    return path


def npz(file, **more):
    return {"task": {"dataset": {"name": "npz", "path": file, **more}}}


def csv(file, **more):
    return {"task": {"dataset": {"name": "csv", "path": file, "target": "t", **more}}}


def rule(file):
    return {"plugins": [file], "aggregation": file.removesuffix(".py").replace("rule_", "own_")}


DATA = [
    (npz("short.npz"), "60 inputs but targets of shape (59,)"),
    (npz("flat_y.npz"), "targets have the shape (60, 2)"),
    (npz("no_features.npz"), "it is empty"),
    (npz("empty.npz"), "it is empty"),
    (npz("one_sample.npz"), "a single sample"),
    (npz("one_class.npz"), "all 60 samples are of one class"),
    (npz("hole.npz"), "hold missing values, in column 2"),
    (npz("endless.npz"), "hold infinite values, in column 2"),
    (npz("huge.npz"), "hold infinite values"),
    (npz("words.npz"), "expected numbers"),
    (npz("hole_y.npz"), "targets are missing or infinite"),
    (npz("objects.npz"), "Python objects, which are never loaded"),
    (npz("tests.npz"), "test samples have the shape (3,), the others (5,)"),
    (npz("odd.npz"), "holds foo, bar: which are they?"),
    (npz("odd.npz", features="fo", target="bar"), "did you mean 'foo'?"),
    (npz("cut.npz"), "is truncated"),
    (npz("damaged.npz"), "damaged"),
    (npz("nothing.npz"), "is truncated"),
    (npz("text.npz"), "is not an .npz archive"),
    (npz("none.npz"), "there is no file or folder"),
    (npz("bare"), "holds no .npz file"),
    (npz("a" * 5000), "cannot be looked up"),
    (npz(3), "must be text, or a list"),
    (csv("headless.csv"), "two columns are called"),
    (csv("no_rows.csv"), "has columns but no rows"),
    (csv("sites") | {"nodes": None, "partition": "natural"}, "2 has columns but no rows"),
    (csv("ragged.csv"), "cannot be read"),
    (csv("binary.csv"), "cannot be read"),
    (csv("semicolons.csv"), "there is no column 't'"),
    (csv("holes.csv"), "hold missing values, in b"),
    (csv("words.csv"), "1 columns hold words: a"),
    (csv("good.csv", kind="regression"), "the target holds words, such as 'y', not numbers"),
    (csv("good.csv", features=["a", "z"]), "there is no column 'z'"),
    ({"task": {"dataset": {"name": "parquet", "path": "table.parquet", "target": "t"}}}, "cannot be read"),
    ({"task": {"dataset": {"name": "mnist", "path": "bare"}}}, "lacks train-images-idx3-ubyte"),
    ({"task": {"dataset": "wine", "model": "cnn"}}, "needs images"),
    ({"nodes": 300}, "samples cannot give 300 nodes"),
    ({"partition": {"name": "explicit", "lists": [[], [0, 1], [2, 3], [4, 5]]}}, "fewer than 2 samples: node 0 (0)"),
    ({"partition": {"name": "affine", "gain": 1e9}}, "hold infinite values"),
]
FEDERATION = [
    ({"until": 0}, "must be at least 1"),
    ({"topology": {"name": "edges", "pairs": [[0, 1], [2, 3]]}}, "fall into groups that cannot exchange models"),
    ({"topology": {"name": "erdos-renyi", "p": 0.01}}, "is not connected at p = 0.01"),
    ({"topology": {"name": "file", "path": "edges.txt"}}, "'x' is not a whole number"),
    ({"architecture": "centralized", "topology": "isolated"}, "no aggregator can be reached"),
    ({"architecture": "centralized", "roles": {"aggregator": []}}, "nobody aggregates"),
    ({"architecture": "centralized", "roles": {"aggregator": {"count": 5}}}, "5 nodes are to hold the role at a time, of 4"),
    ({"roles": {"idle": "all"}}, "nobody trains"),
    ({"roles": {"aggregator": {"share": 0.5}}}, "in a decentralized federation everybody aggregates"),
    ({"roles": {"aggregator": {"count": 1, "rotate": "random"}}}, "in a decentralized federation everybody aggregates"),
    ({"algorithm": "scaffold"}, "needs a server"),
    ({"training": {"device": "gpu"}}, "write cuda"),
]
OWN_CODE = [
    ({"plugins": ["none.py"]}, "there is no file"),
    ({"plugins": [""]}, "is empty"),
    ({"plugins": ["syntax.py"]}, "SyntaxError"),
    ({"plugins": ["raises.py"]}, "ZeroDivisionError: division by zero (line 1)"),
    ({"plugins": ["ends.py"]}, "ended the program (exit 0)"),
    ({"plugins": ["needs.py"]}, "needs the module not_there_at_all"),
    ({"plugins": ["binary.py"]}, "SyntaxError"),
    ({"plugins": ["is_a_folder.py"]}, "Is a directory"),
    ({"plugins": ["taken.py"]}, "two aggregation rules are called 'mean'"),
    (rule("rule_raises.py"), "own_raises fails on 3 updates: IndexError"),
    (rule("rule_shape.py"), "gives shape (3, 1091), not (1091,)"),
    (rule("rule_none.py"), "own_none fails on 3 updates"),
    (rule("rule_one.py"), "takes 1 positional argument but 2 were given"),
    (rule("rule_hint.py"), "the annotations of own_hint cannot be read: name 'Nothing' is not defined"),
    (
        rule("rule_reference.py") | {"architecture": "centralized", "topology": "star", "roles": {"trainer": ["1-3"]}},
        "own_reference asks for reference, for which node 0, an aggregator that never trains, has no data",
    ),
    ({"task": {"dataset": "wine", "model": "own:Narrow"}}, "fails on two samples of shape (13,)"),
    ({"task": {"dataset": "wine", "model": "own:Broken"}}, "ValueError: no way"),
    ({"task": {"dataset": "wine", "model": "own:Few"}}, "gives (2, 2) for two samples, the task needs (2, 3)"),
    ({"task": {"dataset": "wine", "model": "own:Gone"}}, "own has nothing called 'Gone'"),
    ({"task": {"dataset": "wine", "model": "ends:Net"}}, "importing 'ends' failed: SystemExit"),
    ({"training": {"loss": "own:nothing"}}, "own:nothing is nan for the untrained model"),
    ({"training": {"loss": "own:raises"}}, "own:raises fails on the untrained model: KeyError: 'oops'"),
    ({"training": {"metrics": ["own:raises"]}}, "own:raises fails on the untrained model: KeyError: 'oops'"),
    ({"training": {"metrics": ["own:word"]}}, "could not convert string to float"),
    ({"training": {"function": "own:gone"}}, "own has nothing called 'gone'"),
]


@pytest.mark.parametrize(("settings", "words"), DATA + FEDERATION + OWN_CODE)
def test_a_scenario_that_cannot_be_run_is_refused_with_the_reason(folder, settings, words):
    path = scenario(folder, settings)
    assert words in told("check", path)
    assert words in told("run", path, "--out", folder / "run")
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the scenario is empty"),
        ("- a\n", "is no mapping"),
        ("task: {dataset: wine\n", "is not YAML"),
        ("task: wine\0\n", "control characters"),
        (b"\xff\xfe\xfa", "is not text in UTF-8"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"{k}: &{k} [{', '.join([f'*{chr(ord(k) - 1)}'] * 20)}]\n" for k in "cdefgh"),
            "aliases written out",
        ),
        ("task: &t {dataset: *t}\n", "refers to nothing before it, or to itself"),
        ("task: !!python/object/apply:os.system ['true']\n", "is not taken: a scenario is plain data"),
        ("task: wine\nnodes: " + "9" * 5000, "a number beyond any use"),
        ("task: wine\nnodes: 1e999", "a number beyond any use"),
        ("task: wine\ntask: wine\n", "is written twice"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested more than"),
        ("task: wine\n---\ntask: wine\n", "a second document begins"),
        ("taks: wine\nnodes: 3\n", "did you mean 'task'?"),
        ("1: 2\ntask: wine\nnodes: 3\n", "text.yaml:1:1 1: the key 1 is not text"),
        ('task: wine\nnodes: 3\nname: "a\\nb"\n', "holds characters that do not go there"),
    ],
)
def test_hostile_and_broken_yaml(folder, text, words):
    path = folder / "text.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert words in told("check", path)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("x", "is not a setting"),
        ("=3", "is not a setting"),
        ("a..b=1", "is not a setting"),
        ("nodes=x", "must be a whole number"),
        ("nodes=[", "is not YAML"),
        ("nodes.x=1", "nodes"),
        ("foo.bar=1", "there is no such setting"),
        ("task=null", "must be a mapping"),
        ("topology.pairs.0=[0,1]", "there is no such setting"),
    ],
)
def test_settings_beside_the_file_that_are_none(folder, setting, words):
    assert words in told("run", scenario(folder, {}), "--out", folder / "run", "--set", setting)


@pytest.fixture(scope="module")
def finished(folder):
    """A run of two nodes' data by path."""
    path = scenario(folder, npz("good.npz"), "good.yaml")
    result = coterie_("run", path, "--out", folder / "finished", "--json")
    assert result.exit_code == 0, result.output
    return folder / "finished"


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("finished", "holds a finished run"),
        ("good.npz", "cannot be made"),
        ("good.npz/x", "cannot be made"),
        ("a" * 300, "cannot be made"),
        ("sites", "holds other files"),
    ],
)
def test_where_a_run_cannot_be_written(folder, finished, out, words):
    assert words in told("run", scenario(folder, {}), "--out", finished.parent / out)


@pytest.mark.parametrize("command", [["resume"], ["report"], ["export"], ["evaluate", "--data", "good.npz"], ["compare"]])
@pytest.mark.parametrize("place", ["none", "sites", "good.npz"])
def test_what_is_not_the_folder_of_a_run(folder, command, place):
    assert any(words in told(*command, folder / place) for words in ("is not the folder of a run", "does not exist"))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("none.npz", "there is no file"),
        ("cut.npz", "is truncated"),
        ("hole.npz", "hold missing values"),
        ("odd.npz", "which are they?"),
        ("own.py", "is of no known format"),
        ("good.csv", "--target: is missing"),
    ],
)
def test_data_that_a_model_cannot_be_evaluated_on(folder, finished, file, words):
    assert words in told("evaluate", finished, "--data", folder / file)


@pytest.mark.parametrize("out", ["good.npz/x.pt", "is_a_folder.pt"])
def test_a_model_that_cannot_be_written_there(folder, finished, out):
    (folder / "is_a_folder.pt").mkdir(exist_ok=True)
    assert "cannot be written" in told("export", finished, "--out", folder / out)


@pytest.mark.parametrize(
    ("file", "commands"),
    [
        ("summary.json", ["resume", "report"]),
        ("facts.json", ["report"]),
        ("metrics.jsonl", ["report"]),
        ("events.jsonl", ["report"]),
        ("scenario.yaml", ["export"]),
        ("models/models.safetensors", ["export"]),
    ],
)
def test_a_damaged_folder_is_told_by_its_file(folder, finished, file, commands):
    path = next(iter(finished.glob(file)), None) or next((finished / "models").iterdir())
    kept = path.read_bytes()
    try:
        path.write_bytes(b"\xff\xfe{\n" * 40)
        for command in commands:
            assert path.name in told(command, finished)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("architecture", ["centralized", "decentralized"])
def test_a_run_whose_updates_are_all_refused_has_failed_and_is_there_to_be_looked_at(tmp_path, architecture):
    task, training = {"dataset": "wine", "model": {"name": "mlp", "hidden": [8]}}, {"optimizer": {"name": "sgd", "learning_rate": 1e30}}
    wild = {**GOOD, "task": task, "architecture": architecture, "topology": "full", "training": {**training, "epochs": 3}}
    (tmp_path / "wild.yaml").write_text(json.dumps({**wild, "until": 2}))
    result = coterie_("run", str(tmp_path / "wild.yaml"), "--out", str(tmp_path / "run"))
    assert result.exit_code == 1
    assert "nothing was learned: all updates were refused" in result.stderr
    assert "not finite); a smaller learning rate may help" in result.stderr
    assert "Refused by their receivers" in result.stdout
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["updates_taken"] == 0
