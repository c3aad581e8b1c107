"""Links between processes: a slow peer slows nobody else, and a frame that is not whole was never there."""

import asyncio
import os
import signal
import time

import numpy as np

from coterie.core.ids import NodeId
from coterie.federation.codec import encode
from coterie.federation.messages import Model
from coterie.runtime.transport.limits import Limits
from places import FORK, NUMBERS, RUN, Places


def frames(links, to, count, numbers=NUMBERS):
    from coterie.runtime.transport.stream import Outgoing

    vector = np.zeros(numbers, np.float32)
    for number in range(count):
        head, body = encode(RUN, NodeId(links.mine), Model(number, NodeId(links.mine)), (NodeId(to),), (1, number + 1, 0, 0), vector)
        links.send(to, Outgoing(head, b"", body))


async def connected_to_all(links):
    while not all(peer.streams for peer in links.peers.values()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def send_ten_to_each(links):
    await connected_to_all(links)
    for to in links.peers:
        frames(links, to, 10)


def test_a_slow_peer_holds_up_nobody_else():
    slow = Limits(bytes_per_second=100_000.0, burst_seconds=1.0)  # it reads 100 kB a second of its 80 MB
    with Places([send_ten_to_each, None, None], limits={2: slow}) as places:
        for _ in range(10):
            assert places.told(1, "arrived") == 0
        while places.pipes[2].poll():
            assert places.pipes[2].recv()[0] != "arrived"


async def send_one_for_ever(links):
    await connected_to_all(links)
    frames(links, 0, 1)


def test_a_frame_whose_sender_dies_on_the_way_is_never_taken_for_one():
    slow = Limits(bytes_per_second=1_000_000.0, burst_seconds=1.0)
    with Places([None, send_one_for_ever], limits={0: slow}) as places:
        places.told(0, "connected")
        time.sleep(0.5)
        os.kill(places.processes[1].pid, signal.SIGKILL)
        time.sleep(0.5)
        while places.pipes[0].poll():
            assert places.pipes[0].recv()[0] == "connected"


async def send_and_stop(links):
    await connected_to_all(links)
    frames(links, 0, 3, 10)
    await links.close()
    os._exit(0)


def test_what_was_queued_arrives_although_its_sender_closes():
    with Places([None, send_and_stop]) as places:
        assert [places.told(0, "arrived") for _ in range(3)] == [1, 1, 1]


def test_another_run_is_refused_in_words():
    with Places([None, "in another run"]) as places:
        assert places.told(0, "refused") == 1


def test_a_link_comes_back_when_its_peer_does():
    with Places([None, None]) as places:
        places.told(0, "connected")
        os.kill(places.processes[1].pid, signal.SIGKILL)
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=places.run, args=(1, None, theirs), daemon=True)
        process.start()
        places.pipes.append(ours)  # whoever tells it something must find somebody there
        places.processes.append(process)
        places.told(0, "connected")
