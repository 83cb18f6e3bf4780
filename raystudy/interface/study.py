"""What is stored of a study or of a single training, for Python and notebooks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from raystudy.config.output_dir import results_folder
from raystudy.errors import UserError
from raystudy.interface import notebook
from raystudy.report.write import write
from raystudy.search import pareto
from raystudy.storage.folders import StudyFolder, open_study_folder
from raystudy.study import plain
from raystudy.study.stored import StoredStudy

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from torch import nn


def studies(overrides: Sequence[str] = ()) -> "pd.DataFrame":
    """Return everything in the results folder, one row a study.

    Parameters
    ----------
    overrides : sequence of str
        Such as ``output_dir=results``.
    """
    import pandas as pd

    return pd.DataFrame(plain.entries(results_folder(overrides)))


def open_run(name: str, overrides: Sequence[str] = ()) -> "Study | Training":
    """Open a study or a training by its id, as ``rs.open("swaro-1")``.

    Parameters
    ----------
    name : str
    overrides : sequence of str
        Such as ``output_dir=results``.

    Raises
    ------
    UserError
        If there is none of that id.
    """
    return opened(open_study_folder(results_folder(overrides), name))


def opened(folder: StudyFolder) -> "Study | Training":
    """Return what a folder of results holds."""
    is_training = folder.read_manifest().kind == "train"
    return Training(folder) if is_training else Study(folder)


class _Stored:
    """What has an id and trained networks."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder

    @property
    def id(self) -> str:
        """The name on the command line."""
        return self._folder.id

    @property
    def path(self) -> Path:
        """The folder with all files."""
        return self._folder.path

    @property
    def mlflow_runs(self) -> "pd.DataFrame":
        """Metrics, parameters and tags of every run in MLflow.

        Raises
        ------
        UserError
            If there are none.
        """
        return notebook.mlflow_runs(self._folder)

    def _config(self, trial: int) -> DictConfig:
        path = self._folder.trial(trial).config
        if not path.exists():
            raise UserError(f"{self.id} has no configuration of a trial {trial}; was it started?")
        config = OmegaConf.load(path)
        assert isinstance(config, DictConfig)
        return config

    def _encoder(self, name: str) -> "nn.Module":
        from raystudy.evaluation.network import open_trained

        return open_trained(name, [f"output_dir={self._folder.home}"]).encoder


class Training(_Stored):
    """One training of `raystudy train`.

    Examples
    --------
    >>> training = rs.train("cross_entropy", ["max_epochs=1", "tracker=none"])  # doctest: +SKIP
    >>> training.encoder()  # doctest: +SKIP
    """

    @property
    def config(self) -> DictConfig:
        """Its whole configuration."""
        return self._config(0)

    @property
    def metrics(self) -> dict[str, float]:
        """Measures of its last epoch."""
        from raystudy.storage.checkpoint import TrialCheckpoint

        path = self._folder.trial(0).last_checkpoint
        return dict(TrialCheckpoint.load(path).metrics) if path.exists() else {}

    def encoder(self) -> "nn.Module":
        """Return the trained encoder in eval mode, images (N, C, H, W) to features (N, D)."""
        return self._encoder(self.id)

    def __repr__(self) -> str:
        shown = notebook.words(self.metrics)
        return f"<Training {self.id}: {shown}>"


class Study(_Stored):
    """A study as it is on disk at this moment, also while it runs.

    Examples
    --------
    >>> study = rs.open("simclr-1", HERE)
    >>> study
    <Study simclr-1: complete, 3 of 3 trials>
    >>> study.best.name
    1
    >>> study.trials.loc[0, "state"]
    'complete'
    >>> study.curves(1)["val/accuracy"].to_dict()
    {1: 0.5}
    """

    @property
    def _stored(self) -> StoredStudy:
        return StoredStudy(self._folder)

    @property
    def state(self) -> str:
        """Running, interrupted, complete or empty."""
        return self._stored.state

    @property
    def trials(self) -> "pd.DataFrame":
        """Every trial by its number: settings, measures, state, cost, host."""
        return _table(self._stored)

    @property
    def best(self) -> "pd.Series[float]":
        """The best complete trial, a row of `trials`, whose number is its ``name``.

        Raises
        ------
        UserError
            If no trial is complete, or if there are several objectives.
        """
        stored = self._stored
        if len(stored.spec.objectives) > 1:
            raise UserError(f"{self.id} has several objectives and so no best trial; see .front.")
        if not stored.best:
            raise UserError(f"{self.id} has no complete trial to be its best.")
        return _table(stored).loc[stored.best[0].number]

    @property
    def front(self) -> "pd.DataFrame":
        """The complete trials that no other is better than in every objective."""
        stored = self._stored
        front = pareto.front(stored.ended, stored.spec.objectives)
        return _table(stored).loc[[summary.number for summary in front]]

    def curves(self, trial: int) -> "pd.DataFrame":
        """Return what a trial reported, by epoch."""
        import pandas as pd

        curve = self._stored.trial(trial).curve
        return pd.DataFrame.from_dict(curve, orient="index").rename_axis("epoch").sort_index()

    def config(self, trial: int) -> DictConfig:
        """Return a trial's whole configuration."""
        self._stored.trial(trial)
        return self._config(trial)

    def encoder(self, trial: int) -> "nn.Module":
        """Return a trial's encoder in eval mode, images (N, C, H, W) to features (N, D)."""
        self._stored.trial(trial)
        return self._encoder(f"{self.id}/{trial}")

    @property
    def optuna(self) -> "optuna.Study":
        """The study as Optuna knows it, to be read only."""
        return self._stored.optuna

    def report(self, output: str | None = None) -> Path:
        """Write its page and return where it is.

        Parameters
        ----------
        output : str, optional
            A file; ``report.html`` in the study's folder if left out.
        """
        path, _ = write(self._stored, output)
        return path

    def __repr__(self) -> str:
        stored = self._stored
        ended, of = len(stored.ended), max(stored.spec.num_trials, len(stored.trials))
        return f"<Study {self.id}: {stored.state}, {ended} of {of} trials>"

    def _repr_html_(self) -> str:
        return notebook.html(self._stored, repr(self), _table(self._stored))


def _table(stored: StoredStudy) -> "pd.DataFrame":
    import pandas as pd

    found = pd.DataFrame(plain.rows(stored))
    return found if found.empty else found.set_index("trial")
