"""What became of updates that stood out: a curve over rounds for each verdict, on the axis of the scores, and a row for each sender."""

from collections import Counter, defaultdict
from typing import Any

from coterie.reporting.events import Events
from coterie.reporting.facts import Facts
from coterie.reporting.report.curves import stretch

ORDER = ("cut", "down-weighted", "flagged", "left out")
MOST_ROWS = 40
MOST_REASONS = 4


def verdicts(events: Events, facts: Facts, rounds: int) -> dict[str, Any] | None:
    """None where nothing was judged; else `round`, `series` (what, count over rounds; the largest of a stretch), and `rows` by sender.

    A row: name, attacker (whether the scenario says so), a count for each of `whats`, and the most frequent reasons. The senders of most
    verdicts come first, those that were only left out by a rule last.
    """
    if not events.judged:
        return None
    last = max(rounds, *(number for by_round in events.judged.values() for number in by_round))
    over: defaultdict[str, Counter[int]] = defaultdict(Counter)
    by_sender: defaultdict[int, Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for (what, reason, node), by_round in events.judged.items():
        over[what].update(by_round)
        by_sender[node][what] += sum(by_round.values())
        reasons[node][reason] += sum(by_round.values())
    whats = [what for what in (*ORDER, *sorted(over)) if what in over]
    whats = list(dict.fromkeys(whats))
    parts = stretch(last)
    attackers = {node for attack in facts.attacks for node in attack.nodes}
    ranked = sorted(by_sender, key=lambda node: (-sum(by_sender[node][what] for what in whats if what != ORDER[-1]), node))
    return {
        "round": [int(part[-1]) + 1 for part in parts],
        "last": last,
        "whats": whats,
        "series": [{"what": what, "count": [max(over[what][int(at) + 1] for at in part) for part in parts]} for what in whats],
        "rows": [
            {
                "name": facts.name(node),
                "attacker": node in attackers,
                "counts": [by_sender[node][what] for what in whats],
                "reasons": ", ".join(f"{reason} {count}" for reason, count in reasons[node].most_common(MOST_REASONS)),
            }
            for node in ranked[:MOST_ROWS]
        ],
        "senders": len(ranked),
    }
