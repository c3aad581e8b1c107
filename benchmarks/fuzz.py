"""Hostile bytes for every decoder that a peer can reach: none may crash, hang, or ask for more memory than it is given bytes for.

python benchmarks/fuzz.py --inputs 9700000                      guided by coverage, with atheris (pip install atheris)
python benchmarks/fuzz.py --inputs 300000 --only scenario       the same for some decoders; this one is slow, and is left out by default
python benchmarks/fuzz.py --inputs 100000 --blind               mutations of valid messages, without atheris

A decoder may raise PeerError (an invitation's: JoinRefused, a scenario's: ScenarioError), and nothing else. One input that takes
over a second of CPU time, or more than 64 MiB above the run's start, ends the run with what it was.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "fuzz.json"
LARGEST = 1 << 16
MOST_SECONDS, MOST_BYTES = 1.0, 64 << 20
KEEP_INPUTS, SLOW = 100_000, ("scenario",)
SCENARIO = "nodes: 2\nuntil: {rounds: 3}\ntask: {dataset: digits, model: {name: mlp, hidden: [8]}}\n"


def framing(register: bytes) -> dict[str, tuple[Callable[[bytes], Any], list[bytes]]]:
    """The decoders of what comes in frames, as `decoders` has them; register: a valid one."""
    from coterie.core.ids import NodeId
    from coterie.federation.codec import HEADER, decode, encode
    from coterie.federation.messages import KINDS, Model
    from coterie.runtime.transport import wire

    def frames(kind: int, numbers: int) -> bytes:
        message = KINDS[kind](1, NodeId(0), weight=3)
        head, body = encode(1, NodeId(0), message, (NodeId(1), NodeId(2)), (1, 2, 3, 4), np.ones(numbers, np.float32))
        return head + bytes(body)

    def frame(data: bytes) -> None:
        beyond = int.from_bytes(data[HEADER.size - 2 : HEADER.size], "little") * 4
        decode(data[: HEADER.size], data[HEADER.size : HEADER.size + beyond], data[HEADER.size + beyond :], largest=LARGEST)

    def stream(data: bytes) -> None:
        """Several messages, each after its length."""
        assembler = wire.Assembler(LARGEST)
        while data:
            size = int.from_bytes(data[:2], "little")
            assembler.feed(data[2 : 2 + size])
            data = data[2 + size :]

    def streamed(*messages: bytes) -> bytes:
        return b"".join(len(one).to_bytes(2, "little") + one for one in messages)

    head, body = encode(1, NodeId(0), Model(1, NodeId(0)), (NodeId(1),), (1, 2, 3, 4), np.ones(10, np.float32))
    opening = next(wire.cut(1, head, b"s", memoryview(b"")))
    in_chunks = [opening[:15] + len(body).to_bytes(8, "little") + opening[23:], b"K" + (1).to_bytes(8, "little") + bytes(8) + bytes(body)]
    said = [wire.Greeting("1", 2, 3), wire.Registered(register), wire.Refused("no"), wire.Finished(), wire.Word("a", b"{}")]
    return {
        "frame": (frame, [frames(kind, 5) for kind in KINDS]),
        "stream": (
            stream,
            [streamed(*wire.cut(1, head, b"s", body)), streamed(*in_chunks), *(streamed(wire.control(one)) for one in said)],
        ),
    }


def decoders() -> dict[str, tuple[Callable[[bytes], Any], list[bytes]]]:
    """Each decoder, and valid inputs of it to begin with."""
    import msgspec

    from coterie.core.ids import NodeId
    from coterie.federation.messages import Update
    from coterie.runtime import certificates, enrolment, proposal
    from coterie.runtime.authority import Trial
    from coterie.runtime.register import unseal
    from coterie.runtime.seals import Seals
    from coterie.runtime.transport import wire
    from coterie.scenario.reading import parse

    trial = Trial.of(((NodeId(0),), (NodeId(1),)), ("127.0.0.1:1", "clinic.example:7001"))
    authority, us = trial.credentials[0].authority, trial.credentials[0]
    authority_der = certificates.der(authority)
    seals = Seals(us, 1)

    update = Update(1, NodeId(0), weight=3)
    good_seal = seals.of(update, memoryview(b"abc"), own=True)
    answers: list[wire.Word] = []
    told = proposal.Proposal(us, 3, "d", lambda _, word: bool(answers.append(word)) or True)
    told.connected(1)
    told.answer(proposal.Answer(0, "node-0", True, "d", "", 5, 5, 5))
    question = enrolment.Join("secret", certificates.request(us.key, "a"), "1", 1.0, "a.example:1")
    reply = enrolment.Admitted(certificates.der(us.certificate), authority_der, trial.register.encoded(), SCENARIO, "clinics")
    token = enrolment.Token("127.0.0.1:1", b"f" * 32, "secret", "a", 1.0)
    return {
        **framing(trial.register.encoded()),
        "register": (lambda data: unseal(data, authority), [trial.register.encoded()]),
        "seal": (lambda data: seals.check(update, memoryview(b"abc"), data, keep=False), [good_seal]),
        "answer": (lambda data: proposal.read_answer(data, authority_der), [answers[0].content]),
        "question": (enrolment.read_question, [msgspec.json.encode(question), msgspec.json.encode(enrolment.Latest())]),
        "reply": (enrolment.read_reply, [msgspec.json.encode(one) for one in (reply, enrolment.Newest(b"r"), enrolment.Refusal("no"))]),
        "certificate": (lambda data: certificates.identity_of(certificates.read_certificate(data)), [certificates.der(us.certificate)]),
        "scenario": (lambda data: parse(data, name="wire", trusted=False).scenario, [SCENARIO.encode()]),
        "request": (certificates.public_of, [certificates.request(us.key, "a")]),
        "invitation": (lambda data: enrolment.Token.read(data.decode("latin-1")), [token.written().encode()]),
    }


class Fuzzed:
    """Runs inputs, counts them, and holds each to the rules. The first byte says which decoder."""

    def __init__(self, only: list[str]) -> None:
        from coterie.core.errors import PeerError, ScenarioError
        from coterie.runtime.enrolment import JoinRefused

        self.expected = (PeerError, JoinRefused, ScenarioError)
        self.all = {name: about for name, about in decoders().items() if (name in only if only else name not in SLOW)}
        self.names = list(self.all)
        self.counts = dict.fromkeys(self.names, 0)
        self.accepted = dict.fromkeys(self.names, 0)
        self.slowest = 0.0
        self.began, self.memory = time.perf_counter(), _peak()

    def seeds(self) -> list[bytes]:
        """Valid inputs of all."""
        return [bytes([number]) + seed for number, name in enumerate(self.names) for seed in self.all[name][1]]

    def one(self, data: bytes) -> None:
        """One input."""
        if not data:
            return
        name = self.names[data[0] % len(self.names)]
        began = time.thread_time()
        try:
            self.all[name][0](bytes(data[1:]))
            self.accepted[name] += 1
        except self.expected:
            pass
        seconds = time.thread_time() - began
        self.slowest = max(self.slowest, seconds)
        self.counts[name] += 1
        self.total += 1
        if self.total % KEEP_INPUTS == 0:
            self.keep()
        if seconds > MOST_SECONDS:
            raise RuntimeError(f"{name} took {seconds:.1f} s for {data!r}")
        if self.counts[name] % 4096 == 0 and _peak() > self.memory + MOST_BYTES and not self.guided:
            raise RuntimeError(f"{name} had the process grow to {_peak() >> 20} MiB")

    guided = False
    total = 0

    def keep(self) -> None:
        """So many are done, should this process be ended: a later one need not do them again."""
        finish(self, "atheris" if self.guided else "mutations")

    def told(self, engine: str) -> dict[str, Any]:
        """What came of it."""
        seconds = time.perf_counter() - self.began
        total = sum(self.counts.values())
        return {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}",
            "engine": engine,
            "inputs": total,
            "seconds": round(seconds),
            "inputs per second": round(total / seconds),
            "inputs by decoder": self.counts,
            "of those accepted": self.accepted,
            "slowest input, seconds": round(self.slowest, 3),
            "memory, MiB": round(_peak() / 2**20),
            "crashes": 0,
        }


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def blind(fuzzed: Fuzzed, inputs: int, seed: int) -> None:
    """Valid inputs with a few bytes changed, cut off, doubled or put in from elsewhere."""
    draw, seeds = random.Random(seed), fuzzed.seeds()
    for _ in range(inputs):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 6)):
            place, kind = draw.randrange(1, len(data) + 1), draw.randrange(5)
            if kind == 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            elif kind == 1:
                del data[place : place + draw.randint(1, 8)]
            elif kind == 2:
                data[place:place] = draw.randbytes(draw.randint(1, 8))
            elif kind == 3:
                data[place:place] = data[place : place + 8]
            else:
                data[place : place + 4] = draw.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", b"\x7f\xff\xff\xff"))
        fuzzed.one(bytes(data))


def guided(fuzzed: Fuzzed, inputs: int, seed: int, corpus: Path) -> None:
    """Until so many inputs have been tried; atheris ends the process, so the result is written from within."""
    import atheris

    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(fuzzed.seeds()):
        (corpus / f"seed-{number}").write_bytes(data)

    def one(data: bytes) -> None:
        fuzzed.one(data)
        if fuzzed.total >= inputs:
            show(finish(fuzzed, "atheris"))
            os._exit(0)

    fuzzed.guided = True
    atheris.Setup([sys.argv[0], f"-seed={seed}", "-max_len=4096", "-rss_limit_mb=1024", "-timeout=3600", "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


def finish(fuzzed: Fuzzed, engine: str) -> dict[str, Any]:
    """Keep the figures of these decoders, beside those of others."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    told = kept[f"{engine}: {', '.join(fuzzed.names)}"] = fuzzed.told(engine)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
    return told


def show(told: dict[str, Any]) -> None:
    """What came of it, in a few lines."""
    print(f"{told['inputs']:,} inputs in {told['seconds']} s ({told['engine']}), no crash; the slowest took", end=" ")
    print(f"{told['slowest input, seconds']} s; memory {told['memory, MiB']} MiB. By decoder, inputs and how many were valid:")
    for name, count in told["inputs by decoder"].items():
        print(f"  {name:12} {count:>10,} {told['of those accepted'][name]:>10,}")
    print(f"Kept in {RESULTS}.", flush=True)


def main() -> None:
    """The command."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=10_000_000)
    arguments.add_argument("--blind", action="store_true")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--corpus", type=Path, default=Path("fuzz-corpus"))
    arguments.add_argument("--only", nargs="*", default=[], metavar="DECODER")
    wanted = arguments.parse_args()
    asyncio.set_event_loop(asyncio.new_event_loop())  # a proposal has an event in it
    if wanted.blind:
        fuzzed = Fuzzed(wanted.only)
        blind(fuzzed, wanted.inputs, wanted.seed)
        show(finish(fuzzed, "mutations"))
        return
    import atheris

    with atheris.instrument_imports(include=["coterie"]):
        fuzzed = Fuzzed(wanted.only)
    guided(fuzzed, wanted.inputs, wanted.seed, wanted.corpus)


if __name__ == "__main__":
    main()
