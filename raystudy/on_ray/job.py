"""What to run; needs no Ray."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raystudy.config.scaling import Scaling
from raystudy.trial.session import Session

TrialFunction = Callable[[str, Sequence[str], Sequence[str], Session], None]


def load_and_run(
    name: str, overrides: Sequence[str], search_path: Sequence[str], session: Session
) -> None:
    """Compose a trial's configuration and run it."""
    from raystudy.config import compose
    from raystudy.trial.run import run_trial

    settings = compose.load(name, overrides, search_path)
    session.folder.study.settle(settings)
    run_trial(settings, session)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all trials of a study have in common.

    Parameters
    ----------
    name : str
    search_path : sequence of str
    run : callable
        Runs one trial.
    scaling : Scaling
    storage : Path
        Where Ray may keep files.
    """

    name: str
    search_path: Sequence[str]
    run: TrialFunction
    scaling: Scaling
    storage: Path

    def group_file(self, number: int) -> Path:
        """Where a trial's workers write down their placement group."""
        return self.storage / "groups" / str(number)
