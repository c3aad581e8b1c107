"""The scripts of the pages are tested in a browser where there is one."""

import shutil

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
collect_ignore = [] if BROWSER else ["test_report_in_browser.py"]
