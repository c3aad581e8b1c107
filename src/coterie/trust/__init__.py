"""Whom to believe: what stands out among updates, and what that comes to over rounds.

`statistics` tell how each update differs from the others, `detection` which of them stand out, `reputations` what is thought of
their senders after many rounds; `guard` puts them together for an aggregator. Pure functions, below learning: nothing here knows
of messages or jobs.
"""

from coterie.trust.detection import Detection, robust_z
from coterie.trust.guard import Guard, Judgement
from coterie.trust.ledger import Ledger
from coterie.trust.reputation import REPUTATIONS, Evidence, Reputation, reputation
from coterie.trust.seen import STATISTICS, Seen, statistic

__all__ = [
    "REPUTATIONS",
    "STATISTICS",
    "Detection",
    "Evidence",
    "Guard",
    "Judgement",
    "Ledger",
    "Reputation",
    "Seen",
    "reputation",
    "robust_z",
    "statistic",
]
