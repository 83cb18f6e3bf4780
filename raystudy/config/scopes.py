"""Which settings concern a trial, a study, the machine or the tracker: one table.

Everyone asks it by path or by override (``data.root``, ``++data.root=/images``, ``tracker=none``).
"""

import functools
from collections.abc import Collection, Iterable
from enum import Enum, auto

from raystudy.config import override


class Scope(Enum):
    """Whom a setting concerns."""

    TRIAL = auto()  # what is trained, and on what
    SEED = auto()  # another draw of the same trial
    MEASURING = auto()  # what a trial is measured by
    SPEED = auto()  # how fast it is measured; the numbers stay
    DEVICE = auto()  # what a trial is computed on; its last digits depend on it
    IMAGES = auto()  # where the images are: they are known again by their pixels
    AIM = auto()  # what the search judges by, and a trial keeps its best weights by
    SEARCH = auto()  # how the search chooses and stops trials
    SPACE = auto()  # what the search varies
    LIMIT = auto()  # how much a study may spend
    NAME = auto()  # where one study is kept
    CARE = auto()  # how patient the driver is
    MACHINE = auto()  # how many workers there are, and how large
    RESULTS = auto()  # where results are written
    TRACKER = auto()  # where measures are sent
    SUITE = auto()  # what `raystudy evaluate` measures by


# The longest path counts; `*` is any one part of it. What a study adds of its own is its trials'.
TABLE = {
    "data": Scope.TRIAL,
    "encoder": Scope.TRIAL,
    "augment": Scope.TRIAL,
    "attack": Scope.TRIAL,
    "method": Scope.TRIAL,
    "optimizer": Scope.TRIAL,
    "lr_schedule": Scope.TRIAL,
    "batches": Scope.TRIAL,
    "trainer": Scope.TRIAL,
    "batch_size": Scope.TRIAL,
    "max_epochs": Scope.TRIAL,
    "evaluate_every": Scope.TRIAL,
    "seed": Scope.SEED,
    "evaluate": Scope.MEASURING,
    "evaluate.*.batch_size": Scope.SPEED,
    "checkpoint_batches": Scope.SPEED,
    "device": Scope.DEVICE,
    "data.root": Scope.IMAGES,
    "data.cache_dir": Scope.IMAGES,
    "data.corrupted": Scope.IMAGES,
    "data.download": Scope.IMAGES,
    "data.threads": Scope.SPEED,
    "data.in_memory": Scope.SPEED,
    "data.splits.threads": Scope.SPEED,
    "data.splits.in_memory": Scope.SPEED,
    "data.splits.root": Scope.IMAGES,
    "data.splits.cache_dir": Scope.IMAGES,
    "data.splits.corrupted": Scope.IMAGES,
    "data.splits.download": Scope.IMAGES,
    "study": Scope.SEARCH,
    "study.objectives": Scope.AIM,
    "study.constraints": Scope.AIM,
    "study.num_trials": Scope.LIMIT,
    "study.budget": Scope.LIMIT,
    "study.id": Scope.NAME,
    "study.storage": Scope.NAME,
    "study.max_failures": Scope.CARE,
    "study.stall_minutes": Scope.CARE,
    "sampler": Scope.SEARCH,
    "trial_scheduler": Scope.SEARCH,
    "min_epochs": Scope.SEARCH,
    "search": Scope.SPACE,
    "scaling": Scope.MACHINE,
    "output_dir": Scope.RESULTS,
    "tracker": Scope.TRACKER,
    "suite": Scope.SUITE,
    "protocol": Scope.SUITE,
    "adversary": Scope.SUITE,
}
Scopes = Collection[Scope]

# What is handed to a trial.
OF_A_TRIAL = (
    *(Scope.TRIAL, Scope.SEED, Scope.MEASURING, Scope.SPEED),
    *(Scope.DEVICE, Scope.IMAGES, Scope.AIM),
)
# What a trial's measures depend on, and what those of a search depend on besides.
RECIPE = (Scope.TRIAL, Scope.SEED, Scope.MEASURING)
SEARCH_RECIPE = (*RECIPE, Scope.AIM, Scope.SEARCH)
# What two trials must share for their measures to be those of one configuration.
CONFIGURATION = (Scope.TRIAL, Scope.MEASURING)
# What may change from one driver of a study to the next, and what the later ones keep of it: how
# large a study is and where its images are, not what one driver runs on.
CHANGEABLE = (
    *(Scope.LIMIT, Scope.CARE, Scope.MACHINE, Scope.RESULTS, Scope.TRACKER, Scope.IMAGES),
)
KEPT = (Scope.LIMIT, Scope.IMAGES)
# What a confirm may choose for all its runs: no training of a finalist depends on it.
FOR_EVERY_RUN = (Scope.DEVICE, Scope.MEASURING, Scope.SPEED, Scope.IMAGES)
# What a confirm takes over from the search besides.
INHERITED = (*OF_A_TRIAL, Scope.SPACE, Scope.MACHINE, Scope.RESULTS, Scope.TRACKER)
# What commands need that are about no study in particular.
SHARED = (Scope.RESULTS, Scope.TRACKER)
# What is logged of a trial, which is what distinguishes it from others.
LOGGED = (Scope.TRIAL, Scope.SEED, Scope.MEASURING, Scope.SPEED, Scope.DEVICE, Scope.IMAGES)
# What a reader of a report wants to know of all trials.
SETUP = (*LOGGED, Scope.SEARCH)
# Parts of a trial from which a network is built and fed.
NETWORK = ("encoder", "method", "data")


@functools.lru_cache(maxsize=4096)
def of(path: str) -> Scope:
    """Return whom the setting at `path`, or named by an override, concerns."""
    parts = tuple(override.path_of(path).split("."))
    for length in range(len(parts), 0, -1):
        for row, scope in TABLE.items():
            if _fits(tuple(row.split(".")), parts[:length]):
                return scope
    return Scope.TRIAL


def _fits(row: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    return len(row) == len(parts) and all(a in ("*", b) for a, b in zip(row, parts, strict=True))


def select(overrides: Iterable[str], scopes: Scopes) -> list[str]:
    """Return the paths or overrides that concern one of `scopes`, in their order."""
    return [text for text in overrides if of(text) in scopes]


def without(overrides: Iterable[str], scopes: Scopes) -> list[str]:
    """Return the paths or overrides that concern none of `scopes`, in their order."""
    return [text for text in overrides if of(text) not in scopes]


def paths(scopes: Scopes) -> str:
    """Return the settings of these scopes in words."""
    return ", ".join(path for path, scope in TABLE.items() if scope in scopes)


def is_of_network(path: str) -> bool:
    """Return whether another value at `path` builds another network, or feeds it otherwise."""
    return override.node_of(path) in NETWORK and of(path) is Scope.TRIAL
