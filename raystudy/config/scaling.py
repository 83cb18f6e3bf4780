"""The resources of each trial; read by the command line without Ray."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from raystudy.config import compose, override
from raystudy.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The ``scaling:`` section.

    Parameters
    ----------
    num_workers : int
        Processes of one trial; above 1 they train together by DDP.
    use_gpu : bool
    cpus_per_worker : float
        Also the number of torch threads of a worker.
    gpus_per_worker : float
        Counts with ``use_gpu``; below 1 several trials share a GPU.
    max_concurrent : int, optional
        Trials at a time; without it as many as fit.
    address : str, optional
        Of a running Ray cluster, ``auto`` for the one this machine belongs to; without it a Ray
        of this machine alone is started, and ended with the study.
    num_cpus : int, optional
        CPUs of this machine that a local Ray may use; without it all.
    object_store_mb : int
        Memory of a local Ray's object store. Trials keep next to nothing there.
    head_takes_trials : bool
        Whether trials run on a cluster's head node, too.
    """

    num_workers: int = 1
    use_gpu: bool = False
    cpus_per_worker: float = 1
    gpus_per_worker: float = 1
    max_concurrent: int | None = None
    address: str | None = None
    num_cpus: int | None = None
    object_store_mb: int = 100
    head_takes_trials: bool = True

    def __post_init__(self) -> None:
        for name in ("num_workers", "cpus_per_worker", "gpus_per_worker"):
            _refuse_unless(getattr(self, name) > 0, name, "above 0", getattr(self, name))
        for name in ("max_concurrent", "num_cpus"):
            value = getattr(self, name)
            _refuse_unless(value is None or value >= 1, name, "at least 1 or null", value)
        # Ray's smallest object store is 75 MiB.
        _refuse_unless(
            self.object_store_mb >= 80, "object_store_mb", "80 or more", self.object_store_mb
        )
        whole = float(self.gpus_per_worker).is_integer()
        _refuse_unless(
            whole or self.gpus_per_worker < 1,
            "gpus_per_worker",
            "a whole number or below 1",
            self.gpus_per_worker,
        )
        _refuse_unless(
            whole or not self.use_gpu or self.num_workers == 1,
            "gpus_per_worker",
            "a whole number when num_workers is above 1 (NCCL wants a GPU for each worker)",
            self.gpus_per_worker,
        )

    @property
    def worker(self) -> dict[str, float]:
        """What one worker takes, in Ray's words."""
        gpus = {"GPU": self.gpus_per_worker} if self.use_gpu else {}
        return {"CPU": self.cpus_per_worker, **gpus}

    @property
    def words(self) -> str:
        """What one trial takes, for a sentence."""
        each = " and ".join(f"{amount:g} {name}" for name, amount in self.worker.items())
        return f"{self.num_workers} worker{'s' * (self.num_workers > 1)} with {each} each"


def _refuse_unless(fine: bool, name: str, wanted: str, value: object) -> None:
    if not fine:
        raise UserError(f"scaling.{name} must be {wanted}, got {value}.")


def read_scaling(config: DictConfig) -> Scaling:
    """Return the `scaling:` section, checked."""
    section: dict[str, Any] = OmegaConf.to_container(config.scaling, resolve=True)  # type: ignore[assignment]
    return Scaling(**section)


def scaling_alone(overrides: Sequence[str]) -> Scaling:
    """Return the section that overrides make, of a command for which nothing else is set.

    Raises
    ------
    UserError
        If something else is.
    """
    for text in overrides:
        if override.path_of(text).partition(".")[0] != "scaling":
            raise UserError(
                f"{text} is no setting of this command; it takes those of scaling, such as "
                f"scaling=cluster."
            )
    return read_scaling(compose.load_shared(overrides))
