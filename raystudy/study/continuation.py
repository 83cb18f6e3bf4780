"""A study continues only with the settings and images it was started with."""

from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy import terminal
from raystudy.config import compose, recipe
from raystudy.config.catalogue import GROUPS
from raystudy.search.listed_space import FINALIST
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import OLD_CUT, Cut, Manifest
from raystudy.study import stored
from raystudy.study.replay import trial_name, trial_overrides
from raystudy.study.stored import StoredStudy


def refuse_changed(
    folder: StudyFolder,
    manifest: Manifest,
    settings: DictConfig,
    space: SearchSpace | None = None,
) -> Cut:
    """Refuse to continue a study whose YAML or images have changed; return the images.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    settings : DictConfig
        What it composes to now.
    space : SearchSpace, optional
        Of a sweep.

    Raises
    ------
    UserError
        With what has changed.
    """
    from raystudy.trial import images  # NumPy and torch take their time
    from raystudy.trial.build import load_splits

    axes = space.distributions if space else None
    recipe.refuse_another(folder.id, manifest.recipe, settings, axes)
    if manifest.reproduce is not None:
        refuse_changed_recipe(folder, manifest)
    elif manifest.kind != "train":
        _refuse_changed_choices(StoredStudy(folder))
    on_cpu = settings.copy()
    on_cpu.device = "cpu"
    splits = load_splits(on_cpu)
    images.refuse_others(folder, manifest, on_cpu, splits)
    if manifest.images is None:
        images.save(folder, splits)
    if manifest.images is None and OLD_CUT in manifest.overrides:
        terminal.console(stderr=True).print(
            f"note: {folder.id} was started before raystudy noted which images a study is of; if "
            f"they changed since, it cannot be said. From now on it is."
        )
    return images.cut_of(splits)


def refuse_other_images(folder: StudyFolder, name: str, overrides: Sequence[str]) -> None:
    """Refuse to run a trial anew if the images are not its study's any more.

    Parameters
    ----------
    folder : StudyFolder
    name : str
        Of the trial's YAML.
    overrides : sequence of str
        The whole trial.
    """
    from raystudy.trial import images
    from raystudy.trial.build import load_splits

    manifest = folder.read_manifest()
    own = compose.load(name, [*overrides, "device=cpu"], manifest.search_path)
    images.refuse_others(folder, manifest, own, load_splits(own))


def refuse_changed_recipe(folder: StudyFolder, manifest: Manifest) -> None:
    """Refuse to take up a study whose YAML has changed: that of its recipe or of what it chose."""
    if manifest.kind == "train":
        settings = compose.load(manifest.name, manifest.overrides, manifest.search_path)
        recipe.refuse_another(folder.id, manifest.recipe, settings)
        return
    if manifest.reproduce is not None:
        for name in manifest.reproduce.arms:
            settings = stored.arm_settings(manifest, name=name)
            before = _recipe_of_arm(manifest, name)
            recipe.refuse_another(f"{name} of {folder.id}", before, settings)
        return
    study = StoredStudy(folder)
    space, settings = study.composed
    axes = space.distributions if manifest.kind == "sweep" else None
    recipe.refuse_another(folder.id, manifest.recipe, settings, axes)
    _refuse_changed_choices(study)


def _refuse_changed_choices(study: StoredStudy) -> None:
    """Refuse to take up a study of which an option that trials have chosen has changed."""
    seen = set()
    for trial in study.trials:
        chosen = {p: v for p, v in trial.params.items() if p in (*GROUPS, FINALIST)}
        if chosen and (choice := tuple(chosen.items())) not in seen:
            seen.add(choice)
            refuse_changed_trial(
                study.folder,
                trial.summary.number,
                trial_name(study, trial),
                trial_overrides(study, trial),
            )


def refuse_changed_trial(
    folder: StudyFolder,
    number: int,
    name: str,
    overrides: Sequence[str],
    *,
    only: Callable[[str], bool] | None = None,
) -> None:
    """Refuse to take up a network or a trial whose YAML has changed.

    Parameters
    ----------
    folder : StudyFolder
    number : int
        Of the trial.
    name : str
        Of its YAML.
    overrides : sequence of str
        The whole trial.
    only : callable (str) -> bool, optional
        Whether the setting at a path is looked at.
    """
    manifest = folder.read_manifest()
    kept = folder.trial(number).config
    if not kept.is_file():  # it has not begun
        return
    label = folder.id if manifest.kind == "train" else f"{folder.id}/{number}"
    settings = compose.load(name, overrides, manifest.search_path)
    before = recipe.recipe_of(OmegaConf.load(kept))  # type: ignore[arg-type]
    recipe.refuse_another(label, before, settings, only=only)


def _recipe_of_arm(manifest: Manifest, name: str) -> dict[str, Any] | None:
    """Return the recipe an arm was started with; None where an earlier version kept none."""
    assert manifest.reproduce is not None
    is_first = name == next(iter(manifest.reproduce.arms))
    if manifest.recipe is None or not (is_first or name in manifest.arm_recipes):
        return None
    return recipe.absolute(manifest.arm_recipes.get(name, {}), manifest.recipe)
