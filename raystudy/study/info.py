"""What is known of a study and of a trial before it runs, for workers and trackers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace, pinned
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Manifest
from raystudy.study import command
from raystudy.trial.info import TrialInfo


@dataclass(frozen=True, kw_only=True)
class StudyInfo:
    """What is known of a study before its first trial; also written to ``study.json``.

    Parameters
    ----------
    id : str
        Name of the study's folder, such as ``swaro-3``.
    folder : Path
    name : str
        Name of the study's YAML, such as ``swaro``.
    overrides : tuple of str
        What the user pinned on the command line, as far as it concerns every trial.
    dataset : str
    spec : StudySpec
    axes : mapping of str to str
        Override path to a readable range, such as ``"0.01 to 1 (log)"``.
    published : mapping of str to value
        Override path to the value trial 0 runs.
    resumed : bool
    measured_on : mapping of str to int
        Of how many images each measure is a share, as far as that was recorded.
    """

    id: str
    folder: Path
    name: str
    overrides: tuple[str, ...]
    dataset: str
    spec: StudySpec
    axes: Mapping[str, str]
    published: Mapping[str, Any]
    search_path: tuple[str, ...] = ()
    resumed: bool = False
    measured_on: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        folder: StudyFolder,
        space: SearchSpace,
        spec: StudySpec,
        manifest: Manifest,
        *,
        resumed: bool,
    ) -> "StudyInfo":
        """Return what is known of the study in a folder, whichever kind it is.

        Parameters
        ----------
        space : SearchSpace
            Without any axis for a single trial.
        """
        return cls(
            id=folder.id,
            folder=folder.path,
            name=manifest.name,
            overrides=pinned(space),
            dataset=manifest.data,
            spec=spec,
            axes=space.axes,
            published=space.published,
            search_path=manifest.search_path,
            resumed=resumed,
            measured_on=manifest.measured_on,
        )


def trial_info(
    trial: FrozenTrial, study: StudyInfo, space: SearchSpace, *, resumed: bool = False
) -> TrialInfo:
    """Return a trial's information before it runs."""
    overrides = (*study.overrides, *space.as_overrides(trial.params))
    name = space.name_of(trial.params)
    return TrialInfo(
        number=trial.number,
        params={path: trial.params[path] for path in space.distributions},
        overrides=overrides,
        folder=StudyFolder(study.folder).trial(trial.number).path,
        command=command.train(name or study.name, overrides, study.search_path),
        resumed=resumed,
        name=name,
    )
