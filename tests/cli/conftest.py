"""One scenario, its file, and a finished run of it."""

import pytest

from cli.command import SCENARIO, coterie_


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def file(folder):
    path = folder / "s.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def finished(file, folder):
    result = coterie_("run", file, "--out", folder / "run", "--json")
    assert result.exit_code == 0
    return folder / "run", result
