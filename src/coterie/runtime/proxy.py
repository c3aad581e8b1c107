"""Outwards through an HTTP proxy, where the environment names one as it does for other programs (HTTPS_PROXY, NO_PROXY).

The proxy only carries bytes: TLS is between the two ends, as without it, and each end is checked by the other.
"""

import asyncio
import base64
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

ANSWER_BYTES = 16 << 10
"""The most that a proxy may say before it carries bytes."""
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def proxy_for(address: str) -> str | None:
    """`http://[USER:PASSWORD@]HOST:PORT` through which to reach `address` (HOST:PORT), None where it is dialled directly."""
    host = address.rpartition(":")[0].strip("[]")
    proxies = getproxies_environment()
    named = proxies.get("https") or proxies.get("all")
    if not named or host in THIS_MACHINE or proxy_bypass(host):
        return None
    return named if "://" in named else f"http://{named}"


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to `address`, through a proxy if there must be one; raises OSError, with the reason, where there is none."""
    host, _, port = address.rpartition(":")
    proxy = proxy_for(address)
    if proxy is None:
        return await asyncio.open_connection(host.strip("[]"), int(port))
    about = urlsplit(proxy)
    if about.scheme != "http" or not about.hostname:
        raise OSError(None, f"the proxy {about.scheme}://{about.hostname} is not an HTTP proxy (http://HOST:PORT)")
    reader, writer = await asyncio.open_connection(about.hostname, about.port or 80, limit=ANSWER_BYTES)
    writer.write(_question(address, about.username, about.password))
    try:
        answer = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        answer = b""
    status = answer.split(b"\r\n", 1)[0][:200].decode("latin-1").split(" ", 2)
    if not status[0].startswith("HTTP/1.") or status[1:2] != ["200"]:
        writer.close()
        raise OSError(None, f"the proxy at {about.hostname} refuses: {' '.join(status[1:]) or 'no answer of HTTP'}")
    return reader, writer


def _question(address: str, user: str | None, password: str | None) -> bytes:
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if user is not None:
        secret = base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
