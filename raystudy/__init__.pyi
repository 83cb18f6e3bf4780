from raystudy.interface.run import evaluate, extend, resume, sweep, train
from raystudy.interface.study import Study, Training, studies
from raystudy.interface.study import open_run as open  # noqa: A004

__version__: str
__all__ = ["Study", "Training", "evaluate", "extend", "open", "resume", "studies", "sweep", "train"]
