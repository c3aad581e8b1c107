import numpy as np
import pytest

from coterie.tasks.dataset import Column
from coterie.tasks.frame import Frame
from coterie.tasks.ragged import Ragged


@pytest.fixture
def frame():
    """Makes a frame of nodes' train parts and test parts (lists of rows) and a common test set."""

    def make(train, test=(), common=((0.0, 0.0),), columns=(), targets=None):
        test = test or [[] for _ in train]
        rows = [row for part in (*train, *test) for row in part]
        owners = [node for parts in (train, test) for node, part in enumerate(parts) for _ in part]
        return Frame(
            inputs=np.array(rows, np.float32),
            targets=np.zeros(len(rows), np.int64) if targets is None else np.array(targets, np.float32),
            common=np.array(common, np.float32),
            common_targets=np.zeros(len(common), np.int64 if targets is None else np.float32),
            train=Ragged.contiguous(np.array([len(part) for part in train])),
            owners=np.array(owners),
            columns=tuple(column if isinstance(column, Column) else Column(column) for column in columns),
        )

    return make
