import gzip
import struct

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.files import idx

GOOD = bytes([0, 0, 8, 2]) + struct.pack(">2I", 2, 3) + bytes(range(6))


@pytest.mark.parametrize("content", [GOOD, gzip.compress(GOOD, mtime=0)])
def test_plain_and_compressed(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert np.array_equal(idx.read(tmp_path / "file", axes=2), np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD[:-1], "holds 6 values \\(2, 3\\) but has only 5"),
        (GOOD + b"x", "but has more"),
        (GOOD[:7], "ends within its header"),
        (b"", "begins with nothing"),
        (b"\x00\x00\x0d\x02" + GOOD[4:], "begins with 00 00 0d 02; an idx file of bytes with 2 axes with 00 00 08 02"),
        (b"<html>", "begins with 3c 68 74 6d"),
        (gzip.compress(GOOD, mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8b nonsense", "cannot be read"),
        (bytes([0, 0, 8, 2]) + struct.pack(">2I", 2**31, 2**31), "has only 0"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ScenarioError, match=said):
        idx.read(tmp_path / "file", axes=2)


def test_a_missing_file(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        idx.read(tmp_path / "none", axes=1)
