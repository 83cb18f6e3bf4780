"""Where one study's trials, charts and best trials are to be seen in MLflow."""

from collections.abc import Mapping

from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.storage.redaction import redact
from raystudy.storage.spool import read
from raystudy.trackers.mlflow import pages
from raystudy.trackers.mlflow.delivered import experiment_of, run_ids
from raystudy.trackers.mlflow.projection import Projection

MOST_COMPARED = 10


def of(folder: StudyFolder, uri: str) -> Mapping[str, str]:
    """Return what there is to see of a study, and its page.

    Raises
    ------
    UserError
        If the store has no page of it.
    """
    if not folder.spool.exists():
        raise UserError(f"{folder.id} ran without MLflow, which has nothing of it to show.")
    experiment, runs = experiment_of(folder, uri), run_ids(folder, uri)
    if not experiment or not runs:
        raise UserError(
            f"MLflow at {redact(uri)} has no page of {folder.id} yet; "
            f"'{folder.command('sync')}' delivers it."
        )
    projection = Projection()
    for event, _ in read(folder.spool):
        projection.take(event)
    if not projection.has_parent:
        return {f"the run of {folder.id}": pages.run(experiment, next(iter(runs.values())))}
    best = [
        runs[number] for number in projection.standing.best_trials(MOST_COMPARED) if number in runs
    ]
    compared = {"its best trials": pages.comparison(experiment, best)} if len(best) > 1 else {}
    if projection.summaries:
        compared |= {"its configurations": pages.summaries(experiment, projection.uid)}
    return {
        f"trials of {folder.id}": pages.trials(experiment, projection.uid),
        "their charts": pages.trials(experiment, projection.uid, chart=True),
        **compared,
    }
