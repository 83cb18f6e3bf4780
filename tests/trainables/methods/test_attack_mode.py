"""Batch-norm mode during the attacks of self-supervised methods is a setting."""

import pytest
from torch.nn.modules.batchnorm import _BatchNorm

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits


def passes(study, mode):
    """Passes that moved the statistics of the first batch norm, in an update."""
    small = ["device=cpu", "encoder.widths=[8,16]"]
    settings = compose.load(study, [f"method.attack_mode={mode}", *small])
    trainer = build_trainer(settings, load_splits(settings))
    steps = trainer.trial_run()
    next(steps)
    next(steps)
    norms = [part for part in trainer.method.encoder.modules() if isinstance(part, _BatchNorm)]
    return max(int(norm.num_batches_tracked) for norm in norms)


@pytest.mark.parametrize("study", ["rocl", "swaro", "acl"])
def test_an_attack_moves_statistics_only_in_train_mode(study):
    steps = compose.load(study, []).attack.steps
    assert passes(study, "train") >= passes(study, "eval") + steps


@pytest.mark.parametrize("study", ["rocl", "swaro", "acl"])
def test_another_mode_is_refused(study):
    with pytest.raises(ValueError, match="mode is train or eval"):
        passes(study, "off")
