"""A search on disk whose trials were told, not trained."""

from raystudy.config.spec import StudySpec
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study.info import StudyInfo
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Outcome, Study


def search(output_dir, values, *overrides, name="simclr", search_path=()):
    """Store a search whose trials end with these objective values; None: it diverges."""
    space, composed = SearchSpace.load(name, overrides, search_path)
    folder = create_study_folder(output_dir, name, f"{name}-1")
    manifest = Manifest(
        kind="sweep",
        name=name,
        overrides=tuple(overrides),
        data="digits",
        search_path=tuple(search_path),
    )
    folder.write_manifest(manifest)
    info = StudyInfo.of(
        folder, space, StudySpec.read(composed.config.study), manifest, resumed=False
    )
    study = Study.open(
        info,
        space,
        sampler={"_target_": "optuna.samplers.RandomSampler"},
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
    )
    metrics = [objective.metric for objective in info.spec.objectives]
    with study:
        for value in values:
            trial = study.next_trial()
            several = value if isinstance(value, tuple) else (value,)
            if value is None:
                study.finish(trial.number, Outcome("diverged"))
                continue
            study.report(trial.number, 1, dict(zip(metrics, several, strict=True)))
            study.finish(trial.number, Outcome("completed"))
    return StoredStudy(folder)
