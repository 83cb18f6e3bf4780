"""A study continues only with the settings and images it was started with."""

from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig

from raystudy import terminal
from raystudy.config import compose, recipe
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import OLD_CUT, Cut, Manifest
from raystudy.study import stored
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


def refuse_changed_trial(
    folder: StudyFolder, name: str, overrides: Sequence[str], arm: str | None = None
) -> None:
    """Refuse to run a trial anew whose study's YAML, or whose images, have changed.

    Parameters
    ----------
    folder : StudyFolder
    name : str
        Of the trial's YAML.
    overrides : sequence of str
        The whole trial.
    arm : str, optional
        Of a reproduction; all are held to their YAML if left out.
    """
    from raystudy.trial import images
    from raystudy.trial.build import load_splits

    manifest = folder.read_manifest()
    refuse_changed_recipe(folder, manifest, arm=arm)
    own = compose.load(name, [*overrides, "device=cpu"], manifest.search_path)
    images.refuse_others(folder, manifest, own, load_splits(own))


def refuse_changed_recipe(
    folder: StudyFolder,
    manifest: Manifest,
    *,
    arm: str | None = None,
    label: str | None = None,
    only: Callable[[str], bool] | None = None,
) -> None:
    """Refuse to take up a network or a trial of a study whose YAML has changed.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    arm : str, optional
        The one of a reproduction that is taken up; all if left out.
    label : str, optional
        What is taken up, in the sentence.
    only : callable (str) -> bool, optional
        Whether the setting at a path is looked at.
    """
    label = label or folder.id
    if manifest.kind == "train":
        settings = compose.load(manifest.name, manifest.overrides, manifest.search_path)
        recipe.refuse_another(label, manifest.recipe, settings, only=only)
        return
    if manifest.reproduce is not None:
        for name in manifest.reproduce.arms if arm is None else [arm]:
            settings = stored.arm_settings(manifest, name=name)
            before = _recipe_of_arm(manifest, name)
            recipe.refuse_another(f"{name} of {label}", before, settings, only=only)
        return
    space, settings = StoredStudy(folder).composed
    axes = space.distributions if manifest.kind == "sweep" and only is None else None
    recipe.refuse_another(label, manifest.recipe, settings, axes, only=only)


def _recipe_of_arm(manifest: Manifest, name: str) -> dict[str, Any] | None:
    """Return the recipe an arm was started with; None where an earlier version kept none."""
    assert manifest.reproduce is not None
    is_first = name == next(iter(manifest.reproduce.arms))
    if manifest.recipe is None or not (is_first or name in manifest.arm_recipes):
        return None
    return recipe.absolute(manifest.arm_recipes.get(name, {}), manifest.recipe)
