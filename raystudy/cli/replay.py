"""``raystudy replay``: train a stored trial again."""

import re
from collections.abc import Mapping, Sequence

from raystudy.config import compose, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.scopes import Scope
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.study import command
from raystudy.study.open_tracker import open_tracker
from raystudy.study.replay import replay_command, trial_name, trial_overrides
from raystudy.study.stored import find_run
from raystudy.study.tracker import Tracker


def replay(run: str, overrides: Sequence[str]) -> int:
    """Train a trial again, from its study's folder or from its run in MLflow."""
    from raystudy.interface import train  # imports torch, which takes seconds

    shared = scopes.select(overrides, scopes.SHARED)
    settings = compose.load_shared(shared)
    output_dir = folder_of(settings)
    moved = scopes.select(overrides, [Scope.IMAGES])
    if re.fullmatch("[0-9a-f]{32}", run):
        tracker = open_tracker(settings)
        if not tracker.place:  # tracker=none is about the new training
            place = scopes.select(shared, [Scope.RESULTS])
            tracker = open_tracker(compose.load_shared(place))
        tags = _tags_of_run(tracker, run)
        line = tags["raystudy.command"]
        study_id, _, number = _trial_of(tags).partition("/")
        folder = StudyFolder(output_dir / "studies" / study_id)
        if (folder.path / "study.json").is_file():
            name, own, _ = command.read_train(line)
            _refuse_changed(folder, int(number), name, [*own, *moved])
    else:
        study, trial = find_run(output_dir, run)
        own, name = trial_overrides(study, trial), trial_name(study, trial)
        _refuse_changed(study.folder, trial.summary.number, name, [*own, *moved])
        line = replay_command(study, trial)
    name, own, folders = command.read_train(line)
    return train.start(name, [*own, *overrides], folders).exit_code


def _trial_of(tags: Mapping[str, str]) -> str:
    """Return the trial a run is of, STUDY/NUMBER; of a configuration's, the searched one."""
    own = f"{tags.get('raystudy.study_id', '')}/{tags.get('raystudy.trial_number', '')}"
    return tags.get("raystudy.trial", own)


def _refuse_changed(folder: StudyFolder, number: int, name: str, overrides: Sequence[str]) -> None:
    """Refuse to train a trial again under another YAML, or on other images."""
    from raystudy.study import continuation

    continuation.refuse_changed_trial(folder, number, name, overrides)
    continuation.refuse_other_images(folder, name, overrides)


def _tags_of_run(tracker: Tracker, run_id: str) -> Mapping[str, str]:
    tags = tracker.tags(run_id)
    if not tags.get("raystudy.command", "").startswith("raystudy train "):
        where = tracker.place or "the tracker (tracker=none)"
        raise UserError(f"run {run_id} in {where} is not a trial of raystudy.")
    return tags
