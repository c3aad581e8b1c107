"""A small HTTP CONNECT proxy, a process of its own, that writes down who was asked for and what it carried."""

import socket
import threading
from pathlib import Path

from places import FORK


class ConnectProxy:
    """carries: where a dishonest one connects to, in place of what it is asked for. secret: what it demands, if anything."""

    def __init__(self, folder: Path, *, carries=None, secret=None):
        self.folder, self._carries, self._secret = folder, carries, secret
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._process = FORK.Process(target=self._work, daemon=True)
        self._process.start()
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.join()

    def asked(self):
        """The lines of all requests."""
        file = self.folder / "asked"
        return file.read_text() if file.exists() else ""

    def carried(self):
        """All bytes, both ways."""
        return b"".join(file.read_bytes() for file in self.folder.glob("carried-*"))

    def _work(self):
        for number in range(1000):
            near, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(near, number), daemon=True).start()

    def _serve(self, near, number):
        request = b""
        while b"\r\n\r\n" not in request:
            request += near.recv(4096)
        with (self.folder / "asked").open("a") as file:
            file.write(request.decode())
        if self._secret is not None and f"Basic {self._secret}".encode() not in request:
            near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            near.close()
            return
        host, _, port = (self._carries or request.split(b" ")[1].decode()).rpartition(":")
        try:
            far = socket.create_connection((host, int(port)))
        except OSError:
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            near.close()
            return
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for way, (a, b) in enumerate(((near, far), (far, near))):
            threading.Thread(target=self._carry, args=(a, b, self.folder / f"carried-{number}-{way}"), daemon=True).start()

    def _carry(self, a, b, file):
        with file.open("ab", buffering=0) as out:
            try:
                while data := a.recv(1 << 16):
                    out.write(data)
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)
            except OSError:
                pass
