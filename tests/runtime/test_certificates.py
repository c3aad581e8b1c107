"""Certificates say who somebody is, and only what the federation's own authority signed is believed."""

import stat
from datetime import timedelta

import pytest

from coterie.core.errors import PeerError, ScenarioError
from coterie.core.ids import NodeId
from coterie.federation.messages import Model, Update
from coterie.runtime import certificates
from coterie.runtime.authority import Trial
from coterie.runtime.certificates import Identity
from coterie.runtime.identity import Credentials
from coterie.runtime.register import Member, Register, seal, unseal
from coterie.runtime.seals import Seals

ID = "0123456789abcdef" * 2
WHO = Identity(ID, (NodeId(3), NodeId(5)), ("clinic-c", "clinic.e"), 2)


@pytest.fixture(scope="module")
def us():
    return Trial.of(((NodeId(0),), (NodeId(1), NodeId(2))), ("127.0.0.1:1", None))


def authority():
    key = certificates.new_key()
    return certificates.new_authority(ID, key), key


def test_a_certificate_names_nodes_federation_and_generation():
    signer, key = authority()
    made = certificates.certify(WHO, certificates.new_key().public_key(), signer, key)
    certificates.check_issued(made, signer)
    assert certificates.identity_of(made) == WHO
    assert WHO.host == f"n3.g2.{ID}.coterie"
    assert not certificates.is_authority(made, ID)


def test_the_authoritys_server_is_no_node():
    signer, key = authority()
    made = certificates.certify_authority_server(ID, certificates.new_key().public_key(), signer, key)
    assert certificates.is_authority(made, ID)
    assert not certificates.is_authority(made, "f" * 32)
    with pytest.raises(PeerError, match="not a node's"):
        certificates.identity_of(made)


@pytest.mark.parametrize(("days", "word"), [(-1.0, "expired"), (1.0, "")])
def test_an_expired_certificate_is_refused(days, word, monkeypatch):
    signer, key = authority()
    monkeypatch.setattr(certificates, "SKEW", timedelta(days=30))
    made = certificates.certify(WHO, certificates.new_key().public_key(), signer, key, days)
    if not word:
        certificates.check_issued(made, signer)
        return
    with pytest.raises(PeerError, match=word):
        certificates.check_issued(made, signer)


def test_a_wrong_clock_is_named(monkeypatch):
    signer, key = authority()
    monkeypatch.setattr(certificates, "SKEW", timedelta(days=-1))  # valid from tomorrow on
    made = certificates.certify(WHO, certificates.new_key().public_key(), signer, key, 10)
    with pytest.raises(PeerError, match="check the clocks"):
        certificates.check_issued(made, signer)


def test_another_authority_is_not_believed(us):
    with pytest.raises(PeerError, match="another federation's"):
        certificates.check_issued(us.credentials[0].certificate, authority()[0])


def test_a_request_without_its_key_is_refused():
    good = certificates.request(certificates.new_key(), "a")
    assert certificates.public_of(good).curve.name == "secp256r1"
    for bad in (b"", b"-----BEGIN", good[:100], good.replace(b"\nMI", b"\nMJ", 1)):
        with pytest.raises(PeerError):
            certificates.public_of(bad)


def test_credentials_are_for_their_owners_eyes(us, tmp_path):
    folder = tmp_path / "node"
    us.credentials[0].write(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert Credentials.read(folder).identity == us.credentials[0].identity
    assert "PRIVATE" not in repr(us.credentials[0])
    assert "EllipticCurve" not in repr(us.credentials[0])
    (folder / "node.key").chmod(0o644)
    with pytest.raises(ScenarioError, match="chmod 600"):
        Credentials.read(folder)


def test_a_register_is_believed_only_as_it_was_signed():
    us, key = Trial.with_key(((NodeId(0),), (NodeId(1), NodeId(2))), ("127.0.0.1:1", None))
    signer = us.credentials[0].authority
    register, signed = unseal(us.register.encoded(), signer)
    assert [member.node for member in register.members] == [0, 1, 2]
    newer = seal(register.changed(Member(0, "node-0", None, 2, revoked=True)), key)
    found, _ = unseal(newer.encoded(), signer)
    assert (found.number, found.member(0).revoked, found.host(0)) == (2, True, f"n0.g2.{register.federation}.coterie")
    forged = type(signed)(signed.content.replace(b'"number":1', b'"number":9'), signed.signature)
    for bad in (forged.encoded(), seal(register, certificates.new_key()).encoded(), b"", b"{}", b"[" * 10_000):
        with pytest.raises(PeerError):
            unseal(bad, signer)
    assert Register("x", 1).changed(Member(2, "b"), Member(1, "a")).members[0].node == 1


def test_what_passes_through_others_is_believed_by_its_origins_seal(us):
    origin, receiver = (Seals(credentials, 7) for credentials in us.credentials)
    body = memoryview(b"1234")
    message = Update(3, NodeId(0), weight=5)
    made = origin.of(message, body, own=True)
    receiver.check(message, body, made, keep=True)
    assert receiver.of(message, body, own=False) == made
    other = Seals(us.credentials[1], 8)
    for told, what, sealed in (
        (Update(4, NodeId(0), weight=5), body, made),
        (Update(3, NodeId(0), weight=6), body, made),
        (Update(3, NodeId(1), weight=5), body, made),
        (Model(3, NodeId(0), weight=5), body, made),
        (message, memoryview(b"1235"), made),
        (message, body, b""),
        (message, body, made[:-1]),
        (message, body, made[:20]),
        (message, body, Seals(Trial.of(((NodeId(0),),), (None,)).credentials[0], 7).of(message, body, own=True)),
    ):
        with pytest.raises(PeerError, match="seal"):
            receiver.check(told, what, sealed, keep=False)
    with pytest.raises(PeerError, match="seal"):
        other.check(message, body, made, keep=False)  # another run
    receiver.forget_all_but([])
    assert not receiver.kept
