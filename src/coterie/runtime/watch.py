"""Whom a host tells what happens."""

from typing import Any

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.core.jobs import Job
from coterie.federation.messages import Message
from coterie.runtime.transport.wire import Word


class Watch:
    """Whom a host tells what happens. This one forgets it; a run that is written down has another."""

    def facts(self, node: NodeId, round: int, facts: dict[str, Any]) -> None:
        """A node has measured something."""

    def sent(self, node: NodeId, to: NodeId, message: Message, size: int) -> None:
        """A message of so many bytes was handed to the links."""

    def job(self, node: NodeId, job: Job[Any]) -> None:
        """A job was issued."""

    def state(self, node: NodeId, state: Any) -> None:
        """A flow of a node is at a checkpoint."""

    def refused(self, node: NodeId, sender: NodeId, reason: str, round: int) -> None:
        """Something of `sender` was refused."""

    def happened(self, node: NodeId, what: str, detail: str) -> None:
        """Something happened at a node that people may want to know of."""

    def cut_off(self, nodes: tuple[NodeId, ...], problem: str) -> None:
        """Nodes were cut off."""

    def failed(self, nodes: tuple[NodeId, ...], text: str) -> None:
        """The process of these nodes has failed; `text` is the reason, then the traceback."""

    def troubled(self, nodes: tuple[NodeId, ...], problem: str) -> None:
        """These nodes cannot go on for now, and why; or, where `problem` is empty, they can again."""

    def word(self, place: int, word: Word) -> None:  # noqa: ARG002 - what others go by
        """A word came from another host; raises PeerError to refuse it."""
        raise PeerError("malformed", f"nobody here knows of {word.topic!r}")

    def asked(self, word: Word) -> Word:
        """The answer to what the authority asks; raises PeerError where there is none."""
        raise PeerError("malformed", f"nobody here knows of {word.topic!r}")

    def connected(self, place: int) -> None:
        """A stream with another host is there."""
