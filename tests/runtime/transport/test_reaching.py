"""How nodes find each other: round an address that cannot be reached, through an HTTP proxy, by a name that moves, by what a peer knows."""

import base64
import ctypes
import os
import sys
import time
from pathlib import Path

import pytest

from connect_proxy import ConnectProxy
from coterie.runtime import certificates
from coterie.runtime.register import Register, seal, unseal
from failing import may_mount, private_mounts
from places import Places

NOBODY = "127.0.0.1:9"
MOVED_SECONDS = 15.0
"""A name that moves is found again within so much: pauses between tries grow to 5 s."""


@pytest.mark.parametrize("unreachable", [0, 1])
def test_an_address_that_cannot_be_reached_keeps_nobody_apart(unreachable):
    with Places([None, None], dialled={unreachable: NOBODY}) as places:
        assert (places.told(0, "connected"), places.told(1, "connected")) == (1, 0)


def through(proxy, user=""):
    def prepare(place):
        os.environ.pop("NO_PROXY", None)
        os.environ.pop("no_proxy", None)
        if place == 1:
            os.environ["HTTPS_PROXY"] = f"http://{user}{proxy.address}"

    return prepare


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_node_dials_out_through_a_connect_proxy_that_sees_nothing(tmp_path):
    secret = base64.b64encode(b"clinic:pass word").decode()
    with (
        ConnectProxy(tmp_path, secret=secret) as proxy,
        Places([None, None], host="127.0.0.2", dialled={1: None}, prepare=through(proxy, "clinic:pass%20word@")) as places,
    ):
        assert (places.told(0, "connected"), places.told(1, "connected")) == (1, 0)
        assert f"CONNECT {places.addresses[0]} HTTP/1.1" in proxy.asked()
        carried = proxy.carried()
    assert carried
    for clear in (b"greeting", b"version", b"coterie.Peers", places.trial.register.content[:40]):
        assert clear not in carried


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_proxy_that_leads_elsewhere_is_found_out(tmp_path):
    with Places([None, None], host="127.0.0.2") as impostors:
        with (
            ConnectProxy(tmp_path, carries=impostors.addresses[0]) as proxy,
            Places([None, None], host="127.0.0.2", dialled={1: None}, prepare=through(proxy)) as places,
        ):
            give_up = time.monotonic() + 20
            while proxy.asked().count("CONNECT") < 3:  # it was tried again and again
                assert time.monotonic() < give_up
                time.sleep(0.05)
            assert not places.pipes[1].poll()
        assert not impostors.pipes[0].poll() or impostors.pipes[0].recv() == ("connected", 1)  # by its own peer


def test_a_name_that_moves_is_resolved_again(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("this user may not have a file of host names of its own")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.9 clinic.test\n")

    def own_names(place):
        if place == 1:
            private_mounts()
            assert ctypes.CDLL(None).mount(str(hosts).encode(), b"/etc/hosts", None, 4096, None) == 0  # MS_BIND
            assert "clinic.test" in Path("/etc/hosts").read_text()

    with Places([None, None], dialled=lambda own: {0: own[0].replace("127.0.0.1", "clinic.test"), 1: None}, prepare=own_names) as places:
        time.sleep(1.0)
        assert not places.pipes[1].poll()
        hosts.write_text("127.0.0.1 clinic.test\n")
        assert places.told(1, "connected", MOVED_SECONDS) == 0


def older(places, members):
    """A register that knows only some members, and is older than the one in force."""
    register, _ = unseal(places.trial.register.encoded(), places.trial.credentials[0].authority)
    return register, seal(Register(register.federation, 1, [one for one in register.members if one.node in members]), places.key)


def test_peers_are_learned_from_a_known_peer():
    def registers(places):
        register, few = older(places, {0, 2})
        newer = seal(register.changed(), places.key)
        return {0: newer, 1: newer, 2: few}

    with Places([None, None, None], registers=registers, dialled={2: None}) as places:
        assert {places.told(2, "connected"), places.told(2, "connected")} == {0, 1}


async def spread_a_forged_register(links):
    import asyncio

    from coterie.runtime.transport.wire import Registered

    while not links.peers[1].streams:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    links.peers[1].streams[0].tell(Registered(links.forged))


def test_a_register_that_the_authority_has_not_signed_is_nobodys_word():
    forger = certificates.new_key()

    async def forging(links):
        links.forged = seal(links.register.changed(), forger).encoded()
        await spread_a_forged_register(links)

    with Places([forging, None]) as places:
        assert places.told(1, "refused") == 0
