"""What every study promises; a new method is enrolled by existing."""

import functools
import math

import pytest
import torch
from fake_ranks import fake_ranks
from like_cuda_graphs import GRAPHS, NAME
from omegaconf import OmegaConf
from torch._dynamo.utils import counters

from raystudy.config import catalogue, compose
from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.trial.build import build_evaluators, build_trainer, load_splits
from trainables.data.image_set import Splits

STUDIES = catalogue.study_names()
CLASSIFIERS = ("at", "cross_entropy", "fast_at", "fast_at_linf", "free_at", "trades")
PROBED = [study for study in STUDIES if study not in CLASSIFIERS]  # on a fixed encoder
SHORT = ["max_epochs=3", "device=cpu", "encoder.widths=[8,16]"]
FEW = 256  # training images: two steps an epoch


def few_images(settings):
    whole = load_splits(settings)
    train, val = whole.train.rows(slice(FEW)), whole.val.rows(slice(100))
    return Splits(train, val, whole.test, whole.classes)


def settings_of(study, *overrides):
    settings = compose.load(study, [*SHORT, *overrides])
    if "steps" in settings.attack:
        settings.attack.steps = min(settings.attack.steps, 2)
    if "labels" in settings:
        settings.labels.fraction = 0.5  # of few images, so that every class has some
    return settings


def trainer_of(study, *overrides):
    settings = settings_of(study, *overrides)
    return build_trainer(settings, few_images(settings))


@functools.cache
def plain_epoch(study):
    return curve(trainer_of(study, "max_epochs=1"))


def curve(a_trainer):
    return [result.metrics for result in a_trainer.epochs()]


def state(a_trainer):
    return a_trainer.method.state_dict()


@pytest.mark.parametrize("study", STUDIES)
def test_its_name_is_its_file(study):
    assert compose.load(study, []).study.name == study


@pytest.mark.parametrize("study", PROBED)
def test_an_untrained_encoder_leaves_training_on_digits_something_to_win(study):
    settings = compose.load(study, ["data=digits", "device=cpu"])
    whole = load_splits(settings)
    measured = build_evaluators(settings)["probe"](build_trainer(settings, whole).method, whole)
    assert measured["val/accuracy"] < 0.85
    assert measured["val/robust_accuracy"] < 0.05


@pytest.mark.parametrize("study", STUDIES)
def test_the_published_recipe_lies_inside_the_space(study):
    space, composed = SearchSpace.load(study, [])
    assert space.distributions, "nothing to search"
    for path, value in space.published.items():
        axis = space.distributions[path]
        assert axis._contains(axis.to_internal_repr(value)), path
    StudySpec.read(composed.config.study)


def has_its_own_recipe(study, data):
    return catalogue.find_yaml(f"recipe/{study}/{data}") is not None


@pytest.mark.parametrize("study", STUDIES)
def test_it_composes_at_full_scale(study):
    for data in catalogue.options("data"):
        if data == "cifar10" or has_its_own_recipe(study, data):
            space, _ = SearchSpace.load(study, [f"data={data}"])
            assert space.published


@pytest.mark.parametrize("study", STUDIES)
def test_every_trainable_parameter_gets_a_finite_gradient(study):
    a_trainer = trainer_of(study, "max_epochs=1")
    gradients = {name: None for name, p in a_trainer.method.named_parameters() if p.requires_grad}

    def note(name):
        return lambda gradient: gradients.__setitem__(name, gradient)

    for name, parameter in a_trainer.method.named_parameters():
        if parameter.requires_grad:
            parameter.register_hook(note(name))
    (metrics,) = curve(a_trainer)
    assert math.isfinite(metrics["train/loss"])
    without = [name for name, gradient in gradients.items() if gradient is None]
    assert not without
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@pytest.mark.parametrize("study", STUDIES)
def test_the_same_seed_gives_the_same_curve_and_another_seed_another(study):
    first = plain_epoch(study)
    assert curve(trainer_of(study, "max_epochs=1")) == first
    assert curve(trainer_of(study, "max_epochs=1", "seed=1")) != first


@pytest.mark.parametrize("study", STUDIES)
def test_resume_is_bitwise(study, tmp_path):
    straight = trainer_of(study)
    epochs = straight.epochs()
    next(epochs), next(epochs)
    torch.save(straight.state_dict(), tmp_path / "state")
    (expected,) = [result.metrics for result in epochs]
    torch.randn(3)
    second = trainer_of(study)
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert curve(second) == [expected]
    for name, tensor in state(straight).items():
        if isinstance(tensor, torch.Tensor):
            assert torch.equal(tensor, state(second)[name]), name


@pytest.mark.parametrize("study", STUDIES)
def test_it_trains_in_bfloat16_and_channels_first(study):
    loss = plain_epoch(study)[-1]["train/loss"]
    fast = trainer_of(
        study, "max_epochs=1", "trainer.precision=bfloat16", "trainer.channels_last=false"
    )
    assert curve(fast)[-1]["train/loss"] == pytest.approx(loss, rel=0.05)


@pytest.mark.parametrize("study", STUDIES)
def test_compiled_it_trains_alike_by_graphs_that_a_gpu_could_replay(study):
    shorter = "batch_size=64"  # so that of four steps an epoch three are compiled
    expected = next(trainer_of(study, shorter).epochs()).metrics["train/loss"]
    GRAPHS.clear()
    counters.clear()
    options = ["trainer.compile=true", f"trainer.compile_backend={NAME}"]
    a_trainer = trainer_of(study, shorter, *options)
    epochs = a_trainer.epochs()
    assert next(epochs).metrics["train/loss"] == pytest.approx(expected, rel=1e-3)
    known = set(GRAPHS.passes)
    next(epochs)
    assert set(GRAPHS.passes) == known  # neither a shape nor a mode is new
    assert not counters["graph_break"]
    assert all(parameter.isfinite().all() for parameter in a_trainer.method.parameters())


def trained_on_a_rank(plain_settings):
    settings = OmegaConf.create(plain_settings)
    a_trainer = build_trainer(settings, few_images(settings))
    metrics = curve(a_trainer)[-1]
    tensors = {n: t for n, t in state(a_trainer).items() if isinstance(t, torch.Tensor)}
    return metrics, tensors


@pytest.mark.parametrize("study", STUDIES)
def test_two_ranks_stay_alike(study, run_ranks):
    settings = compose.plain(settings_of(study, "max_epochs=1"))  # here, for both
    (first, ours), (second, theirs) = run_ranks(trained_on_a_rank, settings)
    assert math.isfinite(first["train/loss"])
    assert first == second
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("study", STUDIES)
def test_its_objectives_are_measured_and_measuring_moves_nothing(study):
    settings = settings_of(study, "max_epochs=1")
    splits, measured = few_images(settings), {}
    a_trainer = build_trainer(settings, splits)
    for evaluate in build_evaluators(settings).values():
        measured |= evaluate(a_trainer.method, splits)
    assert curve(a_trainer) == plain_epoch(study)
    for objective in StudySpec.read(settings.study).objectives:
        assert 0 <= measured[objective.metric] <= 1


@pytest.mark.parametrize("study", STUDIES)
def test_the_fourth_of_eight_ranks_takes_its_step(study):
    def keep(_, bucket):  # DDP's mean over ranks: these carry nothing
        kept = torch.futures.Future()
        kept.set_result(bucket.buffer())
        return kept

    with fake_ranks(8, rank=3):
        trainer = trainer_of(study)
        trainer._step.register_comm_hook(None, keep)
        trainer.method.before_epoch(trainer._train, trainer._progress(0))
        batch = next(iter(trainer._batches.epoch(0)))
        scalars = trainer._update(batch, trainer._progress(0))
        assert {tuple(value.shape) for value in scalars.values()} == {()}
        assert any(parameter.grad is not None for parameter in trainer.method.parameters())
