"""How names become things, and what a user is told who gets one wrong."""

from dataclasses import dataclass

import pytest

from coterie.core.bounds import Count, Fraction
from coterie.core.errors import Fault, ScenarioError, nearest
from coterie.core.registry import Registry


@pytest.fixture
def rules():
    registry = Registry("rule", reserved={"own"})

    @registry.register()
    def shrunk(updates, weights, *, own, keep: Fraction = 0.9, times: Count):
        """The mean, shrunk. More words."""

    @registry.register("boxed")
    @dataclass(frozen=True)
    class Boxed:
        """A box."""

        size: Count = 3

    return registry


def test_names_docs_and_inputs(rules):
    assert rules.names() == ["boxed", "shrunk"]
    assert rules.entry("boxed").doc == "A box."
    assert rules.entry("shrunk").inputs == {"own"}


def test_parameters_are_completed_and_reserved_inputs_are_none_of_them(rules):
    assert rules.entry("shrunk").check({"times": 2}) == {"keep": 0.9, "times": 2}
    assert rules.entry("boxed").check({}) == {"size": 3}


def test_all_faults_come_at_once_each_with_its_place_and_fix(rules):
    with pytest.raises(ScenarioError) as caught:
        rules.entry("shrunk").check({"keep": 2, "kep": 1, "own": 3}, "aggregation")
    faults = {fault.place: fault for fault in caught.value.faults}
    assert faults.keys() == {"aggregation.keep", "aggregation.kep", "aggregation.own", "aggregation.times"}
    assert "less than or equal to 1" in faults["aggregation.keep"].problem
    assert faults["aggregation.kep"].fix == "did you mean 'keep'?"


def test_a_misspelt_name_gets_the_nearest(rules):
    with pytest.raises(ScenarioError) as caught:
        rules.entry("shrnk", "aggregation")
    assert str(caught.value) == "aggregation: there is no rule called 'shrnk' → did you mean 'shrunk'?"


def test_two_things_cannot_share_a_name_but_a_reload_may(rules):
    def again(updates, weights):
        """Another."""

    with pytest.raises(ScenarioError, match="two rules are called 'boxed'"):
        rules.register("boxed")(again)
    rules.register("again")(again)
    rules.register("again")(again)


def test_nearest_lists_everything_when_nothing_is_near():
    assert nearest("zzz", ["mean", "median"]) == "known: mean, median"


def test_an_error_prints_one_line_a_fault():
    error = ScenarioError(Fault("a.b", "is wrong", "write 1"), Fault("", "is late"))
    assert str(error) == "a.b: is wrong → write 1\nis late"
