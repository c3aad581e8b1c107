"""The authority of a federation: whoever has its key says who is a member.

Its folder holds the key, the certificate, the scenario and `federation.json`: what has been promised to whom. Commands that run
at the same time, such as `serve` and `invite`, take turns by a lock on the folder.
"""

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from coterie.core.errors import PeerError, ScenarioError
from coterie.core.ids import NodeId
from coterie.runtime import certificates
from coterie.runtime.certificates import Certificate, Identity, Key
from coterie.runtime.identity import Credentials, check_private, private_folder, write_private
from coterie.runtime.register import FILE as REGISTER
from coterie.runtime.register import Member, Register, SignedRegister, seal, unseal

KEY, CERTIFICATE, SERVER_KEY, SERVER, SCENARIO, STATE = (
    "authority.key",
    "authority.crt",
    "server.key",
    "server.crt",
    "scenario.yaml",
    "federation.json",
)
INVITATION_SECONDS = 3600.0


class Invitation(msgspec.Struct):
    """One promise: whoever brings the secret with this digest until `expires` becomes `name`, once.

    taken_by: fingerprint of the key that did; the same key may ask again (its answer was lost on the way).
    """

    name: str
    node: int
    secret: str
    expires: float
    taken_by: str = ""


class State(msgspec.Struct):
    """`federation.json`. address: where `serve` answers."""

    federation: str
    name: str
    nodes: int
    address: str
    invitations: list[Invitation] = []


@dataclass(frozen=True, repr=False)
class Authority:
    """An authority by its folder."""

    folder: Path

    @classmethod
    def init(cls, folder: Path, *, name: str, nodes: int, scenario: str, address: str) -> "Authority":
        """A new federation of so many nodes, in a new folder; raises ScenarioError where there is one already."""
        if (folder / STATE).exists() or (folder / KEY).exists():
            raise ScenarioError.at(str(folder), "holds a federation already", "choose another folder with --folder")
        private_folder(folder)
        federation, key, server_key = secrets.token_hex(16), certificates.new_key(), certificates.new_key()
        authority = certificates.new_authority(federation, key)
        server = certificates.certify_authority_server(federation, server_key.public_key(), authority, key)
        write_private(folder / KEY, certificates.key_pem(key))
        write_private(folder / CERTIFICATE, certificates.pem(authority))
        write_private(folder / SERVER_KEY, certificates.key_pem(server_key))
        write_private(folder / SERVER, certificates.pem(server))
        write_private(folder / SCENARIO, scenario.encode())
        seal(Register(federation, 1, issued=int(time.time())), key).write(folder)
        write_private(folder / STATE, msgspec.json.encode(State(federation, name, nodes, address)))
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> "Authority":
        """The one in `folder`; raises ScenarioError."""
        if not (folder / STATE).is_file():
            raise ScenarioError.at(str(folder), "holds no federation", "make one: coterie federation init SCENARIO --folder " + str(folder))
        check_private(folder / KEY)
        return cls(folder)

    @property
    def certificate(self) -> Certificate:
        """What its signatures are checked with."""
        return certificates.read_certificate((self.folder / CERTIFICATE).read_bytes())

    @property
    def server_certificate(self) -> Certificate:
        """What the enrolment service proves itself with."""
        return certificates.read_certificate((self.folder / SERVER).read_bytes())

    @property
    def scenario(self) -> str:
        """The text of the scenario."""
        return (self.folder / SCENARIO).read_text()

    @property
    def state(self) -> State:
        """What has been promised."""
        return msgspec.json.decode((self.folder / STATE).read_bytes(), type=State)

    @property
    def signed_register(self) -> SignedRegister:
        """The register in force, as it goes to nodes."""
        return unseal((self.folder / REGISTER).read_bytes(), self.certificate)[1]

    @property
    def register(self) -> Register:
        """The register in force."""
        return unseal((self.folder / REGISTER).read_bytes(), self.certificate)[0]

    def _key(self) -> Key:
        return certificates.read_key((self.folder / KEY).read_bytes())

    @contextmanager
    def _turn(self) -> Iterator[State]:
        """The state, to be changed by nobody else meanwhile, and written back at the end."""
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.state
            yield state
            write_private(self.folder / STATE, msgspec.json.encode(state))
        finally:
            os.close(lock)

    def invite(self, name: str, node: int | None = None, seconds: float = INVITATION_SECONDS) -> tuple[Invitation, str]:
        """Promise a place to `name`: the invitation, and its secret, which is kept nowhere. Raises ScenarioError."""
        if not certificates.NODE_NAME.fullmatch(name):
            raise ScenarioError.at("NAME", f"{name!r} is no name for a node", "take letters, digits, dots, dashes; 63 at the most")
        secret = secrets.token_urlsafe(16)
        with self._turn() as state:
            now = time.time()
            state.invitations = [one for one in state.invitations if one.name != name and (one.taken_by or one.expires > now)]
            place = self._place_for(state, name, node)
            invitation = Invitation(name, place, _digest(secret), now + seconds)
            state.invitations.append(invitation)
        return invitation, secret

    def _place_for(self, state: State, name: str, wanted: int | None) -> int:
        """The node id for `name`: its old one if it was revoked, else `wanted`, else the first that is free."""
        register = self.register
        known = register.named(name)
        if known is not None and not known.revoked:
            fix = f"choose another name, or revoke it first: coterie federation revoke {name}"
            raise ScenarioError.at("NAME", f"{name} is a member already (node {known.node})", fix)
        taken = {member.node: member.name for member in register.members if not member.revoked}
        promised = {one.node: one.name for one in state.invitations if not one.taken_by}
        if wanted is None and known is not None and known.node not in taken | promised:
            return known.node
        free = [node for node in range(state.nodes) if node not in taken | promised]
        if wanted is not None and wanted not in free:
            who = (taken | promised).get(wanted)
            problem = f"node {wanted} is {who}'s" if who else f"there is no node {wanted} among {state.nodes}"
            raise ScenarioError.at("--node", problem, f"free are {', '.join(map(str, free[:10])) or 'none'}")
        if not free:
            raise ScenarioError.at("NAME", f"all {state.nodes} places of the scenario are taken or promised", "revoke a member, or wait")
        return free[0] if wanted is None else wanted

    def enrol(self, secret: str, request: bytes, address: str | None) -> tuple[Certificate, Member]:
        """Make whoever brings the secret of an invitation a member; raises PeerError, in words for the joiner."""
        public = certificates.public_of(request)
        asks = certificates.key_fingerprint(public)
        with self._turn() as state:
            found = next((one for one in state.invitations if secrets.compare_digest(one.secret, _digest(secret))), None)
            if found is None:
                raise PeerError("token", "this federation has made no such invitation, or has made a later one to the same name")
            if found.taken_by and found.taken_by != asks:
                raise PeerError("token", f"the invitation of {found.name} has been used; each is good for one node")
            if found.expires < time.time():
                raise PeerError("token", f"the invitation of {found.name} has expired; ask for a new one")
            register = self.register
            earlier = register.member(found.node)
            again = bool(found.taken_by) and earlier is not None
            generation = 1 if earlier is None else earlier.generation + (not again)
            member = Member(found.node, found.name, address, generation)
            identity = Identity(state.federation, (NodeId(found.node),), (found.name,), generation)
            certificate = certificates.certify(identity, public, self.certificate, self._key())
            found.taken_by = asks
            self._publish(register.changed(member))
        return certificate, member

    def revoke(self, name: str) -> Member:
        """Cut a member off: the next register says so. Raises ScenarioError where there is none of this name."""
        with self._turn() as state:
            register = self.register
            member = register.named(name)
            if member is None:
                names = ", ".join(one.name for one in register.members) or "none yet"
                raise ScenarioError.at("NAME", f"there is no member called {name}", f"members are {names}")
            if member.revoked:
                raise ScenarioError.at("NAME", f"{name} has been revoked already", "invite it anew, if it is to come back")
            state.invitations = [one for one in state.invitations if one.name != name]
            revoked = Member(member.node, member.name, member.address, member.generation, revoked=True)
            self._publish(register.changed(revoked))
        return revoked

    def messenger(self) -> Credentials:
        """Credentials to bring nodes a new register with: a certificate for no node, good for ten minutes."""
        key, own = self._key(), certificates.new_key()
        certificate = certificates.certify_authority_server(self.state.federation, own.public_key(), self.certificate, key, days=1 / 144)
        return Credentials(own, certificate, self.certificate)

    def _publish(self, register: Register) -> None:
        seal(register, self._key()).write(self.folder)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, repr=False)
class Trial:
    """A federation made up on the spot, for processes of one machine: everybody's credentials, and the register.

    The authority's key is nowhere once it has signed them. credentials: of each place; None for those of others, in a place's process.
    """

    credentials: tuple[Credentials | None, ...]
    register: SignedRegister

    @classmethod
    def of(cls, places: Sequence[tuple[NodeId, ...]], addresses: Sequence[str | None] | None = None) -> "Trial":
        """Credentials for each place, which others dial at the address of the same number (the register knows none by default)."""
        return cls.with_key(places, addresses)[0]

    def write(self, folders: Sequence[Path]) -> None:
        """Keep each place's credentials, and the register, in the folder of its own."""
        for folder, one in zip(folders, self.credentials, strict=True):
            assert one is not None
            one.write(folder)
            self.register.write(folder)

    @classmethod
    def read(cls, folders: Sequence[Path]) -> "Trial":
        """The way back; raises ScenarioError."""
        credentials = tuple(Credentials.read(folder) for folder in folders)
        try:
            return cls(credentials, unseal((folders[0] / REGISTER).read_bytes(), credentials[0].authority)[1])
        except (OSError, PeerError) as error:
            raise ScenarioError.at(str(folders[0]), f"is damaged: {error}", "begin the run anew, in another folder") from None

    def only(self, place: int) -> "Trial":
        """What the process at `place` may know."""
        return Trial(tuple(one if number == place else None for number, one in enumerate(self.credentials)), self.register)

    @classmethod
    def with_key(cls, places: Sequence[tuple[NodeId, ...]], addresses: Sequence[str | None] | None = None) -> "tuple[Trial, Key]":
        """As `of`, and the authority's key, for those who have more to sign."""
        federation, key = secrets.token_hex(16), certificates.new_key()
        authority = certificates.new_authority(federation, key)
        credentials, members = [], []
        for nodes, address in zip(places, addresses or [None] * len(places), strict=True):
            identity = Identity(federation, nodes, certificates.names_for(nodes))
            own = certificates.new_key()
            credentials.append(Credentials(own, certificates.certify(identity, own.public_key(), authority, key), authority))
            members += [Member(node, name, address) for node, name in zip(nodes, identity.names, strict=True)]
        return cls(tuple(credentials), seal(Register(federation, 1, members), key)), key
