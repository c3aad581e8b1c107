# ruff: noqa: E501, ISC004 - lines of other files, as they stand there
"""Bugs planted in the protocol on purpose, one at a time, each of which a named part of the tests must find.

    python benchmarks/planted_bugs.py                 all of them, and the table
    python benchmarks/planted_bugs.py NAME…           some
    python benchmarks/planted_bugs.py --list          what they are

Every bug is planted in a copy of the package, which the tests then import in place of the real one; the tests named beside it must pass
without the bug and fail with it. A bug that cannot be planted, since the code that it changes is not there any more, is a failure of
this check, too. Names the first test that fails and what it says.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SEEDS = "tests/simulation/test_seeds.py::test_no_seed_goes_wrong"
SECONDS = 600


@dataclass(frozen=True)
class Bug:
    """What is changed: (file, what stands there once, what takes its place); and the tests that must find it."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    tests: str = SEEDS


BUGS = (
    Bug(
        "aggregates in the order of arrival",
        (
            ("federation/mailbox.py", "    return sorted(messages, key=_ORDER)", "    return list(messages)"),
            (
                "federation/flows/participate.py",
                "updates = tuple(sorted((*got, *own), key=lambda update: (update.origin, update.round)))",
                "updates = (*got, *own)",
            ),
        ),
    ),
    Bug(
        "forgets deadlines",
        (("federation/waits.py", "        if effect.deadline_seconds != FOREVER:", "        if False:"),),
    ),
    Bug(
        "takes in updates of rounds that are too old",
        (("federation/federation.py", "            schedule.oldest(state.round),\n", "            0,\n"),
         ("federation/mailbox.py", "            if message.round < self.floor:", "            if False:"),
         ("federation/federation.py", "            None if schedule.staleness_rounds else expected,", "            None,")),
    ),
    Bug(
        "counts a duplicate once more",
        (
            ("federation/delivery.py", "        if number <= link.received or number in link.ahead:\n            return False\n", ""),
            ("federation/mailbox.py", "            if len(seen) == before:", "            if False:"),
        ),
    ),
    Bug(
        "loses the server's state at a hand-over",
        (("federation/flows/participate.py", "server=server[0].payload if server else None", "server=None"),),
    ),
    Bug(
        "acknowledges before the checkpoint",
        (("federation/delivery.py", "        return (self.incarnation, number, link.incarnation, link.kept)",
          "        return (self.incarnation, number, link.incarnation, link.received)"),),
        "tests/federation",
    ),
    Bug(
        "repeats nothing when a stream is back",
        (("federation/node.py", "            for ticket, message, beyond in self.delivery.repeats(peer):", "            for ticket, message, beyond in ():"),),
    ),
    Bug(
        "takes the messages of a restarted node for repeats",
        (("federation/delivery.py",
          "            link.incarnation, link.received, link.kept, link.acknowledged = incarnation, 0, 0, 0\n            link.ahead.clear()\n",
          "            link.incarnation = incarnation\n"),),
    ),
    Bug(
        "lets timers and jobs of an earlier life ring in the next",
        (("federation/node.py", "        self.token = incarnation * _TOKENS_PER_INCARNATION", "        self.token = 0"),),
        "tests/federation tests/simulation",
    ),
    Bug(
        "restarts without its outbox",
        (("federation/journal.py", "            delivery.post(peer, message, tuple(beyond))", "            pass"),),
    ),
    Bug(
        "restarts without what waited in its mailbox",
        (("federation/journal.py", '    node.mailbox.restored(data["mailbox"])', "    pass"),),
    ),
    Bug(
        "says no goodbye",
        (("federation/flows/participate.py",
          "    await post(me, federation, state.view, farewells, Goodbye(state.round, me))\n", ""),),
        "tests/simulation tests/traces",
    ),
    Bug(
        "counts late updates for the quorum",
        (("federation/flow.py", "        if number >= effect.since:\n            self.counted += 1", "        if True:\n            self.counted += 1"),),
        "tests/traces",
    ),
    Bug(
        "counts a late update in full",
        (("federation/schedule.py", "return self.discount(number - made) if made < number else 1.0", "return 1.0"),),
        "tests/traces",
    ),
    Bug(
        "mixes with weights that do not sum to one",
        (("federation/federation.py", "            weights = (max(0.0, 1.0 - sum(others)), *others)", "            weights = (weights[0], *others)"),),
    ),
    Bug(
        "answers a neighbour with what its model is after the change",
        (("federation/flows/average.py",
          "            await post(me, federation, state.view, (message.origin,), Model(message.round, me, state.model, phase=ANSWER))\n"
          "            state = await added(me, federation, state, message, state.model)\n",
          "            state = await added(me, federation, state, message, state.model)\n"
          "            await post(me, federation, state.view, (message.origin,), Model(message.round, me, state.model, phase=ANSWER))\n"),),
        "tests/traces tests/simulation",
    ),
    Bug(
        "a proxy hands on nothing",
        (("federation/flows/relay.py", "                await Send((hop,), parcel.content, () if beyond == (hop,) else beyond)", "                pass"),),
        "tests/traces tests/simulation",
    ),
    Bug(
        "two aggregators in one round",
        (("federation/flows/participate.py", "    if plan.collect_from is not None:\n        state = await take_over",
          "    if plan.collect_from is not None or plan.hand_over_to:\n        state = await take_over"),),
    ),
    Bug(
        "votes twice in a term",
        (("federation/flows/succession.py", "not (again or term > ballot.promised)", "not (again or term >= ballot.promised)"),),
        "tests/federation",
    ),
    Bug(
        "takes over with fewer voices than a majority",
        (("federation/flows/succession.py", "    if len(ballot.votes) < majority(federation.nodes):", "    if len(ballot.votes) < 1:"),),
        "tests/federation tests/simulation tests/traces",
    ),
    Bug(
        "never holds a silent node to be gone",
        (("federation/membership.py", "        return max(FLOOR, self.gap + patience * self.deviation)", "        return float('inf')"),),
        "tests/federation tests/simulation tests/traces",
    ),
)  # fmt: skip


def planted(bug: Bug, place: Path) -> str:
    """Make a copy of the package with `bug` in it; why it cannot be planted, or an empty string."""
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in bug.changes:
        path = place / "src" / "coterie" / file
        text = path.read_text()
        if text.count(old) != 1:
            return f"{file} has what it changes {text.count(old)} times"
        path.write_text(text.replace(old, new))
    return ""


def tried(tests: str, source: Path) -> tuple[bool, str]:
    """Run `tests` on the package in `source`: whether they pass, and otherwise the first that does not, with what it says."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False, f"no end after {SECONDS} s"
    failed = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE) or re.search(r"^ERROR (\S+)", done.stdout, re.MULTILINE)
    said = re.search(r"^E\s+(?:AssertionError: )?(.*)", done.stdout, re.MULTILINE)
    words = f"{failed[1].rpartition('/')[2]}: {said[1] if said else ''}"[:150] if failed else done.stdout[-150:]
    return done.returncode == 0, words


def main() -> int:
    """The command; 1 if a bug is not found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="some of them, by a part of their names")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    bugs = [bug for bug in BUGS if not asked.names or any(name in bug.name for name in asked.names)]
    if asked.list:
        print("\n".join(f"{bug.name}: {bug.tests}" for bug in bugs))
        return 0
    missed = 0
    for tests in sorted({bug.tests for bug in bugs}):
        passes, words = tried(tests, ROOT / "src")
        if not passes:
            print(f"without any bug, {tests} fails already: {words}")
            return 1
    print("| bug | found by | which says |\n|---|---|---|", flush=True)
    for bug in bugs:
        with tempfile.TemporaryDirectory(prefix="coterie-bug-") as place:
            problem = planted(bug, Path(place))
            passes, words = (True, problem) if problem else tried(bug.tests, Path(place) / "src")
        missed += passes
        test, _, said = words.partition(": ")
        print(f"| {bug.name} | {'**nobody**' if passes else f'`{test}`'} | {words if passes else said} |", flush=True)
    print(f"\n{len(bugs) - missed} of {len(bugs)} found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
