# ruff: noqa: INP001, T201 - a command, not a package
"""Makes images/report.png, beside this file: the top of the quickstart's report as a browser shows it.

python docs/make_picture.py            needs chromium; COTERIE_BROWSER names another
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import coterie
from coterie.scenario.reading import load

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1140, 1600
OFFLINE = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


def main() -> int:
    """The command."""
    browser = os.environ.get("COTERIE_BROWSER") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if browser is None:
        print("There is no chromium here: install it, or name a browser like it in COTERIE_BROWSER.")
        return 1
    picture = HERE / "images" / "report.png"
    with tempfile.TemporaryDirectory() as folder:
        run = coterie.run(load(HERE.parent / "examples" / "quickstart.yaml"), out=Path(folder) / "run")
        looks = [f"--window-size={WIDTH},{HEIGHT}", "--force-device-scale-factor=1", "--hide-scrollbars", "--virtual-time-budget=3000"]
        places = [f"--user-data-dir={folder}/profile", f"--screenshot={picture}", run.report.as_uri()]
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *OFFLINE, *looks, *places]
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    print(f"{picture}: {picture.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
