"""Names of participants."""

from typing import NewType

NodeId = NewType("NodeId", int)
"""A participant: a dense integer from 0; its display name lives in the scenario."""
