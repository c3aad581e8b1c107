"""Shakespeare: the next character of what a speaker of the plays says, each speaker a natural node.

McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017; the task (80
characters in, the next one out) as in Caldas et al., LEAF: A Benchmark for Federated Settings, 2018.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files.locations import absolute


@dataset("shakespeare")
def shakespeare(
    *,
    folder: str | None,
    path: str,
    length: Count = 80,
    stride: Count = 20,
    passage: Count = 10,
    shortest: Count = 1000,
    speakers: Count | None = None,
) -> Dataset:
    """Next-character prediction on the lines of each speaker; any texts by author or device will do.

    path: a JSON file, plain or .gz, that maps each speaker to a text.
    length: characters a sample shows; stride: how far the next sample starts behind it.
    passage: where samples overlap (stride below length), so many in a row are kept together in a train or test part, and
    share no character shown with the next passage.
    shortest: leave out speakers with fewer characters. speakers: take only so many, those who say most.
    """
    texts = _read(absolute(path, folder))
    kept = sorted(
        (name for name, text in texts.items() if len(text) >= max(shortest, 2 * length + 1)), key=lambda name: (-len(texts[name]), name)
    )
    kept = sorted(kept[:speakers])
    if not kept:
        longest = max(map(len, texts.values()), default=0)
        raise ScenarioError.at(
            "shortest", f"no text of {len(texts):,} is long enough; the longest has {longest:,} characters", "write less"
        )
    symbols = np.unique(np.concatenate([_codes(texts[name]) for name in kept]))
    inputs, targets, groups, units, passages = [], [], [], [], 0
    for number, name in enumerate(kept):
        tokens = np.searchsorted(symbols, _codes(texts[name]))
        starts, unit = _windows(len(tokens), length, stride, passage)
        inputs.append(sliding_window_view(tokens, length)[starts])
        targets.append(tokens[starts + length])
        groups.append(np.full(len(starts), number))
        units.append(unit + passages)
        passages = int(units[-1][-1]) + 1
    total = sum(map(len, targets))
    return Dataset(
        name="shakespeare",
        inputs=np.concatenate(inputs),
        targets=np.concatenate(targets),
        classes=tuple(map(chr, symbols)),
        groups=np.concatenate(groups),
        group_names=tuple(kept),
        units=np.concatenate(units) if stride < length else None,
        vocabulary=len(symbols),
        sample_bytes=sum(len(texts[name].encode()) for name in kept) / total,
    )


def _windows(characters: int, length: int, stride: int, passage: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where samples start in a text, and the passage of each. Passages lie end to end, the samples of one `stride` apart."""
    if stride >= length:
        starts = np.arange(0, characters - length, stride)
        return starts, np.arange(len(starts))
    span = length + (passage - 1) * stride
    heads = np.arange(0, characters - length, span)
    starts = (heads[:, None] + np.arange(passage) * stride).ravel()
    fits = starts + length < characters
    return starts[fits], np.repeat(np.arange(len(heads)), passage)[fits]


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _read(path: Path) -> dict[str, str]:
    fix = 'give a JSON file (or .json.gz) such as {"hamlet:HAMLET": "To be, or not to be…", …}'
    try:
        content = path.read_bytes()
        texts = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ScenarioError.at("path", f"{path} cannot be read as JSON: {error}", fix) from error
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()) or not texts:
        raise ScenarioError.at("path", f"{path} does not map speakers to texts", fix)
    return texts
