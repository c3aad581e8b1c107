"""What the documentation shows is so: every scenario is checked, every Python block and every command runs, in the order of
the page, in a folder of its own that has the examples beside it.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from coterie.cli import app
from docs.apart import apart
from docs.pages import LANGUAGES, PAGES, ROOT, Block, blocks, commands

BASE = {"task": "digits", "nodes": 16}
"""What a scenario block that names no task is read on top of."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", "runs"))
    with apart(tmp_path):
        names = {"__name__": "__main__"}
        for block in blocks(page):
            assert block.language in LANGUAGES, f"{block.where}: what is {block.language!r}?"
            written = write(block, tmp_path)
            if "not run" in block.directives:
                assert block.directives["not run"], f"{block.where}: say why it is not run"
            elif block.language == "yaml":
                check(block, written or example(block, tmp_path))
            elif block.language == "console":
                for command, output in commands(block.text):
                    run(block, command, output)
            elif block.language == "python" and written is None:
                exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)


def write(block: Block, folder: Path) -> Path | None:
    """The file that the block is, if it is one."""
    if "file" not in block.directives:
        return None
    path = folder / block.directives["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)
    return path


def example(block: Block, folder: Path) -> Path:
    """A scenario that is no file: completed by what it leaves out."""
    settings = yaml.safe_load(block.text)
    path = folder / "block.yaml"
    path.write_text(block.text if "task" in settings else yaml.safe_dump({**BASE, **settings}))
    return path


def check(block: Block, path: Path) -> None:
    code, said = coterie(["check", str(path)])
    expected = 2 if "refused" in block.directives else 0
    assert code == expected, f"{block.where}: coterie check ends with {code}\n{said}"


def coterie(arguments: list[str]) -> tuple[int, str]:
    """The exit code and the output of a command; an error that it did not expect is raised."""
    done = CliRunner(env={"COLUMNS": "100"}).invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def run(block: Block, command: str, output: str) -> None:
    """Runs a command, and compares its output with what is shown, if anything is and the command was not shrunk."""
    program, *words = shlex.split(command)
    arguments = [found for word in words for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    shrunk = "shrink" in block.directives and arguments[0] == "run"
    if program == "coterie":
        code, said = coterie([*arguments, *(shlex.split(block.directives["shrink"]) if shrunk else [])])
    else:
        assert program == "python", f"{block.where}: {program} is not run here"
        other = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
        code, said = other.returncode, other.stdout + other.stderr
    refused = "refused" in block.directives
    assert (code != 0) == refused, f"{block.where}: {command} ends with {code}\n{said}"
    if output.strip() and not shrunk:
        assert matches(output, said), f"{block.where}: {command} prints\n{said}"


def matches(shown: str, said: str) -> bool:
    """Whether the output is as shown; `…` stands for anything, blanks at the ends of lines do not count."""
    clean = ["\n".join(line.rstrip() for line in text.splitlines()).strip() for text in (shown, said)]
    return re.fullmatch(".*?".join(map(re.escape, clean[0].split("…"))), clean[1], flags=re.DOTALL) is not None
