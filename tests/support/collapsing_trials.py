"""Trials that collapse in Ray's processes."""

from ray_trials import curve

from trainables.trainer import TrainingCollapsedError

REASON = "catastrophic overfitting, made up"


def collapsing(name, overrides, search_path, session):
    """Trial 1 collapses after its second epoch; the others end well."""
    if session.folder.path.name == "0001":
        for epoch in (1, 2):
            session.report(epoch, {"val/robust_accuracy": 0.3})
        raise TrainingCollapsedError(REASON)
    curve(name, overrides, search_path, session)
