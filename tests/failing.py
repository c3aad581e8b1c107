"""What the tests of failures need: a run whose rounds are watched, a relay whose link can be cut, and a disk that can be filled."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np

import toy
from coterie.federation.saved import Unpacker, read_head
from coterie.federation.state import RoundState
from coterie.runtime.host import Vectors
from coterie.runtime.local import LocalFederation, LocalProcesses

FORK = multiprocessing.get_context("fork")
VECTORS = Vectors(np.asarray, np.array)


class Slow(toy.ToyExecutor):
    """Takes some milliseconds a job, so that there is time for something to happen."""

    def run(self, jobs):
        time.sleep(0.01)
        super().run(jobs)


def local(shape, rounds):
    return LocalFederation(shape, np.zeros(toy.NUMBERS, np.float32), rounds, Slow, VECTORS)


def simulated(shape, rounds):
    run = toy.simulator(shape, rounds)
    run.start()
    run.run()
    return {node: (round, value) for node, (round, value) in enumerate(toy.results(run))}


def first_numbers(results):
    return {node: (result.rounds, float(result.vector[0])) for node, result in results.items()}


class Watched(LocalProcesses):
    """A run that is watched: something is done when all who train or aggregate are at some round, and from `mended` on they go on."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        table = self.what.federation.planner.table(0)
        self.rounds = dict.fromkeys((int(node) for role in (table.trainers, table.aggregators) for node in role), 0)
        self.events, self.act, self.at = [], None, 0
        self.mended_at, self.recovered_after, self._behind = None, None, {}

    def outcome(self, at, act, seconds):
        """The results of a run in which `act()` is called once all nodes are at round `at`."""
        self.at, self.act = at, act
        results = self.results(seconds, self._saw)
        assert self.mended_at, "the run was over before anything happened"
        if self.recovered_after is None:  # it went on, to its end, before it was seen to
            self.recovered_after = time.monotonic() - self.mended_at
        return results

    def mended(self):
        """What was broken is whole again."""
        self._behind, self.mended_at = dict(self.rounds), time.monotonic()

    def later(self, seconds, act):
        """Do something after a while that needs no new process, and take it that all is whole then."""

        def do():
            act()
            self.mended()

        threading.Timer(seconds, do).start()

    def _saw(self, event):
        self.events.append(event)
        if event[0] != "round" or event[1] not in self.rounds:
            return
        self.rounds[event[1]] = event[2]
        if self.act is not None and min(self.rounds.values()) >= self.at:
            act, self.act = self.act, None
            act()
        if self.mended_at and self.recovered_after is None and all(self.rounds[node] > was for node, was in self._behind.items()):
            self.recovered_after = time.monotonic() - self.mended_at


class Relay:
    """A process between those who dial `address` and a node: it carries bytes, until it is told not to.

    "cut": connections end, and nobody gets one. "hold": nothing is carried, as when packets are lost and sent again. "swallow": nothing
    that was open will ever carry anything again, and nobody is told. "heal": new connections work, and held ones go on.
    """

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._pipe, self._theirs = FORK.Pipe()

    def before(self, address):
        """Begin to carry bytes to `address`, once that is known."""
        self._process = FORK.Process(target=self._work, args=(address,), daemon=True)
        self._process.start()
        self._server.close()

    def do(self, what):
        self._pipe.send(what)

    def end(self):
        self._process.kill()
        self._process.join()

    def _work(self, address):
        host, _, port = address.rpartition(":")
        self.state, self.open, self.carries = "heal", set(), threading.Event()
        self.carries.set()
        threading.Thread(target=self._accept, args=((host, int(port)),), daemon=True).start()
        while True:
            self.state = self._theirs.recv()
            if self.state == "heal":
                self.carries.set()
            elif self.state == "hold":
                self.carries.clear()
            else:
                for one in self.open:
                    if self.state == "cut":
                        with contextlib.suppress(OSError):
                            one.shutdown(socket.SHUT_RDWR)
                    self.swallowed = set(self.open)
                if self.state == "swallow":
                    self.state = "heal"

    swallowed: set = frozenset()

    def _accept(self, address):
        while True:
            near, _ = self._server.accept()
            far = socket.socket()
            if self.state == "cut" or far.connect_ex(address):
                near.close()
                continue
            for a, b in ((near, far), (far, near)):
                self.open.add(a)
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    def _carry(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(1 << 16):
                self.carries.wait()
                if a not in self.swallowed:
                    b.sendall(data)
            if a not in self.swallowed:
                b.shutdown(socket.SHUT_WR)


CLONE_NEWNS, CLONE_NEWUSER, MS_PRIVATE, MS_REC = 0x20000, 0x10000000, 1 << 18, 1 << 14


def _must(code):
    if code:
        raise OSError(ctypes.get_errno(), "not allowed")


def private_mounts():
    """Let what this process mounts from now on be seen by no other; raises OSError where that is not allowed."""
    libc, user = ctypes.CDLL(None, use_errno=True), os.geteuid()
    _must(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user else 0)))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    _must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def own_disk(folder: Path, kilobytes: int):
    """Give this process, and no other, a disk of so many kB at `folder`; raises OSError where that is not allowed."""
    private_mounts()
    about = f"size={kilobytes}k,mode=700".encode()
    _must(ctypes.CDLL(None, use_errno=True).mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, about))


def may_mount(folder: Path) -> bool:
    """Whether processes may have disks of their own here."""
    process = FORK.Process(target=own_disk, args=(folder, 64))
    process.start()
    process.join()
    return process.exitcode == 0


class Disk:
    """The disk of another process, seen from here."""

    def __init__(self, pid, folder):
        self.folder = Path(f"/proc/{pid}/root{folder}")
        self._ballast = self.folder / "ballast"

    def fill(self):
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def empty(self):
        self._ballast.unlink()


def kept_round(file: Path) -> int:
    """The round that a node's checkpoint is of; -1 where there is none. Raises ValueError for a damaged one."""
    try:
        data = Unpacker().unpack(read_head(file)["data"])
    except FileNotFoundError:
        return -1
    return max(state.round for _, _, _, _, state, *_ in data["node"]["flows"] if isinstance(state, RoundState))


def stopped(processes, place, seconds):
    """SIGSTOP, and SIGCONT after a while."""
    processes.signal(place, signal.SIGSTOP)
    processes.later(seconds, lambda: processes.signal(place, signal.SIGCONT))
