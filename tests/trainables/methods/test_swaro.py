"""SwARo against RoCL, against an attack written independently, and against arithmetic."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits
from trainables.attacks.balls import LinfBall
from trainables.attacks.clusters import ClusterAttack
from trainables.attacks.instance import instance_wise
from trainables.attacks.pgd import PGD
from trainables.batch import Batch
from trainables.modes import in_mode
from trainables.progress import Progress

EPSILON, STEP, STEPS = 0.1, 0.02, 5
SMALL = ["encoder.widths=[8,16]"]


@pytest.fixture
def method():
    settings = compose.load("swaro", [])
    return build_trainer(settings, load_splits(settings)).method


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(0)
    train = load_splits(compose.load("swaro", [])).train
    images = train.pixels(slice(24))
    noisy = (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    return images, noisy


def pgd(steps=STEPS):
    return PGD(ball=LinfBall(epsilon=EPSILON), step_size=STEP, steps=steps, start="zero")


def rocl_attack_by_the_book(embed, images, other, *, temperature, detach_keys):
    """RoCL's loop as its code has it: explicit similarity matrix, embeddings made every time."""
    adversarial = images.clone()
    for _ in range(STEPS):
        adversarial.requires_grad_()
        z = F.normalize(embed(torch.cat([adversarial, other])), dim=1)
        keys = z.detach() if detach_keys else z
        weights = (z @ keys.T / temperature).exp()
        weights = weights - weights.diag().diag()
        n = len(images)
        partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
        loss = -(weights[torch.arange(2 * n), partner] / weights.sum(1)).log().mean()
        (gradient,) = torch.autograd.grad(loss, adversarial)
        adversarial = adversarial.detach() + STEP * gradient.sign()
        adversarial = adversarial.clamp(images - EPSILON, images + EPSILON).clamp(0, 1)
    return adversarial


@pytest.mark.parametrize("detach_keys", [False, True])
def test_with_the_identity_and_all_signs_up_the_attack_is_rocls(method, views, detach_keys):
    method, (view1, view2) = method.double(), (view.double() for view in views)
    with in_mode(method, "eval"):
        targets = method(view2).detach()
        ours = instance_wise(
            pgd(), method, view1, targets, temperature=0.5, detach_keys=detach_keys
        )
        theirs = rocl_attack_by_the_book(
            method, view1, view2, temperature=0.5, detach_keys=detach_keys
        )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
    assert (ours - view1).abs().max() > EPSILON / 2


def distance(method, images, targets):
    with torch.no_grad():
        return (1 - F.cosine_similarity(method(images), targets)).mean().item()


def test_sense_pulls_towards_and_pushes_from_the_permuted_target(method, views):
    view1, view2 = views
    with in_mode(method, "eval"):
        targets = method(view2).detach().roll(1, dims=0)
        before = distance(method, view1, targets)
        for sense, nearer in ((-1.0, True), (1.0, False)):
            moved = instance_wise(
                pgd(),
                method,
                view1,
                targets,
                temperature=0.5,
                sense=torch.full((len(view1),), sense),
            )
            after = distance(method, moved, targets)
            assert after < 0.8 * before if nearer else after > 1.25 * before


def test_one_cluster_pushes_everybody_away():
    attack = ClusterAttack(num_clusters=1, probability=1.0, warmup=0.0)
    _, sense = attack.draw(torch.zeros(64, dtype=torch.int64), step=3)
    assert (sense == 1).all()


def test_as_many_clusters_as_images_pull_all_but_the_fixed_points():
    attack = ClusterAttack(num_clusters=64, probability=1.0, warmup=0.0)
    permutation, sense = attack.draw(torch.arange(64), step=3)
    fixed = permutation == torch.arange(64)
    assert torch.equal(sense > 0, fixed)


def test_the_share_of_positives_is_what_arithmetic_says():
    size, clusters, repeats = 256, 25, 400
    attack = ClusterAttack(num_clusters=clusters, probability=1.0, warmup=0.0)
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for step in range(repeats):
        labels = torch.randint(clusters, (size,), generator=generator)
        total += (attack.draw(labels, step)[1] > 0).sum().item()
    expected = size * (1 / size + (1 - 1 / size) / clusters)
    # A sum of `size` nearly independent coins: five standard errors.
    assert total / repeats == pytest.approx(expected, abs=5 * math.sqrt(expected / repeats))


def test_p_is_the_share_of_attacked_batches():
    attack = ClusterAttack(num_clusters=2, probability=0.75, warmup=0.0)
    labels = torch.tensor([0, 1])
    drawn = sum(attack.draw(labels, step)[0] is not None for step in range(2000))
    assert drawn / 2000 == pytest.approx(0.75, abs=0.04)


def test_the_largest_seed_draws_too():
    attack = ClusterAttack(num_clusters=2, probability=1.0, warmup=0.0, seed=2**63 - 1)
    assert attack.draw(torch.arange(8), step=5)[0] is not None


def test_drawing_p_and_the_permutation_leaves_the_datas_stream_alone():
    before = torch.get_rng_state()
    ClusterAttack(num_clusters=2, probability=1.0, warmup=0.0).draw(torch.arange(8), step=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_the_cluster_attack_swaro_is_rocl_bit_for_bit():
    common = ["max_epochs=2", "optimizer=lars_peak", "attack=rocl_digits", *SMALL]
    results = []
    for study, own in (("rocl", []), ("swaro", ["clusters.probability=0"])):
        settings = compose.load(study, [*common, *own])
        trainer = build_trainer(settings, load_splits(settings))
        losses = [result.metrics["train/loss"] for result in trainer.epochs()]
        results.append((losses, list(trainer.method.parameters())))
    (losses, weights), (own_losses, own_weights) = results
    assert own_losses == losses
    assert all(torch.equal(a, b) for a, b in zip(weights, own_weights, strict=True))


def test_the_warm_up_has_rocls_attack_only():
    settings = compose.load(
        "swaro", ["max_epochs=4", "clusters.warmup=0.5", "clusters.probability=1.0", *SMALL]
    )
    trainer = build_trainer(settings, load_splits(settings))
    shares = [result.metrics["train/cluster_batches"] for result in trainer.epochs()]
    assert shares == [0, 0, 1, 1]


def test_clustering_happens_as_often_as_asked():
    settings = compose.load(
        "swaro",
        [
            "max_epochs=5",
            "clusters.warmup=0.2",
            "clusters.every=2",
            "trainer.compile=false",
            *SMALL,
        ],
    )
    trainer = build_trainer(settings, load_splits(settings))
    labels = [trainer.method.pseudo_labels.clone() for _ in trainer.epochs()]
    same = [torch.equal(a, b) for a, b in pairwise(labels)]
    assert len(labels[0]) == 0  # warm-up
    assert same == [False, True, False, True]


def test_attacking_leaves_modes_statistics_and_gradients_alone(method, views):
    view1, view2 = views
    method.train()
    before = {name: buffer.clone() for name, buffer in method.named_buffers()}
    with in_mode(method, "eval"):
        instance_wise(pgd(), method, view1, method(view2).detach(), temperature=0.5)
    assert method.training
    assert all(part.training for part in method.modules())
    assert all(torch.equal(before[name], buffer) for name, buffer in method.named_buffers())
    assert all(parameter.grad is None for parameter in method.parameters())


def test_the_targets_are_embedded_once_a_batch(method, views):
    rows = []
    method.projector.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    batch = Batch(views[0], torch.empty(0, dtype=torch.int64), torch.arange(len(views[0])))
    method.training_step(batch, Progress(step=0, epoch=0, max_epochs=10, fraction=0.0))
    n = len(batch)
    # Targets once, seven attack steps, the pull's pair, the three views: 1 + 7 + 2 + 3 times N.
    assert rows == [n, *[n] * 7, 2 * n, 3 * n]


def test_alg1_trains_on_the_attacked_pair_alone(views):
    settings = compose.load("swaro", ["method.objective=alg1"])
    method = build_trainer(settings, load_splits(settings)).method
    rows = []
    method.projector.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    batch = Batch(views[0], torch.empty(0, dtype=torch.int64), torch.arange(len(views[0])))
    loss = method.training_step(batch, Progress(step=0, epoch=0, max_epochs=10, fraction=0.0))
    assert rows[-1] == 2 * len(batch)
    assert loss["loss"].item() == pytest.approx(math.log(2 * len(batch) - 1), abs=1.5)
