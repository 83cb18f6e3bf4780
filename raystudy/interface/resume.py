"""Continue what is unfinished, whatever started it, and add trials to what is finished."""

import re
from collections.abc import Sequence

from raystudy.config import override, scopes
from raystudy.config.output_dir import results_folder_among
from raystudy.confirm import begin as confirm
from raystudy.errors import UserError
from raystudy.interface import sweep, train
from raystudy.interface.ended import Ended
from raystudy.storage.folders import StudyFolder, open_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.study.stored import StoredStudy


def resume(study_id: str, overrides: Sequence[str]) -> Ended:
    """Continue a search, a training, a confirm or a reproduction that was interrupted."""
    if fixed := scopes.without(overrides, scopes.CHANGEABLE):
        raise UserError(
            f"resume {study_id}: '{override.path_of(fixed[0])}' cannot change within a study; only "
            f"{scopes.paths(scopes.CHANGEABLE)} can. Start another study with 'raystudy sweep'."
        )
    folder = open_study_folder(results_folder_among(overrides), study_id)
    return Ended(folder, _resume(folder, folder.read_manifest(), overrides))


def extend(study_id: str, overrides: Sequence[str]) -> Ended:
    """Continue a study with more trials than it has."""
    asked = override.named(overrides, "study.num_trials")
    if not asked:
        raise UserError(
            f"extend {study_id}: give the number of trials to add, such as study.num_trials=+32, "
            f"or the total, such as study.num_trials=64."
        )
    output_dir = results_folder_among(overrides)
    now = StoredStudy.open(output_dir, study_id).spec.num_trials
    value = override.value_of(asked[-1])
    total = now + int(value) if re.fullmatch(r"\+\d+", value) else value
    if not str(total).isdigit() or int(total) <= now:
        raise UserError(
            f"study.num_trials must be above the {now} that {study_id} has, or +MORE; got {value}."
        )
    others = [text for text in overrides if text not in asked]
    return resume(study_id, [*others, f"study.num_trials={total}"])


def _resume(folder: StudyFolder, manifest: Manifest, overrides: Sequence[str]) -> int:
    if manifest.kind == "confirm":
        return confirm.resume(folder, overrides)
    if manifest.kind == "reproduce":
        from raystudy.reproduce import begin  # torchvision, and torch's compiler: 2 s

        return begin.resume(folder, overrides)
    if manifest.kind == "train":
        return train.resume(folder, manifest, overrides)
    return sweep.resume(folder, manifest, overrides)
