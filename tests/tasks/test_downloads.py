import hashlib

import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.downloads import fetch

CONTENT = b"some data"
GOOD = {"data.bin": hashlib.sha256(CONTENT).hexdigest()}


def test_a_file_is_downloaded_once_and_kept(server, cache):
    folder, address, asked = server
    (folder / "data.bin").write_bytes(CONTENT)
    first = fetch("trial", GOOD, address)["data.bin"]
    assert first.read_bytes() == CONTENT
    assert cache in first.parents
    assert fetch("trial", GOOD, address)["data.bin"] == first
    assert asked == ["/data.bin"]


def test_a_damaged_copy_in_the_cache_is_replaced(server, cache):
    folder, address, _ = server
    (folder / "data.bin").write_bytes(CONTENT)
    kept = fetch("trial", GOOD, address)["data.bin"]
    kept.write_bytes(b"some dat")
    assert fetch("trial", GOOD, address)["data.bin"].read_bytes() == CONTENT


def test_what_does_not_match_its_checksum_is_refused_and_not_kept(server, cache):
    folder, address, _ = server
    (folder / "data.bin").write_bytes(b"something else")
    with pytest.raises(ScenarioError, match=r"data\.bin cannot be had.*SHA256|hash") as caught:
        fetch("trial", GOOD, address)
    assert "path:" in caught.value.faults[0].fix
    assert not list(cache.rglob("data.bin"))


def test_a_mirror_is_asked_instead(server, cache, monkeypatch):
    folder, address, asked = server
    (folder / "trial").mkdir()
    (folder / "trial" / "data.bin").write_bytes(CONTENT)
    monkeypatch.setenv("COTERIE_MIRROR", address + "/")
    assert fetch("trial", GOOD, "http://127.0.0.1:9/never")["data.bin"].read_bytes() == CONTENT
    assert asked == ["/trial/data.bin"]


def test_the_parameter_goes_before_the_environment(server, cache, monkeypatch):
    folder, address, _ = server
    (folder / "data.bin").write_bytes(CONTENT)
    monkeypatch.setenv("COTERIE_MIRROR", "http://127.0.0.1:9")
    assert fetch("trial", GOOD, "http://127.0.0.1:9", mirror=address)["data.bin"].is_file()


def test_no_answer_and_no_file_and_no_address(server, cache):
    _, address, _ = server
    with pytest.raises(ScenarioError, match=r"cannot be had from http://127\.0\.0\.1:9"):
        fetch("trial", GOOD, "http://127.0.0.1:9")
    with pytest.raises(ScenarioError, match="404"):
        fetch("trial", GOOD, address)
    with pytest.raises(ScenarioError, match="not an http address"):
        fetch("trial", GOOD, address, mirror="file:///etc")
