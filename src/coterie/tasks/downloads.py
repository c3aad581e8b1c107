"""Files that a public data set is made of: downloaded once, checked by SHA-256, kept in a cache.

Two variables of the environment steer it: COTERIE_CACHE, the folder of the cache, and COTERIE_MIRROR, an address under which
a copy of every data set's files is found (`<mirror>/<data set>/<file>`) when the public one is out of reach.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from coterie.core.errors import ScenarioError

SECONDS_WITHOUT_ANSWER = 30


def fetch(data_set: str, checksums: Mapping[str, str], address: str, mirror: str | None = None) -> dict[str, Path]:
    """The local path of every file in `checksums` (file name → SHA-256 in hexadecimal), downloaded where it is not cached.

    address: of the public folder that holds the files. mirror: of the folder to take them from instead.

    Raises:
        ScenarioError: a file cannot be had, or is not what its checksum says.
    """
    import pooch

    shared = os.environ.get("COTERIE_MIRROR")
    base = mirror or (f"{shared.rstrip('/')}/{data_set}" if shared else address)
    if not base.startswith(("http://", "https://")):
        raise ScenarioError.at("mirror", f"{base!r} is not an http address", "write https://…, or give a local path: instead")
    cache = Path(os.environ.get("COTERIE_CACHE") or pooch.os_cache("coterie")) / data_set
    pooch.get_logger().setLevel(logging.WARNING)
    store = pooch.create(
        path=cache, base_url=base.rstrip("/") + "/", registry={name: f"sha256:{digest}" for name, digest in checksums.items()}
    )
    download = pooch.HTTPDownloader(timeout=SECONDS_WITHOUT_ANSWER)
    found = {}
    for name in checksums:
        try:
            found[name] = Path(store.fetch(name, downloader=download))
        except (OSError, ValueError) as error:  # no network, an HTTP error; a wrong checksum
            reason = " ".join(str(error).split())
            raise ScenarioError.at(
                "",
                f"{name} cannot be had from {base}: {reason}",
                "give path: to a local copy, or set COTERIE_MIRROR to an address that has it",
            ) from error
    return found
