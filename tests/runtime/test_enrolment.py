"""Who becomes a member of a federation: by an invitation that is good once, for a while, and for this federation alone."""

import asyncio
import base64
import stat
import sys

import pytest

from connect_proxy import ConnectProxy
from coterie.core.errors import ScenarioError
from coterie.runtime import enrolment, home
from coterie.runtime.authority import Authority
from coterie.runtime.enrolment import JoinRefused, Service
from coterie.runtime.local import reserved


def made(folder, name="clinics", host="127.0.0.1"):
    (port,) = reserved(1)
    address = f"{host}:{port.getsockname()[1]}"
    port.close()
    return Authority.init(folder, name=name, nodes=3, scenario=f"name: {name}\n", address=address)


@pytest.fixture
def authority(tmp_path):
    return made(tmp_path / "authority")


async def serving(authority, work):
    service, (host, _, port) = Service(authority), authority.state.address.rpartition(":")
    await service.start(host, int(port))
    try:
        return await work
    finally:
        await service.close()


def join(authority, token, folder, address="127.0.0.1:7001"):
    return asyncio.run(serving(authority, home.join(token, folder, address)))


def invitation(authority, name="anna", seconds=60.0):
    return enrolment.invite(authority, name, None, seconds)[0].written()


def test_an_invited_node_becomes_a_member_whose_folder_only_its_owner_can_read(authority, tmp_path):
    membership = join(authority, invitation(authority), tmp_path / "anna")
    assert (membership.name, membership.node) == ("anna", 0)
    found = home.Home.read(tmp_path / "anna")
    assert found.credentials.identity.names == ("anna",)
    assert found.register.named("anna").address == "127.0.0.1:7001"
    assert found.scenario == "name: clinics\n"
    assert stat.S_IMODE((tmp_path / "anna").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "anna").iterdir()} == {0o600}


def test_an_invitation_is_good_once(authority, tmp_path):
    token = invitation(authority)
    join(authority, token, tmp_path / "anna")
    with pytest.raises(JoinRefused, match="used"):
        join(authority, token, tmp_path / "eve")
    assert not (tmp_path / "eve" / "node.crt").exists()


def test_an_invitation_expires(authority, tmp_path):
    with pytest.raises(JoinRefused, match="expired"):
        join(authority, invitation(authority, seconds=-1.0), tmp_path / "anna")
    assert authority.register.members == []


def test_a_joiner_says_nothing_to_another_federation_at_the_same_address(authority, tmp_path):
    other = Authority.init(tmp_path / "other", name="other", nodes=3, scenario="", address=authority.state.address)
    with pytest.raises(JoinRefused, match="certificate is another one"):
        join(other, invitation(authority), tmp_path / "anna")


@pytest.fixture
def beyond(tmp_path, monkeypatch):
    """An authority that is not on this very machine, as far as proxies go."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return made(tmp_path / "authority", host="127.0.0.2")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_node_joins_through_a_connect_proxy_that_sees_nothing(beyond, tmp_path, monkeypatch):
    token = invitation(beyond)
    with ConnectProxy(tmp_path, secret=base64.b64encode(b"clinic:pass word").decode()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        with pytest.raises(JoinRefused, match="refuses: 407"):
            join(beyond, token, tmp_path / "anna")
        monkeypatch.setenv("HTTPS_PROXY", f"http://clinic:pass%20word@{proxy.address}")
        assert join(beyond, token, tmp_path / "anna").name == "anna"
        assert f"CONNECT {beyond.state.address} HTTP/1.1" in proxy.asked()
        carried = proxy.carried()
    assert carried
    member = home.Home.read(tmp_path / "anna")
    for clear in (b"anna", b"clinics", enrolment.Token.read(token).secret.encode(), member.signed_register.content[:40]):
        assert clear not in carried


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_proxy_that_leads_to_another_authority_learns_nothing_and_the_invitation_stays_good(beyond, tmp_path, monkeypatch):
    token, other = invitation(beyond), made(tmp_path / "other", "other", "127.0.0.2")
    with ConnectProxy(tmp_path, carries=other.state.address) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        with pytest.raises(JoinRefused, match="certificate is another one"):
            join(other, token, tmp_path / "anna")
        assert f"CONNECT {beyond.state.address} HTTP/1.1" in proxy.asked()
    monkeypatch.delenv("HTTPS_PROXY")
    assert join(beyond, token, tmp_path / "anna").name == "anna"


def test_a_revoked_member_is_told_nothing_any_more(authority, tmp_path):
    join(authority, invitation(authority), tmp_path / "anna")
    member = home.Home.read(tmp_path / "anna")
    assert asyncio.run(serving(authority, member.refreshed())).register.number == authority.register.number
    authority.revoke("anna")
    with pytest.raises(JoinRefused, match="revoked"):
        asyncio.run(serving(authority, member.refreshed()))


def test_a_token_that_is_none_is_refused_in_words(authority, tmp_path):
    with pytest.raises((JoinRefused, ScenarioError)):
        join(authority, "not a token", tmp_path / "anna")
