"""How often evaluation waits for a GPU, seen on the meta device: as stated here, and no more.

What has to be asked is which images still stand, once before every start and wherever an attack
drops those it has broken, and the numbers in the end. No number of steps asks for more.
"""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import torch
from hydra.utils import instantiate
from never_waiting import DEVICE, counting_waits, never_waiting
from on_meta import SPLITS, settings_of, trainer_of
from torch import nn

from raystudy.config import catalogue, compose
from trainables.attacks import adversary, apgd
from trainables.attacks.apgd import APGD
from trainables.attacks.apgd_l1 import APGDL1
from trainables.attacks.auto_attack import AutoAttack
from trainables.attacks.balls import LinfBall
from trainables.attacks.fab import FAB
from trainables.attacks.square import Square
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.evaluate import probe
from trainables.evaluate.knn import knn_logits
from trainables.evaluate.linear import fit_linear
from trainables.features import encode
from trainables.protocols import quick
from trainables.protocols.base import Classifier, is_right
from trainables.protocols.downstream.base import DownstreamTask
from trainables.protocols.label_share import LabelShare
from trainables.suite.masking_checks import MaskingChecks
from trainables.suite.robustness import RobustnessCurve

FEW = {"steps": 3, "queries": 4, "targets": 2, "restarts": 2}
PGD = WhiteBoxPGD(ball=LinfBall(epsilon=0.1), relative_step=0.25, steps=3)


def of_a_start(attack):
    """How often one start asks which of its images are broken."""
    match attack:
        case APGD():
            return len(list(apgd._checkpoints(attack.steps)))
        case FAB():
            return attack.steps
        case _:
            return 0


def allowed(attack):
    """How often an attack of images that all resist may ask which do."""
    match attack:
        case WhiteBoxPGD():
            return attack.restarts if attack.keep_best else attack.restarts - 1
        case APGD() | APGDL1():
            return max(attack.targets, 1) * attack.restarts * (1 + of_a_start(attack))
        case FAB():
            return attack.targets * (1 + of_a_start(attack))
        case Square():
            return attack.queries
        case AutoAttack():
            return sum(1 + allowed(part) for part in attack.attacks.values())


@cache
def recipes():
    names = catalogue.options("adversary")
    return compose.load_shared([f"+adversary@recipes.{name}={name}" for name in names]).recipes


def waits_of(name):
    """Count the waits of an attack of five images; return them and the attack."""
    attack = instantiate(recipes()[name])
    few = {key: most for key, most in FEW.items() if getattr(attack, key, 0) > most}
    attack = replace(attack, **few)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 6)).to(DEVICE)
    images, labels = torch.rand(5, 3, 8, 8, device=DEVICE), torch.arange(5, device=DEVICE)
    with counting_waits() as waits:
        attack(network, images, labels)
    return waits, attack


@pytest.mark.parametrize("name", catalogue.options("adversary"))
def test_an_attack_asks_what_stands_and_nothing_else(name, monkeypatch):
    monkeypatch.setattr(adversary, "SMALL_ON_ACCELERATORS", 1)  # one start at a time
    waits, attack = waits_of(name)
    assert waits == +Counter(rows=allowed(attack))


@pytest.mark.parametrize("name", catalogue.options("adversary"))
def test_several_starts_at_once_ask_no_more_often(name):
    waits, attack = waits_of(name)
    assert waits.total() <= allowed(attack)


def test_a_question_more_is_counted():
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 6)).to(DEVICE)
    images, labels = torch.rand(5, 3, 8, 8, device=DEVICE), torch.arange(5, device=DEVICE)

    def curious(x):
        logits = network(x)
        return logits + logits.mean().item()

    with counting_waits() as waits:
        PGD(curious, images, labels)
    # PGD looks at the clean images, at each step and at the last copies twice.
    assert waits == Counter(rows=1, numbers=PGD.steps + 3)


@pytest.fixture(name="method", scope="module")
def make_method():
    return trainer_of(settings_of("at")).method


@pytest.fixture(name="classifier", scope="module")
def make_classifier(method):
    return Classifier(method.encoder, method.head).eval()


@pytest.fixture
def _without_fitting(monkeypatch):
    """Take any layer for the fitted one: L-BFGS looks at its numbers after every iteration."""

    def any_layer(features, _, *, num_classes, **__):
        return nn.Linear(features.shape[1], num_classes, device=DEVICE)

    for module in (probe, quick):
        monkeypatch.setattr(module, "fit_linear", any_layer)


@pytest.mark.usefixtures("_without_fitting")
@pytest.mark.parametrize("option", catalogue.options("evaluate"))
def test_an_evaluator_asks_for_its_measures_alone(method, option):
    settings = compose.load_shared([f"evaluate={option}", "data=cifar10"]).evaluate
    for one in settings.values():
        one.get("attack", one).steps = 2
    for evaluate in instantiate(settings, _convert_="all").values():
        for size in (60, 30):
            with counting_waits() as waits:
                replace(evaluate, batch_size=size, max_images=60)(method, SPLITS)
            assert waits == Counter(numbers=len(evaluate.measures))


def test_fitting_by_lbfgs_asks_for_a_few_numbers_an_iteration():
    features, labels = torch.rand(20, 6, device=DEVICE), torch.arange(20, device=DEVICE) % 3
    with counting_waits() as waits:
        fit_linear(features, labels, num_classes=3, penalty=1e-4, max_iterations=10)
    assert waits.keys() == {"numbers"}
    assert waits["numbers"] <= 6 * 10


def test_features_neighbours_and_clean_verdicts_ask_nothing(method, classifier):
    with never_waiting():
        features = encode(method.encoder, SPLITS.train, batch_size=50)
        knn_logits(
            features[:9],
            features,
            SPLITS.train.labels,
            num_classes=10,
            neighbours=20,
            temperature=0.1,
        )
        is_right(classifier, SPLITS.test, batch_size=50)


@pytest.mark.parametrize("size", [160, 80])
def test_a_batch_of_a_suite_asks_for_its_verdicts_once(classifier, size):
    curve = RobustnessCurve(adversary=PGD, epsilons=[0.05, 0.1])
    with counting_waits() as waits:
        list(curve.robust_images(classifier, SPLITS.test, batch_size=size, seed=0))
    # In the second ball there are two starts, of which each is tried by what stands.
    assert waits == Counter(copies=160 // size, rows=160 // size * 3 * (1 + allowed(PGD)))


def test_checks_for_masking_ask_as_often_in_large_batches_as_in_small(classifier):
    checks = MaskingChecks(max_images=40, steps=[1, 2], restarts=2, queries=3, unbounded_steps=2)
    for size in (40, 20):
        with counting_waits() as waits:
            list(checks.gather(classifier, PGD.ball, SPLITS.test, batch_size=size, seed=0))
        # Accuracy and loss of the attacks with one step, two numbers of steps, restarts, margin,
        # Square and no bounds; the shares without gradient and that change; the slope's error.
        assert waits - Counter(rows=waits["rows"]) == Counter(numbers=7 * 2 + 2, copies=1)


@pytest.mark.parametrize("batch_size", [80, 32])
def test_an_epoch_of_training_copies_its_metrics_once(batch_size):
    trainer = trainer_of(settings_of("at", f"batch_size={batch_size}"))
    with counting_waits(sending=True) as waits:
        result = next(trainer.epochs())
    assert len(result.metrics) > 2
    assert waits == Counter(copies=1)


@pytest.mark.usefixtures("_without_fitting")
@pytest.mark.parametrize("name", catalogue.options("protocol"))
def test_an_epoch_of_a_protocol_copies_its_metrics_once(method, name):
    settings = compose.load_shared([f"+protocol={name}", "data=cifar10"]).protocol
    protocol = instantiate(settings, _convert_="all")
    if isinstance(protocol, DownstreamTask):  # of images that are read one by one
        return
    if hasattr(protocol, "labels"):  # choosing some looks at them
        protocol = replace(protocol, labels=LabelShare())
    fitting = protocol(method.encoder, SPLITS, head=method.head)
    with counting_waits(sending=True) as waits:
        result = next(fitting.epochs())
    assert waits == +Counter(copies=1 if result.metrics else 0)
