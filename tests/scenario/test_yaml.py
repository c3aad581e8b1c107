"""The reader: what YAML says, where it says it, and what is refused of a file that nobody vouches for."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import ScenarioError
from coterie.scenario import yaml


def value(text):
    document = yaml.read(text)
    assert not document.faults
    return document.value


def refused(text):
    with pytest.raises(ScenarioError) as caught:
        yaml.read(text)
    (fault,) = caught.value.faults
    return fault.place, fault.problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1", {"a": 1}),
        ("a: 1_000_000", {"a": 1_000_000}),
        ("a: -3", {"a": -3}),
        ("a: 1e-3", {"a": 0.001}),
        ("a: .5", {"a": 0.5}),
        ("a: 2.", {"a": 2.0}),
        ("a: yes", {"a": "yes"}),
        ("a: on", {"a": "on"}),
        ("a: true", {"a": True}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: '1'", {"a": "1"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: {b: [1, 'x'], c: {d: 2}}", {"a": {"b": [1, "x"], "c": {"d": 2}}}),
        ("a: &here [1]\nb: *here", {"a": [1], "b": [1]}),
        ("\ufeffa: 1".encode(), {"a": 1}),
        ("", None),
        ("- 1\n- b", [1, "b"]),
    ],
)
def test_what_it_says(text, expected):
    found = value(text)
    assert found == expected
    assert repr(found) == repr(expected)  # 1 is not True, 2.0 is not 2


def test_where_it_says_it():
    document = yaml.read("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert document.keys == {("a",): (1, 1), ("b",): (2, 1), ("b", 1, "c"): (4, 6)}
    assert document.values[("b", 1, "c")] == (4, 9)
    assert document.values[("b", 0)] == (3, 5)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
printable = st.characters(exclude_categories=("Cs", "Cc", "Cn"))


@given(st.text(printable, max_size=12) | st.from_regex(r"[-+0-9_.eExo:#~nulTtrueyes]{1,10}", fullmatch=True) | plain)
def test_what_is_dumped_is_read_back(data):
    if isinstance(data, (str, int, float, bool, type(None))):
        data = {"key": data}
    found = value(yaml.dump(data))
    assert repr(found) == repr(data)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (LAUGHS, "6:28", "more than 500,000 values"),
        ("a: &a [*a]", "1:8", "refers to nothing before it, or to itself"),
        ("a: &a {b: *a}", "1:11", "refers to nothing before it, or to itself"),
        ("a: *b", "1:4", "refers to nothing before it"),
        ("a: " + "[" * 60 + "]" * 60, "1:44", "nested more than 40 deep"),
        ("[" * 200_000, "1:42", "nested more than 40 deep"),
        ("base: &b {a: 1}\nmore:\n  <<: *b\n", "3:3", "merge keys"),
        ("[1]: 2", "1:1", "a key must be text"),
        (f"{'k' * 201}: 1", "1:1", "longer than 200"),
        ("a: 1\n---\nb: 2\n", "2:1", "a second document"),
        ("a: [1, 2\nb: 3\n", "2:2", "is not YAML"),
        ("a: {b: 1}}", "1:10", "is not YAML"),
        ("\tx: 1", "1:1", "is not YAML"),
        (b"a: \xff\xfe", "", "is not text in UTF-8"),
        ("a: \x00", "", "is not YAML"),
        (" " * (yaml.MOST_BYTES + 1), "", "is larger than 4 MB"),
    ],
)
def test_what_cannot_be_read_to_its_end(text, place, problem):
    found = refused(text)
    assert problem in found[1]
    assert found[0] == place


def test_an_exploding_file_takes_no_memory():
    tracemalloc.start()
    refused(LAUGHS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("text", "place", "mark", "problem"),
    [
        ("a: 1\na: 2", "a", (2, 1), "written twice, first in line 1"),
        ("x: {a: 1, a: 2}", "x.a", (1, 11), "written twice"),
        ("a: 1" + "0" * 400, "a", (1, 4), "beyond any use"),
        ("a: 1e999", "a", (1, 4), "beyond any use"),
        ("a: .inf", "a", (1, 4), "beyond any use"),
        ("a: [.nan]", "a.0", (1, 5), "beyond any use"),
        ("a: !!python/object/apply:os.system ['true']", "a", (1, 4), "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!int '3'", "a", (1, 4), "is not taken"),
        ("a: !mine {b: 1}", "a", (1, 4), "the tag !mine"),
        ("1: x", "1", (1, 1), "the key 1 is not text"),
        ("true: x", "true", (1, 1), "the key true is not text"),
    ],
)
def test_what_is_left_out_and_told(text, place, mark, problem):
    document = yaml.read(text)
    ((_, where, fault),) = document.faults
    assert fault.place == place
    assert where == mark
    assert problem in fault.problem
    assert fault.fix


def test_the_first_of_two_equal_keys_counts():
    assert yaml.read("a: 1\na: 2\nb: {c: !x 3, d: 4}").value == {"a": 1, "b": {"d": 4}}
