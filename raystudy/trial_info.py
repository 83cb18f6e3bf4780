"""A trial about to start, as workers and trackers are told of it."""

import shlex

from optuna.trial import FrozenTrial

from raystudy.search_space import SearchSpace
from raystudy.study_folder import StudyFolder
from raystudy.trackers.base import StudyInfo, TrialInfo


def of(
    trial: FrozenTrial, study: StudyInfo, space: SearchSpace, *, resumed: bool = False
) -> TrialInfo:
    """Return what there is to know of a trial before it runs."""
    overrides = (*study.overrides, *space.as_overrides(trial.params))
    folders = [f"--search-path={folder}" for folder in study.search_path]
    return TrialInfo(
        number=trial.number,
        params={path: trial.params[path] for path in space.distributions},
        overrides=overrides,
        folder=StudyFolder(study.folder).trial(trial.number).path,
        command=shlex.join(["raystudy", "train", study.name, *overrides, *folders]),
        resumed=resumed,
    )
