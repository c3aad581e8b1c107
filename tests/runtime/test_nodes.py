"""Nodes as their owners run them, by the commands: join, take part, refuse, fail, be revoked; each a process of its own."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from coterie.runtime import enrolment, home
from coterie.runtime.authority import Authority
from coterie.runtime.enrolment import Service
from coterie.scenario.reading import read

COTERIE = [sys.executable, "-c", "from coterie.cli import main; main()"]
SCENARIO = """
name: clinics
seed: 7
nodes: 3
until: {rounds: ROUNDS}
task: {dataset: digits, model: {name: mlp, hidden: [8]}}
architecture: decentralized
topology: {name: full}
training: {batch_size: 64}
"""

NAMES = ("anna", "bert", "carl")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Federation:
    """A federation of three in a folder."""

    def __init__(self, folder, rounds):
        self.folder, self.running = folder, []
        self.ports = free_ports(4)
        self.address = f"127.0.0.1:{self.ports[3]}"
        (folder / "s.yaml").write_text(SCENARIO.replace("ROUNDS", str(rounds)))

    def scenario(self, old, new):
        """Put something else into the scenario."""
        text = (self.folder / "s.yaml").read_text()
        assert old in text
        (self.folder / "s.yaml").write_text(text.replace(old, new))

    def by_commands(self, ports):
        """Make it and have everybody join, as people do."""
        self.run("federation", "init", "s.yaml", "--address", self.address)
        self.begin("federation", "serve", told="serve")
        self.wait_for(lambda: "Answering" in (self.folder / "serve.err").read_text())
        for name, port in zip(NAMES, ports, strict=True):
            token = next(line for line in self.run("federation", "invite", name).splitlines() if line.startswith("coterie-"))
            self.run("node", "join", token, *([] if port is None else ["--address", f"127.0.0.1:{port}"]), "--folder", name)

    def made(self):
        """The same at once, without commands."""
        scenario = read(self.folder / "s.yaml").scenario.changed(folder=None)
        authority = Authority.init(self.folder / "federation", name="clinics", nodes=3, scenario=scenario.yaml(), address=self.address)

        async def joined():
            service = Service(authority)
            await service.start("127.0.0.1", self.ports[3])
            for name, port in zip(NAMES, self.ports[:3], strict=True):
                token, _ = enrolment.invite(authority, name)
                await home.join(token.written(), self.folder / name, f"127.0.0.1:{port}")
            await service.close()

        asyncio.run(joined())
        for name in NAMES:
            authority.signed_register.write(self.folder / name)

    def begin(self, *words, told, env=None):
        with (self.folder / f"{told}.out").open("w") as out, (self.folder / f"{told}.err").open("w") as err:
            process = subprocess.Popen([*COTERIE, *words], cwd=self.folder, stdout=out, stderr=err, env=env)
        self.running.append(process)
        return process

    def run(self, *words, code=0):
        done = subprocess.run([*COTERIE, *words], cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, name, *more, **settings):
        return self.begin("node", "start", "--folder", name, *more, told=name, **settings)

    def status(self, name):
        try:
            return json.loads((self.folder / name / "status.json").read_text())
        except FileNotFoundError:
            return {"state": "not started", "round": 0, "peers": []}

    def told(self, name):
        """The round that a node has told its owner of last, at once: its status is a second old."""
        rounds = re.findall(r"running, round (\d+)/", (self.folder / f"{name}.err").read_text())
        return int(rounds[-1]) if rounds else 0

    def wait_for(self, held, seconds=120):
        give_up = time.monotonic() + seconds
        while not held():
            assert time.monotonic() < give_up, {file.name: file.read_text() for file in self.folder.glob("*.err")}
            time.sleep(0.05)

    def end(self):
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            process.wait(10)


@pytest.fixture
def federation(tmp_path, request):
    made = Federation(tmp_path, request.param)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("federation", [3], indirect=True)
def test_three_members_take_part_one_of_which_only_dials_out(federation):
    federation.by_commands((*federation.ports[:2], None))
    tried = federation.run("node", "check", "--folder", "carl", code=1)
    assert "no answer from anna" in tried
    assert tried.count("✗") == 1  # nothing else is wrong
    nodes = [federation.start(name) for name in NAMES]
    assert [process.wait(120) for process in nodes] == [0, 0, 0], [(federation.folder / f"{name}.err").read_text() for name in NAMES]
    for name in NAMES:
        summary = json.loads((federation.folder / name / "runs" / "clinics-1" / "summary.json").read_text())
        assert summary["rounds"] == 3
        assert federation.status(name)["state"] == "finished"
        said = (federation.folder / f"{name}.err").read_text()
        assert "Traceback" not in said
        assert [file.name for file in (federation.folder / name / "run").glob("*/*")] == ["folder"]
    assert "has taken part in the run to its end" in federation.run("node", "start", "--folder", "anna")
    everything = b"".join(file.read_bytes() for file in federation.folder.glob("*/runs/*/*") if file.is_file())
    for name in NAMES:
        assert (federation.folder / name / "node.secret").read_bytes() not in everything
        assert (federation.folder / name / "node.key").read_bytes()[40:100] not in everything


FAILURE_SECONDS = 5.0
"""So long after a node knows that it has failed, everybody does."""


@pytest.mark.parametrize("federation", [3], indirect=True)
def test_who_does_not_take_part_is_shown_with_its_reason_while_the_others_wait_and_go_on(federation):
    federation.made()
    others = [federation.start("anna"), federation.start("bert")]
    federation.wait_for(lambda: federation.status("anna")["state"] == federation.status("bert")["state"] == "waiting for members")
    cannot_read_its_data(federation)
    cannot_import_what_its_model_needs(federation)
    refuses(federation)
    assert [process.wait(120) for process in others] == [0, 0]


def cannot_read_its_data(federation):
    (federation.folder / "carl.yaml").write_text("data: {name: csv, path: nowhere.csv, target: y}\n")
    carl = federation.start("carl", "--file", str(federation.folder / "carl.yaml"))
    assert carl.wait(120) in {1, 2}
    assert "nowhere.csv" in (federation.folder / "carl.err").read_text()
    federation.wait_for(lambda: any("nowhere.csv" in peer["problem"] for peer in federation.status("anna")["peers"]))
    assert federation.status("carl")["state"] == "failed"
    (log,) = (federation.folder / "anna" / "runs").glob("*/log.txt")
    assert "nowhere.csv" in log.read_text()
    assert "Traceback" in log.read_text()


def cannot_import_what_its_model_needs(federation):
    (federation.folder / "broken" / "torch").mkdir(parents=True)
    (federation.folder / "broken" / "torch" / "__init__.py").write_text("raise ImportError('libtorch is of another machine')\n")
    path = os.pathsep.join([str(federation.folder / "broken"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    carl = federation.start("carl", env={**os.environ, "PYTHONPATH": path})
    federation.wait_for(lambda: "libtorch" in federation.status("carl").get("problem", ""))
    known = time.monotonic()
    logs = [next((federation.folder / name / "runs").glob("*/log.txt")) for name in ("anna", "bert")]
    told = lambda text: all(word in text for word in ("libtorch is of another machine", "Traceback", "ImportError"))  # noqa: E731
    federation.wait_for(lambda: all(told(log.read_text()) for log in logs), FAILURE_SECONDS)
    for name in ("anna", "bert"):
        left = FAILURE_SECONDS - (time.monotonic() - known)
        federation.wait_for(lambda name=name: any("libtorch" in peer["problem"] for peer in federation.status(name)["peers"]), left)
    assert told(federation.status("carl")["traceback"])
    assert "libtorch is of another machine" in federation.run("node", "status", "--folder", "carl")
    assert carl.wait(30) == 1


def refuses(federation):
    (federation.folder / "carl.yaml").write_text("policy: {models: [logistic], minimum_examples: 100000}\n")
    carl = federation.start("carl", "--file", str(federation.folder / "carl.yaml"))
    assert carl.wait(120) == 1
    assert "the model mlp is not among those that this site accepts (logistic)" in (federation.folder / "carl.err").read_text()
    for process in federation.running[:2]:
        process.wait(120)
    (about,) = [peer for peer in federation.status("anna")["peers"] if peer["name"] == "carl"]
    assert "does not take part: the model mlp" in about["problem"]
    assert "asks for 100000 at least" in about["problem"]


@pytest.mark.parametrize("federation", [150], indirect=True)
def test_a_member_that_comes_back_after_the_end_does_not_wait_for_ever(federation):
    federation.scenario("architecture: decentralized\ntopology: {name: full}", "architecture: centralized")
    federation.scenario("seed: 7", "seed: 7\nschedule: {name: synchronous, deadline_seconds: 0.1}\nmembership: {interval_seconds: 0.5}")
    federation.made()
    (federation.folder / "carl.yaml").write_text("alone_for_seconds: 2\n")
    others = [federation.start("anna"), federation.start("bert")]
    carl = federation.start("carl", "--file", "carl.yaml")
    federation.wait_for(lambda: federation.told("carl") > 3)
    carl.kill()
    carl.wait()
    assert [process.wait(120) for process in others] == [0, 0]
    carl = federation.start("carl", "--file", "carl.yaml")
    assert carl.wait(120) == 1
    assert (
        "no other member could be reached for 2 s: the run is over, or they or the network are down"
        in (federation.folder / "carl.err").read_text()
    )
    assert "no other member could be reached" in federation.status("carl")["problem"]


@pytest.mark.parametrize("federation", [400], indirect=True)
def test_a_member_is_revoked_while_it_takes_part(federation):
    federation.made()
    for name in NAMES:
        federation.start(name)
    federation.wait_for(lambda: federation.status("anna")["round"] > 3)
    said = json.loads(federation.run("federation", "status", "--json"))
    assert [member["state"] for member in said["members"]] == ["running"] * 3
    told = federation.run("federation", "revoke", "carl")
    assert "Told: anna, bert." in told
    before = federation.status("anna")["round"]
    federation.wait_for(lambda: federation.status("anna")["round"] > before + 5)
    for name in ("anna", "bert"):
        federation.wait_for(
            lambda name=name: ("cut off", "revoked: carl") in {(p["state"], p["problem"]) for p in federation.status(name)["peers"]}
        )
    federation.end()
    assert federation.status("anna")["state"] == "stopped"
    assert not [line for name in NAMES[:2] for line in (federation.folder / f"{name}.err").read_text().splitlines() if "Traceback" in line]


@pytest.mark.parametrize("federation", [100], indirect=True)
def test_a_killed_member_goes_on_where_it_was(federation):
    federation.scenario("seed: 7", "seed: 7\nmembership: {interval_seconds: 60}")  # the others wait for it
    federation.made()
    nodes = {name: federation.start(name) for name in NAMES}
    federation.wait_for(lambda: federation.told("bert") > 3)
    nodes["bert"].kill()
    nodes["bert"].wait()
    assert federation.status("anna")["state"] != "finished"  # else it was killed too late to try anything
    nodes["bert"] = federation.start("bert")
    assert [process.wait(120) for process in nodes.values()] == [0, 0, 0]
    (folder,) = (federation.folder / "bert" / "runs").iterdir()
    assert json.loads((folder / "summary.json").read_text())["rounds"] == 100
    rounds = {json.loads(line)["round"] for line in (folder / "metrics.jsonl").read_text().splitlines()}
    assert len(set(range(101)) - rounds) <= 2  # evaluations that were under way are not done again


@pytest.mark.parametrize("federation", [2], indirect=True)
def test_members_bring_their_own_data(federation):
    federation.made()
    rows = np.random.default_rng(1).normal(size=(90, 3))
    for place, name in enumerate(NAMES):
        lines = [f"{a:.3f},{b:.3f},{int(a + b + c > 0)}" for a, b, c in rows[place * 30 : place * 30 + 20 + 5 * place]]
        (federation.folder / f"{name}.csv").write_text("\n".join(["a,b,ill", *lines]) + "\n")
        (federation.folder / f"{name}.yaml").write_text(f"data: {{name: csv, path: {federation.folder}/{name}.csv, target: ill}}\n")
    nodes = [federation.start(name, "--file", f"{name}.yaml") for name in NAMES]
    assert [process.wait(120) for process in nodes] == [0, 0, 0], [(federation.folder / f"{name}.err").read_text() for name in NAMES]
    for place, name in enumerate(NAMES):
        summary = json.loads((federation.folder / name / "runs" / "clinics-1" / "summary.json").read_text())
        assert 0.7 <= summary["samples_trained"] / 2 / (20 + 5 * place) <= 0.8
        assert summary["accuracy"] is None
        assert summary["accuracy_own"]["mean"] is not None
