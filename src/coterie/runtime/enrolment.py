"""How a node becomes a member: a token from the authority's owner, one question to its service, one answer.

The token carries where the service is and the fingerprint of its certificate. The joiner compares that before it says anything,
so it needs to trust nobody in between; the service believes whoever brings the token's secret, once. The node's private key is
made by the joiner and stays with it. TLS 1.3; a question and an answer are each a length and JSON.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

import coterie
from coterie.core.errors import PeerError, RunError
from coterie.runtime import certificates
from coterie.runtime.authority import CERTIFICATE, SERVER, SERVER_KEY, Authority
from coterie.runtime.identity import Credentials
from coterie.runtime.proxy import connect
from coterie.runtime.register import Address, SignedRegister, unseal

PREFIX = "coterie-"
PATIENCE_SECONDS, AT_A_TIME = 10.0, 64
QUESTION_BYTES, ANSWER_BYTES = 16 << 10, 4 << 20
_LENGTH = struct.Struct(">I")

Short = Annotated[str, msgspec.Meta(max_length=200)]


class JoinRefused(RunError):
    """A node could not join; says why, in words."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """An invitation as it is handed over: `written` as text, `read` back."""

    address: Short
    fingerprint: bytes
    secret: Short
    name: Short
    expires: float

    def written(self) -> str:
        """As one word that can be pasted."""
        return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "Token":
        """The way back; raises JoinRefused."""
        body = text.strip().removeprefix(PREFIX)
        try:
            return msgspec.msgpack.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=cls)
        except (binascii.Error, msgspec.DecodeError, ValueError):
            raise JoinRefused("this is no invitation; copy the whole line that `coterie federation invite` printed") from None


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Let whoever brings `secret` in, with the key of `request`; it listens at `address`, if anywhere."""

    secret: Short
    request: Annotated[bytes, msgspec.Meta(max_length=4096)]
    version: Short
    seconds: float
    address: Address | None = None


class Latest(msgspec.Struct, frozen=True, tag="latest"):
    """A member asks for the register in force."""


class Admitted(msgspec.Struct, frozen=True, tag="admitted"):
    """The answer to `Join`."""

    certificate: bytes
    authority: bytes
    register: bytes
    scenario: str
    federation_name: str


class Newest(msgspec.Struct, frozen=True, tag="newest"):
    """The answer to `Latest`."""

    register: bytes


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Any other answer: why not."""

    reason: str


_QUESTION = msgspec.json.Decoder(Join | Latest)
_REPLY = msgspec.json.Decoder(Admitted | Newest | Refusal)


def invite(authority: Authority, name: str, node: int | None = None, seconds: float = 3600.0) -> tuple[Token, int]:
    """A token for `name`, and the node that it will be; raises ScenarioError."""
    invitation, secret = authority.invite(name, node, seconds)
    fingerprint = certificates.fingerprint(authority.server_certificate)
    return Token(authority.state.address, fingerprint, secret, name, invitation.expires), invitation.node


# ---- the authority's side


class Service:
    """Answers joiners, and members that ask for the register. on_event: is told in words what happens."""

    def __init__(self, authority: Authority, on_event: Callable[[str], None] = lambda _: None) -> None:
        self._authority, self._on_event = authority, on_event
        self._room = asyncio.Semaphore(AT_A_TIME)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Begin to listen; raises OSError."""
        folder = self._authority.folder
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / SERVER, folder / SERVER_KEY)
        context.load_verify_locations(folder / CERTIFICATE)
        context.verify_mode = ssl.CERT_OPTIONAL  # a joiner has none yet
        self._server = await asyncio.start_server(self._serve, host, port, ssl=context, ssl_handshake_timeout=PATIENCE_SECONDS)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with self._room:
                await asyncio.wait_for(self._exchange(reader, writer), PATIENCE_SECONDS)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever it was is gone
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = read_question(await _read(reader, QUESTION_BYTES))
            answer: Admitted | Newest | Refusal = self._answer(question, writer.get_extra_info("ssl_object"))
        except PeerError as problem:
            self._on_event(f"refused {(writer.get_extra_info('peername') or ('?',))[0]}: {problem}")
            answer = Refusal(str(problem).partition(": ")[2] or str(problem))
        data = msgspec.json.encode(answer)
        writer.write(_LENGTH.pack(len(data)) + data)
        await writer.drain()

    def _answer(self, question: Join | Latest, connection: ssl.SSLObject) -> Admitted | Newest:
        if isinstance(question, Latest):
            self._member(connection)
            return Newest(self._authority.signed_register.encoded())
        if question.version != coterie.__version__:
            raise PeerError("version", f"you run Coterie {question.version}, this federation {coterie.__version__}: install that one")
        off = question.seconds - time.time()
        if abs(off) > certificates.SKEW.total_seconds():
            raise PeerError("clock", f"your clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} ours: set it, then join")
        certificate, member = self._authority.enrol(question.secret, question.request, question.address)
        self._on_event(f"{member.name} has joined as node {member.node}" + (f", at {member.address}" if member.address else ""))
        state = self._authority.state
        return Admitted(
            certificates.der(certificate),
            certificates.der(self._authority.certificate),
            self._authority.signed_register.encoded(),
            self._authority.scenario,
            state.name,
        )

    def _member(self, connection: ssl.SSLObject) -> None:
        """Raises PeerError unless a member asks, with a certificate that is in force."""
        found = connection.getpeercert(binary_form=True)
        if not found:
            raise PeerError("certificate", "only members are told")
        identity = certificates.identity_of(certificates.read_certificate(found))
        member = self._authority.register.member(identity.nodes[0])
        if member is None or member.revoked or member.generation != identity.generation:
            raise PeerError("revoked", "this certificate has been revoked")


def read_question(data: bytes) -> Join | Latest:
    """What a joiner or a member asks; raises PeerError."""
    try:
        question: Join | Latest = _QUESTION.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError("malformed", f"no question that is known here: {error}") from None
    return question


def read_reply(data: bytes) -> Admitted | Newest | Refusal:
    """What the authority answers; raises PeerError."""
    try:
        reply: Admitted | Newest | Refusal = _REPLY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError("malformed", f"no answer that is known here: {error}") from None
    return reply


async def _read(reader: asyncio.StreamReader, most: int) -> bytes:
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if size > most:
        raise PeerError("oversized", f"{size} bytes, {most} at the most")
    return await reader.readexactly(size)


# ---- the joiner's side


@dataclass(frozen=True)
class Joined:
    """What a joiner has got."""

    credentials: Credentials
    register: SignedRegister
    scenario: str
    federation_name: str


async def join(token: Token, key: certificates.Key, address: str | None) -> Joined:
    """Ask to be let in, with `key`; raises JoinRefused with the reason in words."""
    if token.expires < time.time():
        raise JoinRefused(f"the invitation of {token.name} has expired; ask for a new one")
    question = Join(token.secret, certificates.request(key, token.name), coterie.__version__, time.time(), address)
    answer = await _ask(token.address, token.fingerprint, question)
    if not isinstance(answer, Admitted):
        raise JoinRefused(answer.reason if isinstance(answer, Refusal) else "the authority gave another answer than was asked for")
    try:
        authority = certificates.read_certificate(answer.authority)
        certificate, identity = certificates.verified(answer.certificate, answer.authority)
        register, signed = unseal(answer.register, authority)
    except PeerError as problem:
        raise JoinRefused(f"what the authority answered does not fit together: {problem}") from None
    if certificate.public_key() != key.public_key() or register.federation != identity.federation:
        raise JoinRefused("the authority answered with somebody else's certificate")
    return Joined(Credentials(key, certificate, authority), signed, answer.scenario, answer.federation_name)


async def latest(address: str, fingerprint: bytes, folder: Path, credentials: Credentials) -> SignedRegister:
    """The register in force, from the authority; raises JoinRefused where it cannot be had."""
    answer = await _ask(address, fingerprint, Latest(), folder)
    if not isinstance(answer, Newest):
        raise JoinRefused(answer.reason if isinstance(answer, Refusal) else "the authority gave another answer than was asked for")
    try:
        return unseal(answer.register, credentials.authority)[1]
    except PeerError as problem:
        raise JoinRefused(str(problem)) from None


async def _ask(address: str, fingerprint: bytes, question: Join | Latest, folder: Path | None = None) -> Admitted | Newest | Refusal:
    """One question over a connection that is known to be the authority's before anything is said on it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the fingerprint decides, below
    if folder is not None:
        context.load_cert_chain(folder / "node.crt", folder / "node.key")
    try:
        reader, writer = await asyncio.wait_for(_connected(address, context), PATIENCE_SECONDS)
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise JoinRefused(
            f"the authority cannot be reached at {address} ({reason}): is `coterie federation serve` running there?"
        ) from None
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        if not hmac.compare_digest(hashlib.sha256(shown).digest(), fingerprint):
            raise JoinRefused(f"who answers at {address} is not the federation that made this invitation: its certificate is another one")
        data = msgspec.json.encode(question)
        writer.write(_LENGTH.pack(len(data)) + data)
        answered = read_reply(await asyncio.wait_for(_read(reader, ANSWER_BYTES), PATIENCE_SECONDS))
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        raise JoinRefused(f"the authority at {address} broke off; ask again with the same invitation") from None
    except PeerError as error:
        raise JoinRefused(f"the authority at {address} gave an answer that cannot be read: {error}") from None
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1.0)
    return answered


async def _connected(address: str, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await connect(address)
    try:
        await writer.start_tls(context, ssl_handshake_timeout=PATIENCE_SECONDS)
    except BaseException:
        writer.close()
        raise
    return reader, writer


def new_secret() -> bytes:
    """What a node's private draws are keyed by; it never leaves the node."""
    return secrets.token_bytes(32)
