"""A study's ``study.json``: how it was started, and who has run it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import raystudy
from raystudy.errors import UserError
from raystudy.storage import provenance
from raystudy.storage.plans import ConfirmPlan, ReproducePlan

FORMAT = 2
Kind = Literal["sweep", "train", "confirm", "reproduce"]
# Studies whose file is older know no images. Their folders were cut by the images' order.
OLD_CUT = "++data.splits.cut=order"


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The images a study was started on.

    Parameters
    ----------
    fingerprint : str
        Of all images, labels and how they are split.
    train, val, test : int
        How many.
    """

    fingerprint: str
    train: int
    val: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is needed to continue a study as it was started.

    Parameters
    ----------
    kind : {"sweep", "train", "confirm", "reproduce"}
    name : str
        Of the study's YAML.
    overrides : tuple of str
        As typed, and what later drivers were asked to change.
    search_path : tuple of str
    version : str
        Of raystudy, when it was started.
    data : str
        Name of the data set.
    study : mapping, optional
        The `study:` section; not known of single trials from before format 2.
    recipe : mapping, optional
        Every setting by its path, see `recipe.of`; not known of sweeps from before format 2.
    images : Cut, optional
        Not known from before format 2.
    measured_on : mapping of str to int
        Of how many images each measure is a share, as the evaluators say; no measure that is
        absent has an interval.
    drivers : tuple of mapping
        `Provenance` of all processes that ran it, repetitions left out.
    confirm : ConfirmPlan, optional
        Of a confirm.
    reproduce : ReproducePlan, optional
        Of a reproduction.
    arm_recipes : mapping of str to mapping
        Of a reproduction, whose `recipe` is its first arm's: in what each arm's own differs.
    """

    kind: Kind
    name: str
    overrides: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    version: str = ""
    data: str = ""
    study: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] | None = None
    images: Cut | None = None
    measured_on: Mapping[str, int] = field(default_factory=dict)
    drivers: tuple[Mapping[str, Any], ...] = ()
    confirm: ConfirmPlan | None = None
    reproduce: ReproducePlan | None = None
    arm_recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        kind: Kind,
        name: str,
        overrides: Sequence[str],
        search_path: Sequence[str],
        *,
        data: str,
        study: Mapping[str, Any],
        recipe: Mapping[str, Any],
        images: Cut,
        measured_on: Mapping[str, int] | None = None,
        confirm: ConfirmPlan | None = None,
        reproduce: ReproducePlan | None = None,
        arm_recipes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> "Manifest":
        """Return the manifest of a study that this process starts."""
        return cls(
            kind=kind,
            name=name,
            overrides=tuple(overrides),
            search_path=tuple(str(Path(folder).resolve()) for folder in search_path),
            version=raystudy.__version__,
            data=data,
            study=study,
            recipe=recipe,
            images=images,
            measured_on=measured_on or {},
            drivers=(asdict(provenance.collect()),),
            confirm=confirm,
            reproduce=reproduce,
            arm_recipes=arm_recipes or {},
        )

    def continued(
        self,
        overrides: Sequence[str],
        images: Cut,
        study: Mapping[str, Any] | None = None,
    ) -> "Manifest":
        """Return the manifest of a study that this process continues.

        Parameters
        ----------
        overrides : sequence of str
            What this process was asked to change for good.
        images : Cut
            Noted where none were.
        study : mapping, optional
            The `study:` section as it is now.
        """
        driver = asdict(provenance.collect())
        known_driver = driver in self.drivers
        return replace(
            self,
            overrides=(*self.overrides, *overrides),
            images=self.images or images,
            study=study or self.study,
            drivers=self.drivers if known_driver else (*self.drivers, driver),
        )

    def plain(self) -> dict[str, Any]:
        """Return what is written."""
        values = {"format": FORMAT, **asdict(self)}
        values["raystudy"] = values.pop("version")
        values["provenance"] = values.pop("drivers")
        values["confirm"] = self.confirm.plain() if self.confirm else None
        return {key: value for key, value in values.items() if value is not None}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Manifest":
        """Read what `plain` gave, now or in an earlier format."""
        old = values.get("format", 1) < 2
        drivers = values.get("provenance", ())
        images, confirm = values.get("images"), values.get("confirm")
        reproduce = values.get("reproduce")
        found = cls(
            kind=values["kind"],
            name=values.get("name", ""),
            overrides=tuple(values.get("overrides", ())),
            search_path=tuple(values.get("search_path", ())),
            version=values.get("raystudy", ""),
            data=values.get("data", ""),
            study=values.get("study"),
            recipe=values.get("recipe"),
            images=None if images is None else Cut(**images),
            measured_on=values.get("measured_on", {}),
            drivers=(drivers,) if isinstance(drivers, Mapping) else tuple(drivers),
            confirm=None if confirm is None else ConfirmPlan.read(confirm),
            reproduce=None if reproduce is None else ReproducePlan.read(reproduce),
            arm_recipes=values.get("arm_recipes", {}),
        )
        if found.kind not in get_args(Kind):
            raise ValueError(f"there is no kind '{found.kind}'")
        is_folder = "image_folder" in (found.data, (found.recipe or {}).get("data.name"))
        if old and (is_folder or "data=image_folder" in found.overrides):
            return replace(found, overrides=(*found.overrides, OLD_CUT))
        return found


def load(path: Path) -> Manifest:
    """Read a ``study.json``.

    Raises
    ------
    UserError
        If it is damaged, or of a raystudy to come.
    """
    text = path.read_text(errors="surrogateescape")  # folders may have any name
    try:
        values = json.loads(text)
        newer = values.get("format", 1) > FORMAT
        if not newer:
            return Manifest.read(values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no manifest of a study, or damaged ({error!r}).") from None
    raise UserError(
        f"{path} was written by raystudy {values.get('raystudy')}, which is newer than this one "
        f"({raystudy.__version__}); install that one."
    )
