"""Signatures of origins: what a proxy hands on is believed because of who made it, not because of who brought it.

A message straight from its origin needs none, since the stream it comes over is the origin's. One that goes by way of others
carries a seal: the origin's certificate and its signature over everything that makes the message what it is.
"""

import hashlib
import struct
from collections.abc import Iterable

from coterie.core.errors import PeerError
from coterie.federation.messages import Message, Parcel, Update
from coterie.federation.node import Node
from coterie.runtime import certificates
from coterie.runtime.identity import Credentials

_CONTENT = struct.Struct("<QHIIHIQQ")
_SIZE = struct.Struct("<H")

Identity = tuple[int, int, int, int, int]
"""`Message.identity`."""


class Seals:
    """Makes and checks seals for one place, and keeps those of messages on their way through it."""

    def __init__(self, credentials: Credentials, run: int) -> None:
        self._credentials, self._run = credentials, run
        self._certificate = certificates.der(credentials.certificate)
        self._authority = certificates.der(credentials.authority)
        self.kept: dict[Identity, bytes] = {}

    def of(self, message: Message, body: memoryview, *, own: bool) -> bytes:
        """The seal that goes with `message`; one of our `own` is made, another's must have come with it."""
        seal = self.kept.get(message.identity)
        if seal is None:
            if not own:
                raise RuntimeError(f"{message!r} is handed on, but has lost its seal")
            signature = certificates.sign(self._credentials.key, _content(self._run, message, body))
            seal = self.kept[message.identity] = _SIZE.pack(len(self._certificate)) + self._certificate + signature
        return seal

    def check(self, message: Message, body: memoryview, seal: bytes, *, keep: bool) -> None:
        """Raises PeerError unless `seal` is the origin's; `keep` it where the message is to be handed on."""
        try:
            (size,) = _SIZE.unpack_from(seal)
            certificate, identity = certificates.verified(seal[_SIZE.size : _SIZE.size + size], self._authority)
        except struct.error:
            raise PeerError("seal", f"{message!r} came through others without its origin's signature") from None
        except PeerError as problem:
            raise PeerError("seal", str(problem)) from None
        if identity.federation != self._credentials.identity.federation or message.origin not in identity.nodes:
            raise PeerError("seal", f"{message!r} is signed by node {identity.nodes}")
        if not certificates.signed(certificate, _content(self._run, message, body), seal[_SIZE.size + size :]):
            raise PeerError("seal", f"the signature on {message!r} is not over what came")
        if keep:
            self.kept[message.identity] = seal

    def forget_all_but(self, messages: Iterable[Message]) -> None:
        """Keep the seals of `messages` alone."""
        wanted = {message.identity for message in messages}
        self.kept = {identity: seal for identity, seal in self.kept.items() if identity in wanted}


def _content(run: int, message: Message, body: memoryview) -> bytes:
    """What is signed. The term is not in it: each hop stamps its own."""
    code, round, phase, origin, attempt = message.identity
    fields = _CONTENT.pack(run, code, round, origin, phase, attempt, message.weight, len(body))
    return b"coterie message\0" + fields + hashlib.sha256(body).digest()


def on_their_way(node: Node) -> Iterable[Message]:
    """The messages that a node may still have to send: in its outbox, and parcels and updates that wait and may be handed on."""
    if node.delivery is not None:
        for link in node.delivery.links.values():
            yield from (message for _, message, _ in link.outbox)
    waiting = node.mailbox.waiting()
    yield from (message.content if isinstance(message, Parcel) else message for message in waiting if isinstance(message, (Parcel, Update)))
