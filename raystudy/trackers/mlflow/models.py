"""Networks as MLflow keeps models: a folder with a signature."""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from raystudy.errors import UserError
from raystudy.storage import disk
from raystudy.study.model import Model
from raystudy.trackers.mlflow.client import prepare_environment, silence

FOLDER = "models"  # among the artifacts of a run


def folder_of(model_id: str) -> str:
    """Return where a model is among the artifacts of its run."""
    return f"{FOLDER}/{model_id}"


def refuse_name(name: str) -> None:
    """Refuse a name that MLflow's registry refuses.

    Raises
    ------
    UserError
        Says which names are allowed.
    """
    if not name.strip() or set(name) & set("/:") or Path(name).name != name or name in (".", ".."):
        raise UserError(
            f"--name must be a name without / and :, as MLflow's registry wants it, got '{name}'."
        )


def loading(address: str, uri: str) -> Sequence[str]:
    """Return the lines of Python that load a registered model."""
    return (
        "import mlflow",
        f'mlflow.set_tracking_uri("{uri}")',
        f'encoder = mlflow.pytorch.load_model("{address}")',
    )


def save(model: Model, path: Path) -> list[str]:
    """Write a network as a graph, by ``torch.export``; return the files.

    To load it, `mlflow.pytorch.load_model` needs neither raystudy nor any pickled code.

    Parameters
    ----------
    model : Model
    path : Path
        Of a folder that is not there.

    Raises
    ------
    UserError
        If torch makes no graph of it.
    """
    try:
        _save(model, path)
    except Exception as error:  # of torch or MLflow
        shutil.rmtree(path, ignore_errors=True)
        if disk.shortage(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{model.name}: torch.export makes no graph of {type(model.network).__name__} "
            f"({reason}); 'raystudy export RUN --format safetensors' writes its weights."
        ) from error
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(file.relative_to(path).as_posix() for file in files)


def _save(model: Model, path: Path) -> None:
    prepare_environment()
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    silence()
    images = torch.full((2, *model.shape), 0.5)
    with torch.no_grad():
        features = model.network(images)
    of_each = [TensorSpec(np.dtype("float32"), (-1, *one.shape[1:])) for one in (images, features)]
    signature = ModelSignature(*(Schema([spec]) for spec in of_each))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pytorch.save_model(
            model.network,
            str(path),
            signature=signature,
            input_example=images.numpy(),
            serialization_format="pt2",
            # MLflow would load the model in other processes to find them out, for 12 s.
            pip_requirements=[
                f"mlflow=={mlflow.__version__}",
                f"torch=={torch.__version__.partition('+')[0]}",
            ],
            metadata=dict(model.tags),
        )
