"""Links of some places, each a process of its own, for tests of the transport."""

import asyncio
import multiprocessing
import time

import pytest

from coterie.core.ids import NodeId
from coterie.runtime.authority import Trial
from coterie.runtime.local import reserved

RUN, NUMBERS = 5, 2_000_000
FORK = multiprocessing.get_context("fork")


class Telling:
    """A listener that tells the test what it is told."""

    def __init__(self, pipe):
        self.pipe = pipe

    def __getattr__(self, name):
        return lambda *told: self.pipe.send((name, told[0] if told else None))


class Places:
    """Some places, each a process that runs `work(links)`; gRPC starts in none but these."""

    def __init__(self, works, *, limits=None, registers=None, dialled=None, host="127.0.0.1", prepare=lambda place: None):
        """dialled: where others dial places, by their number, if that is not where they listen. registers: of places that have another."""
        count = len(works)
        self.places = tuple((NodeId(node),) for node in range(count))
        self.ports = reserved(count)
        self.addresses = [f"{host}:{port.getsockname()[1]}" for port in self.ports]
        elsewhere = dialled(self.addresses) if callable(dialled) else dialled or {}
        known = [elsewhere.get(place, address) for place, address in enumerate(self.addresses)]
        self.trial, self.key = Trial.with_key(self.places, known)
        self.limits, self.prepare = limits or {}, prepare
        self.registers = {} if registers is None else registers(self)
        self.pipes, self.processes = [], []
        for place, work in enumerate(works):
            mine, theirs = FORK.Pipe()
            process = FORK.Process(target=self.run, args=(place, work, theirs), daemon=True)
            process.start()
            self.pipes.append(mine)
            self.processes.append(process)

    def run(self, place, work, pipe):
        self.prepare(place)

        async def live():
            from coterie.runtime.transport.links import Links

            links = Links(
                self.trial.credentials[place],
                self.registers.get(place, self.trial.register),
                self.places,
                place,
                run=RUN + (work == "in another run"),
                largest=NUMBERS,
                listen=self.addresses[place],
                share_port=True,
                limits=self.limits.get(place),
            )
            await links.open(Telling(pipe), [other for other in range(len(self.places)) if other != place])
            if callable(work):
                await work(links)
            await asyncio.Event().wait()

        asyncio.run(live())

    def told(self, place, name, seconds=20):
        """Wait until `place` is told `name`; what came with it."""
        give_up = time.monotonic() + seconds
        while self.pipes[place].poll(max(0, give_up - time.monotonic())):
            found, about = self.pipes[place].recv()
            if found == name:
                return about
        pytest.fail(f"place {place} was never told {name!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.join()
        for port in self.ports:
            port.close()
