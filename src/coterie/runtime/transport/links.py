"""The links of one place with all others: who is dialled, who is let in, what is cut off.

A *place* is a process with one certificate, for one or more nodes. Between two places there is one stream, dialled by the one
with the higher number if the other listens anywhere; by the other one, too, if that does not come about in a few seconds. A
stream that breaks is dialled again, more patiently each time, by a new channel that resolves its name anew; what was on its way
is sent again by the nodes' outboxes.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import coterie
from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.runtime import certificates
from coterie.runtime.identity import Credentials
from coterie.runtime.register import SignedRegister, unseal
from coterie.runtime.transport import tls
from coterie.runtime.transport.calls import BROKEN, certificate_of, reading, told
from coterie.runtime.transport.limits import Conduct, Limits
from coterie.runtime.transport.peer import Listener, Peer
from coterie.runtime.transport.stream import Outgoing, Read, Stream, Write, first_control
from coterie.runtime.transport.wire import Control, Finished, Greeting, Parts, Refused, Registered, Taken, Word, control

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, GREETING_SECONDS, CLOSING_SECONDS = 0.02, 5.0, 10.0, 2.0
TURN_SECONDS = 3.0
"""For how long a place leaves it to the other one to dial: its own address may be one that cannot be reached from there."""

log = logging.getLogger("coterie.runtime")


class Links:
    """Mutual TLS streams with other places.

    places: the nodes of each place, in the order of places; `mine` is this one. run: sets this run's streams apart. largest: the
    most numbers that a vector may have. listen: HOST:PORT to be dialled at; None only dials out. share_port: see `tls.server`.
    addresses: where to dial places, if that is not what the register says.
    """

    def __init__(
        self,
        credentials: Credentials,
        register: SignedRegister,
        places: Sequence[tuple[NodeId, ...]],
        mine: int,
        *,
        run: int,
        largest: int,
        listen: str | None,
        share_port: bool = False,
        addresses: Sequence[str | None] | None = None,
        limits: Limits | None = None,
        keep_register: Callable[[SignedRegister], None] = lambda _: None,
    ) -> None:
        self.credentials, self.mine, self.run, self.largest, self.limits = credentials, mine, run, largest, limits or Limits()
        self.register, self._signed = unseal(register.encoded(), credentials.authority)
        self._addresses = addresses
        self._listen, self._share_port, self._keep_register = listen, share_port, keep_register
        self.peers = {
            place: Peer(place, nodes, Conduct(self.limits), self.limits.opening()) for place, nodes in enumerate(places) if place != mine
        }
        self._place_of = {node: place for place, nodes in enumerate(places) for node in nodes}
        self._server: Any = None
        self._closing = self._back = False
        self._neighbours: tuple[int, ...] = ()
        self._wake = random.Random()  # noqa: S311 - only spreads redialling over time

    async def open(self, listener: Listener, neighbours: Iterable[int], *, back: bool = False) -> None:
        """Begin to listen, and dial those of `neighbours` that it is up to this place to dial; raises OSError.

        back: this place was there before, so that the others have dialled it in vain, and make longer and longer pauses: it dials all.
        """
        self._listener, self._back = listener, back
        if self._listen is not None:
            self._server, _ = tls.server(self.credentials, self._accept, self._listen, share_port=self._share_port)
            await self._server.start()
        self._neighbours = tuple(neighbours)
        for place in self._neighbours:
            self.dial(place)
        self._apply_register()

    def send(self, place: int, frame: Outgoing) -> bool:
        """Queue a frame for `place`; without a stream it is dropped (the outbox sends it once there is one), and one is dialled."""
        peer = self.peers[place]
        if not peer.streams:
            self.dial(place)
            return False
        peer.streams[-1].send(frame)
        return True

    def say(self, place: int, word: Word) -> bool:
        """Queue a word for `place`; False if there is no stream."""
        peer = self.peers[place]
        if peer.streams:
            peer.streams[-1].tell(word)
        return bool(peer.streams)

    def dial(self, place: int) -> None:
        """See to a stream with `place`, unless there is one, or somebody is at it already."""
        peer = self.peers[place]
        busy = peer.dialling is not None and not peer.dialling.done()
        if busy or peer.streams or peer.excluded or self._closing or self._address(place) is None:
            return
        peer.finished = False
        peer.dialling = self._task(peer, self._keep_dialled(peer))

    def deliver(self, place: int, parts: Parts) -> None:
        """Hand a frame of `place` to the listener, and see to what it refuses."""
        if self.peers[place].excluded:
            return
        try:
            self._listener.arrived(place, parts)
        except PeerError as problem:
            self.offence(place, problem)

    def offence(self, place: int, problem: PeerError) -> None:
        """Count what was refused of `place`, and cut it off if that is enough."""
        peer = self.peers[place]
        if peer.excluded:
            return
        peer.problem = str(problem)
        self._listener.refused(place, problem)
        self.count(place, problem)

    def count(self, place: int, problem: PeerError) -> None:
        """Count what was refused of `place` and has been told already."""
        if self.peers[place].conduct.offend(problem):
            self.exclude(place, problem)

    def exclude(self, place: int, problem: PeerError) -> None:
        """Take nothing from `place` any more."""
        peer = self.peers[place]
        if peer.excluded:
            return
        log.warning("node %s is cut off: %s", _named(peer.nodes), problem)
        peer.excluded, peer.state, peer.problem = True, "cut off", str(problem)
        for stream in peer.streams:
            stream.tell(Refused(str(problem)))
        self._loop_soon(self._drop, peer)
        self._listener.cut_off(place, problem)

    def learn(self, data: bytes) -> bool:
        """Take a register, keep it and pass it on if it is newer; raises PeerError where it is none."""
        register, signed = unseal(data, self.credentials.authority)
        if register.federation != self.register.federation:
            raise PeerError("register", "it is another federation's")
        if register.number <= self.register.number:
            return False
        self.register, self._signed = register, signed
        self._keep_register(signed)
        log.info("register number %s of the federation is in force", register.number)
        for peer in self.peers.values():
            for stream in peer.streams:
                stream.tell(Registered(signed.encoded()))
        self._apply_register()
        for place in self._neighbours:
            self.dial(place)  # where it listens may be news
        return True

    async def close(self, *, finished: bool = True) -> None:
        """End all streams; having `finished`, say so, and wait until the other sides have what was sent."""
        self._closing = True
        streams = [stream for peer in self.peers.values() for stream in peer.streams]
        if finished and streams:
            for stream in streams:
                stream.tell(Finished())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(stream.taken.wait() for stream in streams)), CLOSING_SECONDS)
        tasks = [task for peer in self.peers.values() for task in peer.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(None)

    # ---- dialling

    def _dials(self, place: int) -> bool:
        """Whether it is up to this place to dial `place`: of two that listen, the one with the higher number does."""
        return self._address(place) is not None and (self._listen is None or place < self.mine)

    def _address(self, place: int) -> str | None:
        if self._addresses is not None:
            return self._addresses[place]
        member = self.register.member(self.peers[place].nodes[0])
        return None if member is None else member.address

    def _over(self, peer: Peer) -> bool:
        """Whether no more streams with `peer` are wanted."""
        return self._closing or peer.excluded or peer.finished

    async def _keep_dialled(self, peer: Peer) -> None:
        failures = 0
        if peer.place in self._neighbours and not self._back and not self._dials(peer.place):
            await asyncio.sleep(TURN_SECONDS * self._wake.uniform(1.0, 1.5))
        while not self._over(peer) and not peer.streams:
            peer.state = "dialling"
            if await self._dial_once(peer):
                failures = 0
            if self._over(peer):
                return
            failures += 1
            longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 12))
            await asyncio.sleep(longest * self._wake.uniform(0.5, 1.0))

    async def _dial_once(self, peer: Peer) -> bool:
        """One stream, from its greeting to its end; whether there was one at all."""
        address = self._address(peer.place)
        if address is None:
            return False
        channel = tls.channel(self.credentials, address, self.register.host(peer.nodes[0]))
        call = channel.stream_stream(f"/{tls.SERVICE}/{tls.METHOD}")()
        try:
            return await self._converse(peer, reading(call.read), call.write)
        finally:
            call.cancel()  # closing the channel does not always tell the other side
            await channel.close()

    # ---- being dialled

    async def _accept(self, _: object, context: Any) -> None:
        try:
            certificate = certificate_of(context)
            if certificates.is_authority(certificate, self.register.federation):
                await self._from_authority(context)
                return
            peer = self._who(certificates.identity_of(certificate))
        except PeerError as problem:
            log.warning("a stream was refused: %s", problem)
            await context.abort(tls.grpc.StatusCode.PERMISSION_DENIED, str(problem))
            return
        if peer.excluded or self._closing:
            await context.abort(tls.grpc.StatusCode.PERMISSION_DENIED, "closed" if self._closing else f"cut off: {peer.problem}")
        self._make_room(peer)
        work = self._task(peer, self._converse(peer, reading(context.read), context.write))
        peer.accepted.append(work)
        work.add_done_callback(peer.accepted.remove)
        try:
            await asyncio.wait({work})  # a task of our own: gRPC would make noise if we cancelled its
        finally:
            work.cancel()

    def _make_room(self, peer: Peer) -> None:
        """A new stream takes the place of the oldest, whose other end is perhaps long gone; but not again and again."""
        while len(peer.accepted) >= self.limits.streams:
            oldest = peer.accepted.pop(0)
            oldest.remove_done_callback(peer.accepted.remove)
            oldest.cancel()
            if peer.openings.spend(1):
                self.offence(peer.place, PeerError("too many streams", f"{self.limits.streams} at a time"))

    def _who(self, identity: certificates.Identity) -> Peer:
        """Whose stream it is; raises PeerError where nobody's who takes part."""
        place = self._place_of.get(identity.nodes[0])
        if identity.federation != self.register.federation or place is None or place == self.mine:
            raise PeerError("stranger", f"no place of this run has the certificate of node {_named(identity.nodes)}")
        peer, member = self.peers[place], self.register.member(identity.nodes[0])
        if identity.nodes != peer.nodes:
            raise PeerError("wrong sender", f"a certificate for nodes {_named(identity.nodes)}")
        if member is not None and (member.revoked or member.generation > identity.generation):
            raise PeerError("revoked", f"node {_named(peer.nodes)} ({member.name})")
        return peer

    async def _from_authority(self, context: Any) -> None:
        """The authority's own service brings a register, or asks how this node is, and nothing else."""
        message = await first_control(reading(context.read), GREETING_SECONDS)
        if isinstance(message, Registered):
            self.learn(message.signed)
            await context.write(control(Taken()))
        elif isinstance(message, Word):
            await context.write(control(self._listener.asked(message)))

    # ---- a stream, whoever dialled

    async def _converse(self, peer: Peer, read: Read, write: Write) -> bool:
        """Greet, then send and listen until the stream ends; whether a greeting came."""
        stream = Stream(read, write, self.largest, self.limits, peer.traffic)
        pump: asyncio.Task[None] | None = None
        try:
            await write(control(Greeting(coterie.__version__, self.run, self.register.number)))
            greeting = await first_control(read, GREETING_SECONDS)
            if greeting is None:
                return False
            self._welcome(peer, stream, greeting)
            pump = self._task(peer, self._pump(stream))
            self._attach(peer, stream)
            await stream.listen(lambda parts: self.deliver(peer.place, parts), lambda message: self._hear(peer, stream, message))
        except PeerError as problem:
            self.offence(peer.place, problem)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(write(control(Refused(str(problem)))), 1.0)
        except BROKEN as error:
            peer.problem = told(error)
            log.debug("no stream with node %s: %s", _named(peer.nodes), peer.problem)
        except Exception as problem:  # noqa: BLE001 - gRPC would swallow it
            self._listener.broke(problem)
        finally:  # nothing is awaited here: gRPC may cancel a task more than once
            if pump is not None:
                pump.cancel()
            self._detach(peer, stream)
        return pump is not None

    async def _pump(self, stream: Stream) -> None:
        try:
            await stream.pump()
        except BROKEN:
            pass  # whoever reads from the stream sees its end, too
        except Exception as problem:  # noqa: BLE001 - nobody awaits this task
            self._listener.broke(problem)

    def _attach(self, peer: Peer, stream: Stream) -> None:
        """From now on what is for `peer` goes over `stream`."""
        peer.streams.append(stream)
        peer.state, peer.problem, peer.left = "connected", "", False
        self._listener.connected(peer.place)

    def _detach(self, peer: Peer, stream: Stream) -> None:
        stream.taken.set()
        if stream in peer.streams:
            peer.streams.remove(stream)
            if not peer.excluded and not peer.streams:
                peer.state = "finished" if peer.finished else "not connected"
            if not self._over(peer) and not peer.streams and peer.place in self._neighbours:
                self.dial(peer.place)

    def _welcome(self, peer: Peer, stream: Stream, greeting: Control) -> None:
        """Raises PeerError unless the other side speaks of the same run with the same program."""
        if isinstance(greeting, Refused):
            raise PeerError("refused", greeting.reason)
        if not isinstance(greeting, Greeting):
            raise PeerError("malformed", "a stream begins with a greeting")
        if greeting.version != coterie.__version__:
            raise PeerError("version", f"node {_named(peer.nodes)} runs Coterie {greeting.version}, this is {coterie.__version__}")
        if greeting.run != self.run:
            raise PeerError("wrong run", f"node {_named(peer.nodes)} takes part in another run: its scenario differs from ours")
        if greeting.register < self.register.number:
            stream.tell(Registered(self._signed.encoded()))

    def _hear(self, peer: Peer, stream: Stream, message: Control) -> None:
        match message:
            case _ if peer.excluded:
                return
            case Registered():
                self.learn(message.signed)
            case Finished():
                peer.finished = peer.left = True
                stream.tell(Taken())
            case Taken():
                stream.taken.set()
            case Refused():
                peer.problem = f"it refuses us: {message.reason}"
                log.warning("node %s refuses us: %s", _named(peer.nodes), message.reason)
            case Word():
                self._listener.heard(peer.place, message)
            case _:
                raise PeerError("malformed", "a second greeting")

    # ---- the rest

    def _apply_register(self) -> None:
        for peer in self.peers.values():
            member = self.register.member(peer.nodes[0])
            if member is not None and member.revoked:
                self.exclude(peer.place, PeerError("revoked", member.name))

    def _drop(self, peer: Peer) -> None:
        for task in list(peer.tasks):
            task.cancel()

    def _loop_soon(self, function: Callable[[Peer], None], peer: Peer) -> None:
        asyncio.get_running_loop().call_later(0.05, function, peer)  # so that the reason still goes out

    def _task(self, peer: Peer, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        peer.tasks.add(task)
        task.add_done_callback(peer.tasks.discard)
        return task


def _named(nodes: tuple[NodeId, ...]) -> str:
    return ", ".join(map(str, nodes))
