"""Find a trained network by the name of a study, a trial, a run or a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from raystudy.config import compose, override, scopes
from raystudy.config.output_dir import folder_of
from raystudy.config.scopes import Scope
from raystudy.config.spec import RECIPE
from raystudy.errors import UserError
from raystudy.storage.folders import (
    StudyFolder,
    TrialFolder,
    has_study,
    nearest_study,
    open_study_folder,
)
from raystudy.study import continuation
from raystudy.study.open_tracker import open_tracker
from raystudy.study.replay import trial_name, trial_overrides
from raystudy.study.stored import StoredStudy
from raystudy.study.tracker import Tracker

FOREIGN = "simclr"  # the study that lends its settings to an encoder from elsewhere
MAY_CHANGE = (Scope.SUITE, Scope.DEVICE, Scope.IMAGES, Scope.MACHINE, *scopes.SHARED)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a trained network is, and how it was made.

    Parameters
    ----------
    label : str
        What to call it, such as ``swaro-1/3``.
    name : str
        Name of the study's YAML.
    overrides : tuple of str
        The whole trial.
    search_path : tuple of str
    weights : Path
    study : StudyFolder, optional
    number : int
        Of the trial.
    prefix : str, optional
        What stands before the encoder's names, where a file from elsewhere holds several.
    usual : bool
        Whether these are the weights that the trial's name stands for.
    """

    label: str
    name: str
    overrides: tuple[str, ...]
    search_path: tuple[str, ...]
    weights: Path
    study: StudyFolder | None = None
    number: int = RECIPE
    prefix: str | None = None
    usual: bool = True

    @property
    def folder(self) -> Path | None:
        """The trial's folder, if it is a trial of raystudy's."""
        return self.study.trial(self.number).path if self.study else None

    def settings(self, overrides: Sequence[str] = ()) -> DictConfig:
        """Return the trial's configuration under further overrides."""
        settings = compose.load(self.name, [*self.overrides, *overrides], self.search_path)
        if self.study is not None:
            self.study.settle(settings)
            own = compose.load(self.name, self.overrides, self.search_path)
            _normalise_as_trained(settings, own, self.study.trial(self.number).config)
        return settings


AS_TRAINED = ("mean", "std")  # of the encoder; weights do not hold them


def _builds_another(path: str) -> bool:
    """Return whether another value at `path` builds another network, or feeds it otherwise."""
    as_trained = path in [f"encoder.{name}" for name in AS_TRAINED]
    return scopes.is_of_network(path) and not as_trained


def _normalise_as_trained(settings: DictConfig, own: DictConfig, kept: Path) -> None:
    """Give the encoder the mean and deviation it was trained with.

    A recipe may have changed since then, as RoCL's and SwARo's that used to normalise.
    """
    if not kept.is_file():
        return
    before = OmegaConf.select(OmegaConf.load(kept), "encoder", default={})
    for name in AS_TRAINED:
        if name in before and name in own.encoder and before[name] != own.encoder[name]:
            settings.encoder[name] = before[name]


def find(what: str, overrides: Sequence[str], search_path: Sequence[str] = ()) -> Origin:
    """Return where a trained network is; see `open_trained`."""
    shared = compose.load_shared(scopes.select(overrides, scopes.SHARED))
    output_dir = folder_of(shared)
    if not has_study(output_dir, what.partition("/")[0]):
        if (file := _file(what)) is not None:
            if not file[0].is_file() and "/" not in what:
                hint = nearest_study(output_dir, what) or "'raystudy studies' lists them."
                raise UserError(
                    f"there is no study '{what}' in {output_dir}, and there is no file {file[0]}; "
                    f"{hint}"
                )
            return _of_file(*file, overrides, search_path)
        if re.fullmatch("[0-9a-f]{32}", what):
            what = _trial_of_run(open_tracker(shared), what)
    study_id, _, number = what.partition("/")
    if number and Path(what).expanduser().is_dir():
        raise UserError(f"{what} is a folder; name a study, such as swaro-1, or a file of weights.")
    if number and not number.isdigit():
        raise UserError(f"a trial is named STUDY/NUMBER, such as swaro-1/3; got '{what}'.")
    folder = open_study_folder(output_dir, study_id)
    return _of_trial(folder, int(number) if number else None, overrides)


def is_network(word: str) -> bool:
    """Return whether a word names a network; otherwise it is a setting.

    Lightning names its files ``epoch=9-step=100.ckpt``.
    """
    is_setting = "=" in word or re.match("~[^/]", word) is not None
    return not is_setting or Path(word.partition(":")[0]).is_file()


def _file(what: str) -> tuple[Path, str | None] | None:
    """Return the file that is meant and the prefix asked for, if it is a file."""
    file, _, prefix = what.rpartition(":")
    if prefix and Path(file).expanduser().is_file():
        return Path(file).expanduser().resolve(), f"{prefix.removesuffix('.')}."
    path = Path(what).expanduser()
    return (path.resolve(), None) if path.suffix or path.is_file() else None


def _of_file(
    path: Path, prefix: str | None, overrides: Sequence[str], search_path: Sequence[str]
) -> Origin:
    if not path.is_file():
        raise UserError(f"there is no file {path}.")
    folder = path.parent
    if folder.parent.name == "trials" and (folder.parent.parent / "study.json").is_file():
        study = StudyFolder(folder.parent.parent)
        return _of_trial(study, int(folder.name), overrides, path)
    own = scopes.without(overrides, [Scope.SUITE])
    return Origin(
        label=path.name if prefix is None else f"{path.name}:{prefix.removesuffix('.')}",
        name=FOREIGN,
        overrides=tuple(own),
        search_path=tuple(search_path),
        weights=path,
        prefix=prefix,
    )


def _of_trial(
    folder: StudyFolder, number: int | None, asked: Sequence[str], weights: Path | None = None
) -> Origin:
    manifest = folder.read_manifest()
    ignored = [t for t in scopes.without(asked, MAY_CHANGE) if override.node_of(t) != "data"]
    if ignored:
        raise UserError(
            f"{folder.id} is measured as it was trained: '{ignored[0]}' would change that; train a "
            f"trial with it, or leave it out."
        )
    if manifest.kind == "train":
        if number not in (None, RECIPE):
            raise UserError(f"{folder.id} is a single trial; there is no {folder.id}/{number}.")
        number, overrides = RECIPE, list(manifest.overrides)
        name, label = manifest.name, folder.id
    else:
        study = StoredStudy(folder)
        if number is None:
            number = _best_of(study)
        trial = study.trial(number)
        overrides, name = trial_overrides(study, trial), trial_name(study, trial)
        label = f"{folder.id}/{number}"
    continuation.refuse_changed_trial(folder, number, name, overrides, only=_builds_another)
    kept = weights or _kept(folder.trial(number), label)
    usual = kept == _usual(folder.trial(number))
    return Origin(
        label=label if usual else f"{label} {kept.name}",
        name=name,
        overrides=tuple(scopes.select(overrides, scopes.OF_A_TRIAL)),
        search_path=manifest.search_path,
        weights=kept,
        study=folder,
        number=number,
        usual=usual,
    )


def _best_of(study: StoredStudy) -> int:
    if study.best:
        return study.best[0].number
    complete = [summary.number for summary in study.ended if summary.state == "complete"]
    if complete:  # of a confirm or a reproduction
        raise UserError(
            f"{study.id} has no best trial, for each of its runs is one seed of a configuration; "
            f"name one, such as {study.id}/{complete[0]} ('{study.folder.command('status')}' lists "
            f"them)."
        )
    raise UserError(f"{study.id} has no complete trial yet; name one: {study.id}/0.")


def _kept(trial: TrialFolder, label: str) -> Path:
    """Return a trial's last weights, or its best where those are gone."""
    if (usual := _usual(trial)) is None:
        raise UserError(f"{label} has left no weights in {trial.path}; replay it first.")
    return usual


def _usual(trial: TrialFolder) -> Path | None:
    kept = (path for path in (trial.last_checkpoint, trial.best_weights) if path.is_file())
    return next(kept, None)


def _trial_of_run(tracker: Tracker, run_id: str) -> str:
    tags = tracker.tags(run_id)
    if tags.get("raystudy.kind") != "trial":
        where = tracker.place or "the tracker (tracker=none)"
        raise UserError(f"{run_id} is no trial of raystudy in {where}.")
    return f"{tags['raystudy.study_id']}/{tags['raystudy.trial_number']}"
