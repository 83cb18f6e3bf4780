"""bfloat16 in attacks and evaluators: the verdicts are those of float32."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.attacks.apgd import APGD
from trainables.attacks.balls import L2Ball, LinfBall
from trainables.attacks.relative import relative_pgd
from trainables.attacks.white_box import WhiteBoxPGD
from trainables.data.digits import digits
from trainables.evaluate.classifier import ClassifierAccuracy
from trainables.evaluate.probe import FrozenProbe
from trainables.methods.base import Method
from trainables.networks.small_conv import SmallConv
from trainables.precision import arithmetic, exact
from trainables.suite.robustness import RobustnessCurve

CPU = torch.device("cpu")
BALL = LinfBall(epsilon=0.1)
PGD = relative_pgd(ball=BALL, relative_step=0.1, steps=20)


class Network(Method):
    """A small classifier that notes in which precision it was passed, and whether for a slope."""

    def __init__(self):
        super().__init__()
        self.encoder = SmallConv(channels=1, widths=[16, 32], mean=[0.3], std=[0.4])
        self.head = nn.Linear(32, 10)
        self.passes = set()

    def forward(self, images):
        logits = self.head(self.encoder(images))
        self.passes.add((logits.dtype, images.requires_grad))
        return logits


@pytest.fixture(name="splits", scope="module")
def load_splits():
    return digits()


@pytest.fixture(name="network", scope="module")
def train_adversarially(splits):
    torch.manual_seed(0)
    network, train = Network(), splits.train
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    fgsm = relative_pgd(ball=BALL, relative_step=1.25, steps=1)
    for _ in range(100):
        rows = torch.randint(len(train), (128,))
        labels = train.labels[rows]

        def misfit(images, labels=labels):
            return F.cross_entropy(network(images), labels, reduction="none")

        optimizer.zero_grad()
        misfit(fgsm(misfit, train.pixels(rows))).mean().backward()
        optimizer.step()
    return network.eval()


@pytest.mark.parametrize(
    "adversary",
    [
        WhiteBoxPGD(ball=BALL, relative_step=0.1, steps=20),
        WhiteBoxPGD(ball=L2Ball(epsilon=0.6), relative_step=0.1, steps=20),
        APGD(ball=BALL, steps=20),
    ],
    ids=["pgd_linf", "pgd_l2", "apgd_linf"],
)
def test_an_attack_in_bfloat16_comes_to_the_verdicts_of_float32(network, splits, adversary):
    plain, low = (
        torch.cat(list(curve.robust_images(network, splits.val, batch_size=512, seed=0)), dim=1)
        for curve in (
            RobustnessCurve(adversary=adversary, precision=precision)
            for precision in ("float32", "bfloat16")
        )
    )
    assert 0.5 < plain.float().mean() < 0.8
    # Measured: 1.1 to 2.8 % of 359 images, broken by the second start in float32 that those still
    # right get; another seed of the starts changes 2.2 to 5.6 %.
    assert (plain != low).float().mean() <= 0.04
    assert (low & ~plain).float().mean() <= 0.01


@pytest.mark.parametrize("ball", [BALL, L2Ball(epsilon=0.6)], ids=["linf", "l2"])
def test_rounding_alone_changes_hardly_a_verdict(network, splits, ball):
    images, labels = splits.val.pixels(slice(None)), splits.val.labels
    attack, right = relative_pgd(ball=ball, relative_step=0.1, steps=20), []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        with arithmetic(CPU, precision):
            copies = attack(lambda x: F.cross_entropy(network(x), labels, reduction="none"), images)
        right.append(network(copies).argmax(dim=1) == labels)
    assert (right[0] != right[1]).float().mean() <= 0.01  # measured: 1 of 359 images


def test_a_classifier_is_attacked_in_bfloat16_and_judged_in_float32(network, splits):
    evaluate = ClassifierAccuracy(attack=PGD)
    found = {}
    for precision in ("float32", "bfloat16"):
        network.passes.clear()
        with arithmetic(CPU, precision):
            found[precision] = evaluate(network, splits)
        kind = getattr(torch, precision)
        assert network.passes == {(kind, True), (torch.float32, False)}
    plain, low = found["float32"], found["bfloat16"]
    assert plain["val/accuracy"] == low["val/accuracy"] > 0.9
    assert abs(plain["val/robust_accuracy"] - low["val/robust_accuracy"]) <= 0.01  # measured: 0.003


def test_a_probe_in_bfloat16_comes_to_the_accuracies_of_float32(network, splits):
    # Measured: the same, and 0.003 more of attacked images.
    evaluate = FrozenProbe(neighbours=20, temperature=0.1, penalty=1e-4, attack=PGD)
    plain = evaluate(network, splits)
    with arithmetic(CPU, "bfloat16"):
        low = evaluate(network, splits)
    assert low["val/accuracy"] == pytest.approx(plain["val/accuracy"], abs=0.005)
    assert low["val/knn_accuracy"] == pytest.approx(plain["val/knn_accuracy"], abs=0.005)
    assert low["val/robust_accuracy"] == pytest.approx(plain["val/robust_accuracy"], abs=0.01)


def test_what_is_exact_stays_so_inside():
    one = torch.full((1, 1), 1 + 2**-10)
    with arithmetic(CPU, "bfloat16"):
        assert (one @ one).dtype == torch.bfloat16
        with exact(CPU):
            assert (one @ one).item() == (1 + 2**-10) ** 2
    with arithmetic(CPU, "float32"), exact(torch.device("meta")):
        assert (one @ one).dtype == torch.float32
