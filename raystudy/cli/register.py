"""``raystudy register``: trained encoders as versions of a model in MLflow's registry."""

from collections.abc import Sequence

from rich.text import Text

from raystudy import terminal
from raystudy.config import scopes
from raystudy.config.output_dir import results_folder
from raystudy.errors import EXIT_DONE, EXIT_FAILED
from raystudy.evaluation.export_encoder import model_of
from raystudy.evaluation.network import open_trained
from raystudy.storage.folders import has_study, open_study_folder
from raystudy.study.open_tracker import tracker_of_study
from raystudy.study.stored import StoredStudy


def register(run: str, overrides: Sequence[str], *, name: str) -> int:
    """Register the encoder of a trial, of a study's best trial, or of each trial of its front.

    Parameters
    ----------
    run : str
        See `open_trained`.
    overrides : sequence of str
    name : str
        Of the model in the registry; each encoder is a version of it.
    """
    codes = [_register(one, overrides, name) for one in _trials(run, overrides)]
    return max(codes)


def _trials(run: str, overrides: Sequence[str]) -> list[str]:
    """Return the trials that a name stands for; several of a study of several objectives."""
    output_dir = results_folder(scopes.select(overrides, scopes.SHARED))
    if not has_study(output_dir, run):
        return [run]
    folder = open_study_folder(output_dir, run)
    best = StoredStudy(folder).best if folder.read_manifest().kind == "sweep" else []
    return [f"{run}/{one.number}" for one in best] or [run]


def _register(run: str, overrides: Sequence[str], name: str) -> int:
    network = open_trained(run, overrides)
    model, origin = model_of(network, name), network.origin
    assert origin.study is not None
    tracker = tracker_of_study(origin.study, overrides, terminal.warn)
    tracker.register(origin.study, origin.number, model)
    tracker.close()
    code = tracker.registered(origin.study, model)
    if not code:
        return EXIT_FAILED  # the tracker has said why
    head = f"{origin.label} is a version of {name} in {tracker.place}; in Python:"
    lines = "\n".join((head, *(f"    {line}" for line in code)))
    terminal.console().print(Text(lines), soft_wrap=True)
    return EXIT_DONE
