"""Hyperparameter studies of robust and self-supervised training on a Ray cluster.

The command line's verbs as functions, and what is stored as tables::

    import raystudy as rs

    study = rs.sweep("swaro", ["study.num_trials=8"])  # or rs.open("swaro-1")
    study.trials                                       # a pandas DataFrame
    study.encoder(study.best.name)                     # an nn.Module with its weights
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["Study", "Training", "evaluate", "extend", "open", "resume", "studies", "sweep", "train"]
_NAMES = {
    **dict.fromkeys(("evaluate", "extend", "resume", "sweep", "train"), "raystudy.interface.run"),
    **dict.fromkeys(("Study", "Training", "open", "studies"), "raystudy.interface.study"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: all of it takes seconds."""
    if name not in _NAMES:
        raise AttributeError(f"module 'raystudy' has no attribute '{name}'")
    return getattr(importlib.import_module(_NAMES[name]), "open_run" if name == "open" else name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
