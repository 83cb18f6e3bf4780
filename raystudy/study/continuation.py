"""A study continues only with the settings and images it was started with."""

from collections.abc import Sequence

from omegaconf import DictConfig

from raystudy import terminal
from raystudy.config import compose, recipe
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import OLD_CUT, Cut, Manifest
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


def refuse_changed_trial(folder: StudyFolder, overrides: Sequence[str]) -> None:
    """Refuse to run a trial anew whose study's YAML, or whose images, have changed.

    Parameters
    ----------
    folder : StudyFolder
    overrides : sequence of str
        The whole trial.
    """
    from raystudy.trial import images
    from raystudy.trial.build import load_splits

    manifest = folder.read_manifest()
    refuse_changed_recipe(folder, manifest)
    own = compose.load(manifest.name, [*overrides, "device=cpu"], manifest.search_path)
    images.refuse_others(folder, manifest, own, load_splits(own))


def refuse_changed_recipe(folder: StudyFolder, manifest: Manifest) -> None:
    """Refuse to take up a network or a trial of a study whose YAML has changed."""
    if manifest.kind == "train":
        settings = compose.load(manifest.name, manifest.overrides, manifest.search_path)
        recipe.refuse_another(folder.id, manifest.recipe, settings)
        return
    space, settings = StoredStudy(folder).composed
    axes = space.distributions if manifest.kind == "sweep" else None
    recipe.refuse_another(folder.id, manifest.recipe, settings, axes)
