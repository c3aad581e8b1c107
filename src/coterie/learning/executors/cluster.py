"""The Ray cluster of this process: an existing one by its address, or a local one that is started here and stopped with the run.

Ray reports nothing to anybody, and a local one has no dashboard and takes orders only from who knows its token.
"""

import atexit
import contextlib
import gc
import importlib.util
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from coterie.core.errors import ScenarioError
from coterie.learning.executors import cores

ANSWER_SECONDS = 20.0
"""An address that does not answer within this has no cluster."""
PREFIX, LOCK, YOUNG_SECONDS = "coterie-ray-", "lock", 60.0
"""The names of a local cluster's folder and of its lock; a lock that is younger may not be held yet."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""No report to Ray's makers, and no tips on standard error."""
OWN = {"RAY_AUTH_MODE": "token", "RAY_memory_monitor_refresh_ms": "0"}
"""Of a local one: who gives it orders must know the token, and no worker is ended because others fill the machine's memory."""
INSTALL = "pip install 'coterie[ray]'"

log = logging.getLogger("coterie.ray")


class _Local:
    """What a local cluster leaves to be put back or removed. holders: who needs the connection. idle: workers without an executor."""

    folder: str | None = None
    lock: Any = None
    before: Mapping[str, str | None] = {}
    holders: int = 0
    idle: ClassVar[list[Any]] = []


def installed() -> bool:
    """Whether Ray is there; does not import it."""
    return importlib.util.find_spec("ray") is not None


def require() -> None:
    """Raises ScenarioError where Ray is not installed."""
    if not installed():
        raise ScenarioError.at("executor.name", "Ray is not installed", f"{INSTALL}, or write processes")


def connect(address: str | None, workers: int | None) -> Any:
    """The module `ray`, connected; a `disconnect` belongs to it. Raises ScenarioError.

    address: host:port of an existing cluster, or auto for the one of this machine; without one, a local cluster is started, with so
    many workers. A process that is connected already stays so, whatever the address.
    """
    require()
    before = _set(QUIET)
    import ray

    ray._private.worker.print_to_stdstream = _logged  # type: ignore[assignment]  # noqa: SLF001 - it has no public way to say where workers' words go
    if not ray.is_initialized():
        if address is None:
            _start(ray, workers or cores(), before)
        else:
            _join(ray, address)
    _Local.holders += 1
    return ray


def _logged(data: Mapping[str, Any], **_: Any) -> None:
    """What Ray would print on standard output, where nothing of its belongs."""
    for line in data["lines"]:
        log.info("ray: %s", line)


def disconnect() -> None:
    """The end of a `connect`; with the last, a local cluster is stopped."""
    _Local.holders -= 1
    if not _Local.holders:
        _dismiss()
        _stop()


@contextmanager
def kept() -> Iterator[None]:
    """Within this, a local cluster that was started serves whoever comes after; it is stopped at the end."""
    _Local.holders += 1
    try:
        yield
    finally:
        disconnect()


def spared(actor: Any) -> bool:
    """Keeps a worker for the next executor, whose start it saves; whether somebody holds the connection until then."""
    kept = _Local.holders > 1
    if kept:
        _Local.idle.append(actor)
    return kept


def idle_actor() -> Any:
    """A worker that was spared and still lives, or None."""
    import ray

    while _Local.idle:
        actor = _Local.idle.pop()
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(actor.versions.remote(), timeout=ANSWER_SECONDS)
            return actor
    return None


def _dismiss() -> None:
    while _Local.idle:
        import ray

        actor = _Local.idle.pop()
        if ray.is_initialized():
            ray.kill(actor)


def _set(values: Mapping[str, str]) -> dict[str, str | None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    return before


def _start(ray: Any, workers: int, before: Mapping[str, str | None]) -> None:
    """A cluster of this machine, for this process alone."""
    _Local.before = {**_set({**OWN, "RAY_AUTH_TOKEN": secrets.token_hex(32)}), **before}
    _read_token()
    _Local.folder = _folder()
    atexit.register(_stop)
    try:
        with _unwarned():
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **_SILENT, _temp_dir=_Local.folder)
    except Exception as error:
        _stop()
        raise ScenarioError.at("executor", f"Ray could not be started: {_first_line(error)}", "write processes") from error


def _folder() -> str:
    """A new folder for Ray's files, with a lock that lasts as long as this process; removes those whose processes were killed."""
    import fcntl

    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError), old.open() as lock:  # in use, somebody else's, or gone already
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - old.stat().st_mtime > YOUNG_SECONDS:
                shutil.rmtree(old.parent, ignore_errors=True)
    made = tempfile.mkdtemp(prefix=PREFIX)
    _Local.lock = Path(made, LOCK).open("w")  # noqa: SIM115 - for as long as the process lives
    fcntl.flock(_Local.lock, fcntl.LOCK_EX)
    return made


_SILENT = {"log_to_driver": False, "configure_logging": False}


@contextmanager
def _unwarned() -> Iterator[None]:
    """Ray forgets child processes and sockets, which Python remarks when it comes upon them: here, and not somewhere later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


def _read_token() -> None:
    """Makes Ray see what the environment says of tokens now; else it remembers what it said before."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    AuthenticationTokenLoader.instance().reset_cache()
    Config.initialize("")


def _stop() -> None:
    if _Local.folder is None:
        return
    import ray

    with _unwarned():
        ray.shutdown()
    _Local.lock.close()
    shutil.rmtree(_Local.folder, ignore_errors=True)
    _Local.folder = None
    for name, value in _Local.before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _read_token()
    atexit.unregister(_stop)


def _join(ray: Any, address: str) -> None:
    """Raises ScenarioError, within ANSWER_SECONDS, where no cluster answers; Ray itself would wait for minutes, or end the process."""
    if "://" in address:
        raise ScenarioError.at(
            "executor.address",
            f"{address!r} is that of a Ray client's server",
            "run on a machine of the cluster, and write host:6379 or auto",
        )
    nobody = ScenarioError.at(
        "executor.address",
        f"no Ray cluster answers at {address}",
        "start one with ray start --head, write its host:port, or leave address out for a local one",
    )
    if not _answers(address):
        raise nobody
    try:
        with _unwarned():
            ray.init(address=address, **_SILENT)
    except ConnectionError:
        raise nobody from None
    except RuntimeError as error:
        if "version" not in str(error).lower():
            raise
        words = " ".join(str(error).split())
        raise ScenarioError.at("executor.address", f"the cluster runs other versions: {words}", "install the same everywhere") from None


def _answers(address: str) -> bool:
    """Whether there is a cluster; asked by a process of its own, since Ray has no time limit here that it keeps to."""
    host, _, port = address.rpartition(":")
    if address != "auto":
        if not port.isdecimal() or not host:
            raise ScenarioError.at("executor.address", f"{address!r} is not an address", "write host:port, or auto")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        except (OSError, OverflowError):
            return False
    question = [sys.executable, "-c", ASK, address]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(question, timeout=ANSWER_SECONDS, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own
    return False


ASK = """
import sys
from ray._private.services import canonicalize_bootstrap_address
from ray._raylet import GcsClient
GcsClient(address=canonicalize_bootstrap_address(sys.argv[1]))
"""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
