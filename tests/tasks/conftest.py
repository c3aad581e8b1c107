import functools
import http.server
import os
import threading
from pathlib import Path

import pytest


@pytest.fixture
def server(tmp_path):
    """A folder served over HTTP on loopback: its path, its address, and the paths that were asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *parts):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{served.server_port}", asked
        served.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of downloads."""
    monkeypatch.setenv("COTERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COTERIE_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def real():
    """The path of a file in the folder of real data."""

    def find(name):
        folder = os.environ.get("COTERIE_DATA")
        if not folder or not Path(folder, name).is_file():
            pytest.skip(f"set COTERIE_DATA to a folder that holds {name}")
        return str(Path(folder, name))

    return find
