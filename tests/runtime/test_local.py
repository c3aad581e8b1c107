"""Real processes over loopback give what the simulator gives, also when one of them is killed and comes back."""

import contextlib
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import toy
from coterie.federation.roles import Roles
from coterie.runtime import certificates
from coterie.runtime.host import Vectors
from coterie.runtime.local import LocalFederation, LocalProcesses, RunFailed

ROUNDS = 12
PROXIES = Roles(toy.rule([0, 1]), toy.rule([3, 5]), toy.rule([2, 4]))
LINE = {"pairs": [[0, 2], [1, 2], [2, 3], [2, 5], [3, 4], [4, 5]]}
SHAPES = {
    "star": toy.federation(6, "star"),
    "rotating": toy.federation(6, "full", "semi-decentralized", hands_over=True),
    "ring": toy.federation(6, "ring", "decentralized"),
    "proxies": toy.federation(6, "edges", topology_params=LINE, roles=PROXIES),
}


class Slow(toy.ToyExecutor):
    """Takes a few milliseconds a job, so that there is time to kill somebody."""

    def run(self, jobs):
        time.sleep(0.004)
        super().run(jobs)


class Looked(toy.ToyExecutor):
    """Does nothing until somebody has looked on."""

    file = Path()

    def run(self, jobs):
        while not self.file.exists():
            time.sleep(0.01)
        super().run(jobs)


class Broken(toy.ToyExecutor):
    def run(self, jobs):
        raise OSError("the disk is full")


def local(shape, executor=toy.ToyExecutor):
    vectors = Vectors(np.asarray, np.array)
    return LocalFederation(shape, np.zeros(toy.NUMBERS, np.float32), ROUNDS, executor, vectors)


def simulated(shape):
    run = toy.simulator(shape, ROUNDS)
    run.start()
    run.run()
    return {node: (round, value) for node, (round, value) in enumerate(toy.results(run))}


def first_numbers(results):
    return {node: (result.rounds, float(result.vector[0])) for node, result in results.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_processes_and_simulator_agree(name):
    with LocalProcesses(local(SHAPES[name]), 3) as processes:
        assert first_numbers(processes.results(30)) == simulated(SHAPES[name])


@pytest.mark.parametrize("victim", [0, 1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_a_killed_process_comes_back_and_nothing_is_lost(name, victim, tmp_path):
    with LocalProcesses(local(SHAPES[name], Slow), 3, tmp_path) as processes:
        kept = tmp_path / f"node-{2 * victim}" / f"node-{2 * victim}.checkpoint"
        while not kept.exists():
            time.sleep(0.01)
        time.sleep(0.1)
        processes.kill(victim)
        processes.restart(victim)
        assert first_numbers(processes.results(30)) == simulated(SHAPES[name])


def test_a_failed_job_is_told_with_its_node_and_traceback():
    with (
        LocalProcesses(local(SHAPES["star"], Broken), 2) as processes,
        pytest.raises(RunFailed, match=r"(?s)node \d failed.*the disk is full"),
    ):
        processes.results(30)


def test_a_bug_in_the_driver_is_told_and_does_not_hang(monkeypatch):
    def broken(frame):
        raise ZeroDivisionError("a bug of our own")

    monkeypatch.setattr("coterie.runtime.host.Host.arrived", lambda self, place, parts: broken(parts))
    with LocalProcesses(local(SHAPES["star"]), 2) as processes, pytest.raises(RunFailed, match="a bug of our own"):
        processes.results(30)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into the memory of other processes")
def test_no_process_has_the_authoritys_key_or_anothers(monkeypatch, tmp_path):
    made, new_key = [], certificates.new_key

    def noted():
        key = new_key()
        made.append(key.private_numbers().private_value)  # as a number: its bytes are nowhere because of it
        return key

    monkeypatch.setattr(certificates, "new_key", noted)
    monkeypatch.setattr(Looked, "file", tmp_path / "looked")
    with LocalProcesses(local(SHAPES["ring"], Looked), 2, tmp_path) as processes:
        wait_for(lambda: all(list(processes.folder_of(place).glob("*.checkpoint")) for place in (0, 1)))
        authority, *own = (number.to_bytes(32, "little") for number in made)
        kept = [memory_of(processes.pid(place)) for place in (0, 1)]
        Looked.file.touch()
        processes.results(30)
    assert len(own) == 2
    for place in (0, 1):
        assert [secret in kept[place] for secret in (authority, own[place], own[1 - place])] == [False, True, False]
    written = b"".join(file.read_bytes() for file in tmp_path.glob("**/*") if file.is_file())
    assert not any(secret in written or secret[::-1] in written for secret in (authority, *own))


def memory_of(pid):
    """All that a process may write to."""
    found = []
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split(" ", 1)[0].split("-"))
            if " rw" in line and end - begin < 1 << 28:
                memory.seek(begin)
                with contextlib.suppress(OSError):
                    found.append(memory.read(end - begin))
    return b"".join(found)


def wait_for(held, seconds=20):
    give_up = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < give_up
        time.sleep(0.01)
