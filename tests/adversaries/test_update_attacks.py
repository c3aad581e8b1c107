"""What attackers send, against the same federations written out in a few lines of float64."""

import numpy as np
import pytest

import coterie
from coterie import attacks
from coterie.attacks import ATTACKS, update_attack
from coterie.scenario.setup import Setup

RATE, ROUNDS = 0.5, 3
WHO = {"who": [2, 5, 6]}


class Reference:
    """Softmax regression on the nodes' own samples, one full step a round, as its textbook has it."""

    def __init__(self, **settings):
        training = {"steps": 1, "batch_size": "all", "optimizer": {"name": "sgd", "learning_rate": RATE}}
        self.setup = Setup(
            coterie.Scenario(task={"dataset": "digits", "model": "logistic"}, nodes=8, until=ROUNDS, training=training, **settings)
        )
        task = self.setup.task
        self.shards = [(task.inputs[part].reshape(len(part), -1).astype(np.float64), task.targets[part]) for part in task.train]
        self.sizes = task.train.sizes

    def start(self):
        return self.setup.initial.astype(np.float64)

    def step(self, node, model):
        inputs, targets = self.shards[node]
        weights, bias = model[:640].reshape(10, 64), model[640:]
        scores = inputs @ weights.T + bias
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        shares[np.arange(len(targets)), targets] -= 1
        gradient = np.concatenate([(shares.T @ inputs).ravel(), shares.sum(0)]) / len(targets)
        return -RATE * gradient


def final(run):
    return [run.folder.models().vector(node) for node in range(8)]


def settings(**more):
    return {"task": {"dataset": "digits", "model": "logistic"}, **more}


STAR = [
    ({"name": "sign_flip", "scale": 2.0}, lambda own, honest: -2 * own),
    ({"name": "scaling", "factor": 3.0}, lambda own, honest: 3 * own),
    ({"name": "inner_product", "epsilon": 0.7}, lambda own, honest: np.tile(-0.7 * own.mean(0), (3, 1))),
    ({"name": "inner_product", "epsilon": 0.7, "knowledge": "honest"}, lambda own, honest: np.tile(-0.7 * honest.mean(0), (3, 1))),
    (
        {"name": "alie", "z": 1.5, "knowledge": "honest"},
        lambda own, honest: np.tile(honest.mean(0) - 1.5 * honest.std(0, ddof=1), (3, 1)),
    ),
    ({"name": "alie", "z": 1.5, "sign": 1}, lambda own, honest: np.tile(own.mean(0) + 1.5 * own.std(0, ddof=1), (3, 1))),
    ({"name": "model_replacement", "knowledge": "honest"}, lambda own, honest: own * (8 / 3)),
    ({"name": "sybil"}, lambda own, honest: np.tile(own[0], (3, 1))),
    ({"name": "min_max", "knowledge": "honest"}, lambda own, honest: attacks.build("min_max")(honest, 3)),
    ({"name": "mimic", "knowledge": "honest", "target": 1}, lambda own, honest: np.tile(honest[1], (3, 1))),
]


@pytest.mark.parametrize(("attack", "sent"), STAR, ids=lambda value: value["name"] if isinstance(value, dict) else "")
@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_a_server_gets_what_the_attack_says(attacked, attack, sent, engine):
    reference = Reference()
    model, bad = reference.start(), [2, 5, 6]
    for _ in range(ROUNDS):
        deltas = np.stack([reference.step(node, model) for node in range(8)])
        honest = np.delete(deltas, bad, axis=0)
        own = deltas[bad]
        deltas[bad] = sent(own, honest)
        model = model + reference.sizes @ deltas / reference.sizes.sum()
    run = attacked({**attack, **WHO}, **settings(engine=engine))
    np.testing.assert_allclose(final(run)[0], model, atol=2e-5)


def test_what_an_attack_remembers_it_is_given_in_the_next_round(attacked):
    """Mimic follows the direction in which updates vary over all rounds."""
    reference, attack = Reference(), attacks.build("mimic")
    model, bad, history = reference.start(), WHO["who"], None
    for _ in range(ROUNDS):
        deltas = np.stack([reference.step(node, model) for node in range(8)])
        honest = np.delete(deltas, bad, axis=0)
        sent, history = attack(honest, 3, history=history)
        deltas[bad] = sent
        model = model + reference.sizes @ deltas / reference.sizes.sum()
    run = attacked({"name": "mimic", "knowledge": "honest", **WHO}, **settings())
    np.testing.assert_allclose(final(run)[0], model, atol=2e-5)


def mixed(reference, graph, models, replaced):
    """One exchange by Metropolis-Hastings weights; replaced: (sender, receiver) → what that receiver gets."""
    degrees = {node: len(list(graph.neighbors(node))) for node in graph}
    found = []
    for node in range(8):
        weights = {other: 1 / (1 + max(degrees[node], degrees[other])) for other in graph.neighbors(node)}
        row = (1 - sum(weights.values())) * models[node]
        found.append(row + sum(weight * replaced(other, node) for other, weight in weights.items()))
    return found


def test_in_a_graph_each_neighbour_gets_its_own(attacked):
    """Dissensus against all neighbours at once (He, Karimireddy, Jaggi 2022, equation 6), with the graph's own weights."""
    shape = {"architecture": "decentralized", "topology": {"name": "regular", "degree": 4}}
    reference = Reference(**shape)
    graph = coterie.topologies.build("regular", degree=4)(8, 0)
    models, bad = [reference.start()] * 8, [2, 5, 6]
    for _ in range(ROUNDS):
        trained = [model + reference.step(node, model) for node, model in enumerate(models)]

        def sent(sender, receiver, trained=trained):
            if sender not in bad or receiver in bad:
                return trained[sender]
            weight = 1 / 5
            pull = sum(weight * (trained[other] - trained[receiver]) for other in graph.neighbors(receiver) if other not in bad)
            byzantine = sum(weight for other in graph.neighbors(receiver) if other in bad)
            return trained[receiver] - 0.5 * pull / byzantine

        models = mixed(reference, graph, trained, sent)
    run = attacked({"name": "dissensus", "epsilon": 0.5, "knowledge": "honest", **WHO}, **settings(**shape))
    for node in sorted(set(range(8)) - set(bad)):
        np.testing.assert_allclose(final(run)[node], models[node], atol=2e-5)


def test_in_a_graph_updates_are_seen_from_where_the_attacker_began(attacked):
    shape = {"architecture": "decentralized", "topology": "ring"}
    reference = Reference(**shape)
    graph = coterie.topologies.build("ring")(8, 0)
    models, bad = [reference.start()] * 8, [2, 5, 6]
    for _ in range(ROUNDS):
        steps = [reference.step(node, model) for node, model in enumerate(models)]
        trained = [model + step for model, step in zip(models, steps, strict=True)]
        lies = {node: models[node] - 3 * steps[node] for node in bad}
        models = mixed(reference, graph, trained, lambda sender, _, trained=trained, lies=lies: lies.get(sender, trained[sender]))
    run = attacked({"name": "sign_flip", "scale": 3.0, **WHO}, **settings(**shape))
    for node in range(8):  # those of attackers, too: what they keep for themselves is honest
        np.testing.assert_allclose(final(run)[node], models[node], atol=2e-5)


def test_in_a_graph_an_attack_on_models_sees_them_as_they_are(attacked, monkeypatch):
    shape = {"architecture": "decentralized", "topology": "ring"}
    monkeypatch.setattr(ATTACKS, "_entries", dict(ATTACKS._entries))
    update_attack(sees={"own"}, name="opposite_model", of_models=True)(opposite_model)
    reference = Reference(**shape)
    graph = coterie.topologies.build("ring")(8, 0)
    models, bad = [reference.start()] * 8, [2, 5, 6]
    for _ in range(ROUNDS):
        trained = [model + reference.step(node, model) for node, model in enumerate(models)]
        models = mixed(reference, graph, trained, lambda sender, _, trained=trained: trained[sender] * (-0.1 if sender in bad else 1))
    run = attacked({"name": "opposite_model", **WHO}, **settings(**shape))
    np.testing.assert_allclose(final(run)[0], models[0], atol=2e-5)


def opposite_model(honest, count, *, own):
    """The opposite of the attacker's own model, and short."""
    return -0.1 * own


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_with_momentum_attackers_flip_their_momentum(attacked, engine):
    """Each node of a ring sends its model as its momentum moves it; an attacker as if it moved the other way."""
    shape = {"architecture": "decentralized", "topology": "ring"}
    reference, beta = Reference(**shape), 0.6
    graph = coterie.topologies.build("ring")(8, 0)
    models, momenta, bad = [reference.start()] * 8, [0.0] * 8, WHO["who"]
    for _ in range(ROUNDS):
        momenta = [beta * old + (1 - beta) * reference.step(node, models[node]) for node, old in enumerate(momenta)]
        moved = [model + momentum for model, momentum in zip(models, momenta, strict=True)]
        lies = {node: models[node] - momenta[node] for node in bad}
        models = mixed(reference, graph, moved, lambda sender, _, moved=moved, lies=lies: lies.get(sender, moved[sender]))
    algorithm = {"name": "momentum", "beta": beta}
    run = attacked({"name": "sign_flip", **WHO}, **settings(algorithm=algorithm, engine=engine, **shape))
    for node in range(8):
        np.testing.assert_allclose(final(run)[node], models[node], atol=2e-5)


@pytest.mark.parametrize("rule", [{"name": "trimmed_mean", "byzantine": 3}, "geometric_median"])
def test_the_strongest_attack_is_against_the_rule_of_the_scenario(attacked, rule):
    """It moves the model of one round farther from the honest mean than its relatives do that do not search."""
    reference = Reference()
    start = reference.start()
    honest = start + np.mean([reference.step(node, start) for node in range(8) if node not in WHO["who"]], axis=0)
    moved = {
        epsilon: np.linalg.norm(final(attacked({**attack, **WHO}, **settings(until=1, aggregation=rule)))[0] - honest)
        for epsilon, attack in {
            "known": {"name": "optimal_inner_product", "knowledge": ["honest", "rule"]},
            **{factor: {"name": "inner_product", "epsilon": factor, "knowledge": "honest"} for factor in (0.1, 1.0, 3.0, 100.0)},
        }.items()
    }
    assert moved["known"] >= max(moved.values()) * 0.97
    assert moved["known"] > moved[0.1]


def test_what_an_attack_does_not_have_yet_it_waits_for(attacked):
    """Neurotoxin needs the last aggregate: in the first round its attackers are honest, and in the second they are not."""
    one = [attacked(*attack, until=1).summary.digest for attack in ([], [{"name": "neurotoxin", "share": 0.5, **WHO}])]
    two = [attacked(*attack, until=2).summary.digest for attack in ([], [{"name": "neurotoxin", "share": 0.5, **WHO}])]
    assert one[0] == one[1]
    assert two[0] != two[1]


@pytest.mark.parametrize("schedule", ["synchronous", {"name": "semi-synchronous", "quorum": 0.75}, {"name": "asynchronous", "buffer": 3}])
def test_nobody_knows_what_is_not_there_yet(attacked, schedule, monkeypatch):
    """With devices of different speed: every vector that an attack is made of is there before the attack's own is sent."""
    from coterie.adversaries import coalition

    seen = []
    issue = coalition.Coalition._issue

    def watched(self, play, starts, vectors, at, where):
        ready = {id(made.update): made.ready for rounds in self.made.values() for made in rounds.values()}
        seen.append((at, max(ready[id(vector)] for vector in vectors), [ready[id(vector)] for vector in vectors]))
        return issue(self, play, starts, vectors, at, where)

    monkeypatch.setattr(coalition.Coalition, "_issue", watched)
    sent = []

    from coterie.simulator.simulator import Simulator

    carried = Simulator.carried

    def carry(self, node, to, message, beyond):
        if node.id in {2, 5, 6} and type(message).__name__ == "Update":
            sent.append((node.id, message.round, self.now))
        return carried(self, node, to, message, beyond)

    monkeypatch.setattr(Simulator, "carried", carry)
    attacked({"name": "alie", "knowledge": "honest", **WHO}, schedule=schedule, device={"spread": {"name": "uniform"}}, until=4)
    assert seen
    for (node, number), ready, _ in seen:
        times = [when for who, round, when in sent if round == number and (who == node or schedule == "synchronous")]
        assert times, "an attack was computed and never sent"
        assert min(times) >= ready
