"""What holds for every federation, whatever its shape: drawn by hypothesis, run in the simulator on toy models."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toy
from coterie.federation import check
from coterie.federation.roles import Roles
from coterie.federation.routes import UNREACHABLE
from coterie.simulator import cut

SHAPES = st.sampled_from(
    [
        ("star", "centralized", {}),
        ("ring", "decentralized", {}),
        ("full", "semi-decentralized", {}),
        ("full", "decentralized", {}),
        ("regular", "decentralized", {"degree": 4}),
    ]
)
PARTICIPATION = st.sampled_from([("all", {}), ("fraction", {"share": 0.5}), ("number", {"count": 1})])


def run(federation, rounds=3):
    simulation = toy.simulator(federation, rounds)
    simulation.start()
    simulation.run()
    return toy.results(simulation)


@given(SHAPES, PARTICIPATION, st.integers(6, 9), st.lists(st.floats(0.01, 3.0), min_size=18, max_size=18))
def test_timing_does_not_change_a_synchronous_result(shape, participation, nodes, seconds):
    topology, architecture, params = shape
    first, second = (
        run(
            toy.federation(
                nodes, topology, architecture, topology_params=params, participation=participation, seconds=seconds[at : at + nodes]
            )
        )
        for at in (0, 9)
    )
    assert first == second


@given(SHAPES, PARTICIPATION, st.floats(0, 1), st.lists(st.floats(0.01, 3.0), min_size=6, max_size=6), st.booleans())
def test_a_run_cut_anywhere_goes_on_as_if_it_had_not_been(tmp_path_factory, shape, participation, where, seconds, hands_over):
    topology, architecture, params = shape
    settings = {"topology_params": params, "participation": participation, "seconds": seconds, "hands_over": hands_over}
    federation = toy.federation(6, topology, architecture, **settings)
    whole = toy.simulator(federation)
    whole.start()
    whole.run()
    part = toy.simulator(federation, window=7)
    part.start()
    part.run(until=lambda: part.events >= int(where * (whole.events - 1)))
    path = tmp_path_factory.mktemp("cut") / "checkpoint"
    cut.save(part, path, {"seen": part.recorder.rounds}, np.asarray)
    rest = toy.simulator(federation)
    assert cut.load(rest, path, lambda vector: vector) == {"seen": part.recorder.rounds}
    rest.run()
    assert toy.results(rest) == toy.results(whole)
    assert (rest.now, rest.events) == (whole.now, whole.events)
    assert part.recorder.rounds + rest.recorder.rounds == whole.recorder.rounds == list(range(3))


@given(st.integers(2, 8), st.integers(1, 4))
def test_a_complete_graph_with_uniform_mixing_equals_one_aggregator(nodes, rounds):
    shapes = [toy.federation(nodes, "full", architecture) for architecture in ("centralized", "semi-decentralized", "decentralized")]
    for federation in shapes[1:]:
        for (_, value), (_, wanted) in zip(run(federation, rounds), run(shapes[0], rounds), strict=True):
            assert value == pytest.approx(wanted, rel=1e-6)


@st.composite
def drawn_roles(draw):
    """A small random graph, and any roles on it."""
    nodes = draw(st.integers(2, 7))
    edges = [(a, b) for a in range(nodes) for b in range(a + 1, nodes) if draw(st.integers(0, 2))]
    some = st.sets(st.integers(0, nodes - 1))
    count = draw(st.one_of(st.none(), st.integers(1, 2)))
    order = draw(st.sampled_from(["round-robin", "random"]))
    roles = Roles(toy.rule(draw(some)), toy.rule(draw(some), count=count, order=order), toy.rule(draw(some)), toy.rule(draw(some)))
    return nodes, edges, roles


@given(drawn_roles(), st.booleans(), st.booleans())
def test_roles_are_refused_or_every_update_reaches_an_aggregator_and_everybody_finishes(drawn, hands_over, everyone):
    nodes, edges, roles = drawn
    assume(edges)
    federation = toy.federation(nodes, "edges", topology_params={"pairs": edges}, roles=roles, hands_over=hands_over, everyone=everyone)
    rounds = 3
    if check.faults(federation.planner, rounds, everyone=everyone, isolated=False):
        return
    for number in range(rounds):
        table = federation.planner.table(number)
        assert len(table.trainers)
        assert UNREACHABLE not in table.assigned
        collected = {int(origin) for members in table.collectors.values() for origin in members} | set(table.aggregators.tolist())
        assert set(table.trainers.tolist()) <= collected
    states = run(federation, rounds)
    finished = range(nodes) if everyone else federation.planner.holders(rounds).tolist()
    assert {states[node][0] for node in finished} == {rounds}


def test_faults_name_nodes_and_the_way_out():
    line = [(0, 1), (1, 2), (2, 3)]
    roles = Roles(toy.rule([0]), toy.rule([3]), toy.rule([2]))
    federation = toy.federation(4, "edges", topology_params={"pairs": line}, roles=roles)
    (fault,) = [fault for fault in check.faults(federation.planner, 1, everyone=False, isolated=False) if fault.place == "topology"]
    assert fault.problem == "no aggregator can be reached in round 0 by node 0"
    assert fault.fix == "make nodes 1, 2 proxies, or add the edge 0 to 3"


def test_a_proxy_with_nothing_to_forward_is_a_fault():
    roles = Roles(toy.rule([0]), toy.rule([1]), toy.rule([3]))
    federation = toy.federation(4, "full", roles=roles)
    faults = check.faults(federation.planner, 1, everyone=False, isolated=False)
    assert [str(fault) for fault in faults] == [
        "roles.proxy: node 3 would have nothing to forward → put it on a path between a trainer and an aggregator"
    ]


@pytest.mark.parametrize(("roles", "problem"), [
    (Roles(toy.rule([]), toy.rule([0])), "nobody trains in round 0"),
    (Roles(toy.rule([0, 1]), toy.rule([])), "nobody aggregates in round 0"),
    (Roles(toy.rule([0, 1]), toy.rule([0]), idle=toy.rule([0])), "nobody aggregates in round 0"),
])  # fmt: skip
def test_a_round_needs_a_trainer_and_an_aggregator(roles, problem):
    federation = toy.federation(2, "full", roles=roles)
    assert problem in [fault.problem for fault in check.faults(federation.planner, 1, everyone=True, isolated=False)]
