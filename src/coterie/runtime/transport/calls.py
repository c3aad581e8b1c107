"""What a call of gRPC gives: messages, who is on the other side, and the reason of its end."""

import asyncio
from collections.abc import Callable
from typing import Any

from coterie.core.errors import PeerError
from coterie.runtime import certificates
from coterie.runtime.transport import tls
from coterie.runtime.transport.stream import Read

BROKEN = (tls.grpc.aio.AioRpcError, tls.grpc.aio.BaseError, asyncio.InvalidStateError)
"""What reading or writing raises when the other side, or the network, is gone."""


def reading(read: Callable[[], Any]) -> Read:
    """The next message whenever it is called; None at the end."""

    async def next_message() -> bytes | None:
        message = await read()
        return None if message is tls.grpc.aio.EOF else message

    return next_message


def certificate_of(context: Any) -> certificates.Certificate:
    """What the other side of a stream has proved to own; gRPC has checked that the authority signed it."""
    found = context.auth_context().get("x509_pem_cert")
    if not found:
        raise PeerError("certificate", "there is none")
    return certificates.read_certificate(found[0])


def told(error: BaseException) -> str:
    """Why there is no stream, in a line."""
    if not isinstance(error, tls.grpc.aio.AioRpcError):
        return "the stream ended"
    details = (error.details() or "").splitlines()
    return f"{error.code().name.lower().replace('_', ' ')}: {details[0][:300] if details else 'no reason given'}"
