"""Settings that make no sense are refused in a sentence that names them, before training."""

import pytest

from raystudy.config import compose
from raystudy.errors import UserError
from raystudy.trial.build import build_evaluators, build_trainer, load_splits

TEMPERATURES = [
    *("rocl", "swaro", "acl", "simclr", "simclr_ce", "suncet"),
    *("suncet_swav", "swav", "moco", "scl"),
]

NONSENSE = [
    *(
        (study, "method.temperature=0", "method.temperature must be above 0")
        for study in TEMPERATURES
    ),
    ("swav", "method.epsilon=0", "method.epsilon must be above 0"),
    ("suncet_swav", "method.weight=-1", "method.weight must be at least 0"),
    ("rocl", "method.regularisation=-1", "method.regularisation must be at least 0"),
    ("swaro", "method.regularisation=-1", "method.regularisation must be at least 0"),
    ("moco", "method.momentum=2", "method.momentum must be in"),
    ("msr", "method.momentum=-0.5", "method.momentum must be in"),
    ("simclr", "method.projector_width=0", "widths of a projector"),
    ("simclr", "method.projector_width=-3", "widths of a projector"),
    ("simclr", "encoder.widths=[8,0]", "encoder.widths needs"),
    ("simclr", "data.std=[0]", "encoder.std"),
    ("simclr", "data.mean=[0.1,0.2]", "encoder.mean"),
    ("simclr", "data.channels=3", "data.channels must be 1"),
    ("simclr", "optimizer.lr=-1", "optimizer.lr"),
    ("at", "optimizer.lr=-1", "optimizer: "),
    ("simclr", "lr_schedule.peak=-5", "lr_schedule.peak must be at least 0"),
    ("simclr", "evaluate_every=0", "evaluate_every must be at least 1"),
    ("simclr", "evaluate.probe.neighbours=0", "evaluate.probe.neighbours must be at least 1"),
    ("simclr", "evaluate.probe.max_images=0", "evaluate.probe.max_images must be at least 1"),
    ("simclr", "evaluate.probe.temperature=0", "evaluate.probe.temperature must be above 0"),
    ("at", "evaluate.classifier.batch_size=0", "evaluate.classifier.batch_size must be at least 1"),
    ("at", "evaluate.collapse.steps=0", "evaluate.collapse.steps must be at least 1"),
    ("simclr", "trainer.clip_grad_norm=-1", "trainer.clip_grad_norm must be above 0"),
    ("simclr", "batch_size=1", "batch_size must be between 2"),
    ("simclr", "seed=-1", "seed must be between 0"),
]


def build(study, override):
    settings = compose.load(study, ["device=cpu", override])
    build_trainer(settings, load_splits(settings))
    build_evaluators(settings)


@pytest.mark.parametrize(("study", "override", "sentence"), NONSENSE)
def test_it_is_refused_in_a_sentence(study, override, sentence):
    with pytest.raises(UserError) as refusal:
        build(study, override)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_statistics_that_are_alike_but_not_the_channels_are_refused():
    settings = compose.load("simclr", ["device=cpu", "data.mean=[0.1,0.2]", "data.std=[1.0,1.0]"])
    with pytest.raises(UserError, match="a number per channel"):
        build_trainer(settings, load_splits(settings))
