"""A revoked node is cut off at once, on open streams too, by everybody that the news reaches; and the others go on."""

import asyncio

import numpy as np

import toy
from coterie.runtime.authority import Trial
from coterie.runtime.host import Vectors
from coterie.runtime.local import LocalFederation, LocalProcesses
from coterie.runtime.register import Member, seal, unseal
from coterie.runtime.taking_part import take_part
from coterie.runtime.watching import Piped

NODES, ROUNDS, REVOKED = 4, 40, 3


class Slow(toy.ToyExecutor):
    def run(self, jobs):
        import time

        time.sleep(0.01)
        super().run(jobs)


class Learning(Piped):
    """Node 0 learns, in the middle of the run, that node 3 is revoked; nobody else is told."""

    signed = links = None

    def state(self, node, state):
        super().state(node, state)
        if node == 0 and getattr(state, "round", 0) == 5 and self.signed is not None:
            signed, self.signed = self.signed, None
            asyncio.get_running_loop().call_soon(self.links.learn, signed.encoded())


class Processes(LocalProcesses):
    """Each of them can sign a register: the authority's key is known here, as it is not in a trial."""

    def __init__(self, what, processes):
        super().__init__(what, processes)
        self.trial, self.key = Trial.with_key(self.places, self.dialled)

    async def _in_place(self, place, folder, executor, watch):
        links = self._links(place)
        if place == 0:
            register, _ = unseal(self.trial.register.encoded(), self.trial.credentials[0].authority)
            gone = register.member(REVOKED)
            watch.__class__ = Learning
            watch.links = links
            watch.signed = seal(register.changed(Member(gone.node, gone.name, gone.address, gone.generation, revoked=True)), self.key)
        return await take_part(self.part, links, executor, folder, watch, lambda state: state.round < ROUNDS)


def test_news_of_a_revocation_spread_and_end_open_streams():
    shape = toy.federation(NODES, "ring", "decentralized")  # nodes 0 and 2 are its neighbours, and are not each other's
    what = LocalFederation(shape, np.zeros(toy.NUMBERS, np.float32), ROUNDS, Slow, Vectors(np.asarray, np.array))
    events = []
    with Processes(what, NODES) as processes:
        its_pipe, processes._pipes[REVOKED] = processes._pipes[REVOKED], None
        results = processes.results(60, events.append)
    its_pipe.close()
    assert {results[node].rounds for node in (0, 1, 2)} == {ROUNDS}
    named = [event for event in events if event[0] == "cut off"]
    assert len(named) >= 2  # its neighbours, node 2 by way of node 1
    assert all(event == ("cut off", (REVOKED,), "revoked: node-3") for event in named)
