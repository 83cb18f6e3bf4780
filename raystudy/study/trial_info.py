"""A trial about to start, as workers and trackers are told of it."""

from optuna.trial import FrozenTrial

from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.study import command
from raystudy.study.tracker import StudyInfo, TrialInfo


def of(
    trial: FrozenTrial, study: StudyInfo, space: SearchSpace, *, resumed: bool = False
) -> TrialInfo:
    """Return what there is to know of a trial before it runs."""
    overrides = (*study.overrides, *space.as_overrides(trial.params))
    return TrialInfo(
        number=trial.number,
        params={path: trial.params[path] for path in space.distributions},
        overrides=overrides,
        folder=StudyFolder(study.folder).trial(trial.number).path,
        command=command.train(study.name, overrides, study.search_path),
        resumed=resumed,
    )
