"""Processes that compute together, by Ray Train."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from raystudy.config.scaling import Scaling
from raystudy.on_ray.resources import selector


def worker_group(work: Callable[[], Any], scaling: Scaling, name: str, storage: Path) -> Any:
    """Return the trainer that runs a function in each worker, as one of DDP's ranks.

    Parameters
    ----------
    work : callable
    scaling : Scaling
        Its workers, and what each takes.
    name : str
    storage : Path
        Of files that Ray Train needs; all nodes see it.
    """
    from ray import train
    from ray.train.torch import TorchConfig, TorchTrainer

    return TorchTrainer(
        work,
        torch_config=TorchConfig(backend="nccl" if scaling.use_gpu else "gloo"),
        scaling_config=train.ScalingConfig(
            num_workers=scaling.num_workers,
            use_gpu=scaling.use_gpu,
            resources_per_worker=dict(scaling.worker),
            label_selector=selector(scaling) or None,
        ),
        run_config=train.RunConfig(name=name, storage_path=str(storage)),
    )
