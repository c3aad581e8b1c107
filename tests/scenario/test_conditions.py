"""Devices, networks and availability as a scenario writes them."""

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.environments.presets import ENVIRONMENTS
from coterie.scenario import conditions
from coterie.scenario.baselines import Course, derive
from coterie.scenario.scenario import Scenario
from coterie.scenario.setup import Setup
from coterie.simulator.run import checked

SMALL = {"task": "digits", "nodes": 8, "until": 2}


def setup(**settings) -> Setup:
    return Setup(Scenario(**{**SMALL, **settings}))


def seconds(**settings):
    return setup(**settings).federation.training_seconds


def test_half_the_speed_takes_twice_as_long():
    np.testing.assert_allclose(seconds(device=1e8), 2 * seconds(device={"flops_per_second": 2e8}))


def test_a_spread_is_a_factor_for_each_node_and_more_nodes_change_nobodys():
    even, wide = seconds(), seconds(device={"flops_per_second": 1e10, "spread": 1})
    assert len(set((wide / even).round(9).tolist())) == 8
    more = setup(nodes=12, device={"flops_per_second": 1e10, "spread": 1}).federation.training_seconds
    ratio = more / setup(nodes=12).federation.training_seconds
    np.testing.assert_allclose(ratio[:8], wide / even)


def test_groups_have_devices_and_ends_of_their_own():
    found = setup(
        device={"name": "phone", "groups": [{"nodes": [0, "2-3"], "name": "server"}]},
        network={"name": "4g", "groups": [{"nodes": [0], "name": "lan"}], "links": [{"between": [1, 2], "latency_seconds": 3}]},
    )
    times = found.federation.training_seconds / found.workload.samples
    assert times[0] == pytest.approx(times[2]) == pytest.approx(times[1] * 8e9 / 2e11)
    ends = conditions.ends(found)
    assert (ends.up_bytes_per_second[0], ends.up_bytes_per_second[1], ends.loss[0]) == (3.1e9, 1.25e6, 0.0)
    assert ends.link_latency_seconds == {(1, 2): 3.0, (2, 1): 3.0}


@pytest.mark.parametrize("name", ENVIRONMENTS.names())
@pytest.mark.parametrize("architecture", ["centralized", "decentralized"])
def test_environments_are_settings_below_ones_own(name, architecture):
    wanted = Scenario(**SMALL, environment=name, architecture=architecture)
    assert wanted == Scenario.of(wanted.resolved())
    apart = {key: wanted.resolved()[key] for key in ("device", "network", "availability")}
    assert Scenario(**SMALL, architecture=architecture, **apart).changed(environment=None).network.name == "constant"
    own = Scenario(**SMALL, environment=name, architecture=architecture, device=1e9, availability="always", preset="cross-device")
    assert (own.device.params["flops_per_second"], own.availability.name, own.network) == (1e9, "always", wanted.network)
    if architecture == "decentralized":
        assert (wanted.device.groups, wanted.availability.always) == ((), ())


def test_another_environment_brings_its_own_figures():
    wanted = Scenario(**SMALL, environment="iot-lora")
    assert wanted.changed(environment="datacenter").network.name == "lan"
    assert wanted.changed(seed=3).network == wanted.network


def test_a_server_is_the_aggregator_where_it_was_put():
    wanted = Scenario(**SMALL, environment="phones-4g", topology={"name": "star", "center": 5})
    assert wanted.device.groups[0].nodes == wanted.availability.always == (5,)


def test_a_model_that_does_not_fit_is_refused_with_the_nodes_it_is_too_large_for():
    device = {"flops_per_second": 1e9, "groups": [{"nodes": [3, "5-6"], "name": "microcontroller"}]}
    wanted = Scenario(**SMALL, device=device, training={"optimizer": {"name": "sgd", "momentum": 0.9}})
    assert not conditions.faults(Setup(wanted))
    large = wanted.changed(task={"dataset": "digits", "model": {"name": "mlp", "hidden": [2000]}})
    (fault,) = conditions.faults(Setup(large))
    assert fault.place == "device"
    assert "more than nodes 3, 5, 6 have" in fault.problem
    assert conditions.training_bytes(Setup(large)) >= 3 * 4 * Setup(large).network.layout.size  # model, gradient, momentum
    with pytest.raises(ScenarioError, match="more than nodes 3, 5, 6"):
        checked(large)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"device": {"groups": [{"nodes": [8], "name": "phone"}]}}, "device.groups.0.nodes"),
        ({"network": {"name": "links", "groups": [{"nodes": ["3-9"]}]}}, "network.groups.0.nodes"),
        ({"network": {"name": "links", "links": [{"between": [0, 8]}]}}, "network.links.0.between"),
        ({"availability": {"name": "daily", "always": [99]}}, "availability.always"),
        ({"availability": {"name": "trace", "path": "none.csv"}}, "availability.path"),
        ({"device": {"name": "measured", "path": "none.json"}}, "device.path"),
    ],
)
def test_what_shows_once_the_nodes_are_known(settings, place):
    with pytest.raises(ScenarioError) as error:
        checked(Scenario(**SMALL, **settings))
    assert [fault.place for fault in error.value.faults] == [place]
    assert error.value.faults[0].fix


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"network": {"groups": [{"nodes": [1]}]}}, "network.groups"),
        ({"network": {"spread": 0.5}}, "network.spread"),
        ({"network": {"name": "links", "groups": [{"nodes": [1], "name": "constant"}]}}, "network.groups.0.name"),
        ({"network": {"name": "links", "links": [{"between": [1, 1]}]}}, "network.links.0.between"),
        ({"network": {"name": "links", "loss": 1.0}}, "network.loss"),
        ({"device": {"groups": [{"nodes": 3, "name": "phone"}]}}, "device.groups.0.nodes"),
        ({"availability": {"name": "daily", "from_hour": 25}}, "availability.from_hour"),
        ({"until": {"virtual_seconds": 0}}, "until.virtual_seconds"),
    ],
)
def test_what_shows_at_once(settings, place):
    with pytest.raises(ScenarioError) as error:
        Scenario(**{**SMALL, **settings})
    assert place in [fault.place for fault in error.value.faults]


def test_baselines_keep_what_is_said_of_all_nodes_and_of_single_ones_only_where_those_are_there():
    wanted = Scenario(**SMALL, environment="phones-4g", architecture="centralized")
    course = Course(np.full(8, 100), 2, 1600)
    alone, central = derive(wanted, "local", course), derive(wanted, "centralized", course)
    assert alone.device == wanted.device
    assert (central.device.name, central.device.groups, central.availability.name) == ("phone", (), "always")
    assert not conditions.faults(Setup(central))


def test_a_presets_figures_stay_out_of_a_network_of_another_name():
    wanted = Scenario(**SMALL, preset="cross-device", network={"name": "4g", "loss": 0.01}, device={"name": "phone", "spread": 1})
    assert (wanted.network.params["loss"], wanted.network.params["latency_seconds"]) == (0.01, 0.035)
    assert wanted.device.params["flops_per_second"] == 8e9
    assert Scenario(**SMALL, preset="cross-device", device={"memory_bytes": 1e9}).device.params["flops_per_second"] == 5e9


def test_somebody_elses_scenario_may_name_no_files():
    for settings in (
        {"device": {"name": "measured", "path": "p.json"}},
        {"device": {"groups": [{"nodes": [0], "name": "measured", "path": "p.json"}]}},
        {"availability": {"name": "trace", "path": "t.csv"}},
    ):
        with pytest.raises(ScenarioError, match="came from elsewhere"):
            Scenario.of({**SMALL, **settings}, trusted=False)
    assert Scenario.of({**SMALL, "environment": "phones-4g"}, trusted=False).network.name == "4g"
