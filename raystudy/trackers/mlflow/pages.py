"""Pages of MLflow's user interface: where they are, and what the page of a study's trials shows.

Addresses begin after the server's own; views are those of MLflow 3.17.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from raystudy.storage.spool import Event
from raystudy.trackers.mlflow.tags import REPORTS, SUMMARY, UID

VIEW = "mlflow.sharedViewState."  # begins the tag of an experiment that holds a view
TRAINING = "workflowType=machine_learning"  # not the side for language models
EXPERIMENTS = f"#/experiments?{TRAINING}"
SUMMARIES = "-summaries"  # ends the key of a race's second view
MAX_SETTINGS = 12  # columns of them, and axes of the chart
FOLDED = ("best/val", "cost", "last/val", "time", "train")  # sections of charts
STUDIES = "\n## Studies\n"  # begins the part of an experiment's note that is written anew
INTRODUCTION = """\
Each study is a run, and its trials are the runs below it (press +). A study's own page, below and
under *Views*, has its trials, the best first, with objectives, searched settings and states; all
other measures, settings and tags are under *Columns*, in the charts and on each run's page.
`last/...` and `best/...` are an objective at a trial's last and at its best epoch.
"""
OWN = "objectives"  # the section of charts before all others


def trials(experiment: str, uid: str, *, chart: bool = False) -> str:
    """Return the page of a study's trials, as a table or as charts."""
    mode = "&compareRunsMode=CHART" if chart else ""
    return f"#/experiments/{experiment}/runs?viewStateShareKey={uid}{mode}&{TRAINING}"


def summaries(experiment: str, uid: str) -> str:
    """Return the page of what a race's configurations came to, as charts."""
    return trials(experiment, f"{uid}{SUMMARIES}", chart=True)


def run(experiment: str, run_id: str, artifact: str = "") -> str:
    """Return the page of a run, or of one of its files."""
    tab = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{experiment}/runs/{run_id}{tab}?{TRAINING}"


def comparison(experiment: str, runs: Sequence[str]) -> str:
    """Return the page that compares runs."""
    words = (quote(json.dumps(one, separators=(",", ":"))) for one in (runs, [experiment]))
    return "#/compare-runs?runs={}&experiments={}&{}".format(*words, TRAINING)


def links(
    experiment: str, uid: str, run_id: str, reports: Iterable[str], *, is_summed_up: bool
) -> str:
    """Return what the note of a study's own run links."""
    found = {
        **({"configurations": summaries(experiment, uid)} if is_summed_up else {}),
        "trials": trials(experiment, uid),
        "charts": trials(experiment, uid, chart=True),
        **{_title(name): run(experiment, run_id, name) for name in reports},
    }
    return " · ".join(f"[{words}]({page})" for words, page in found.items())


def note(old: str, experiment: str, studies: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    """Return an experiment's note that lists studies; what people wrote before the list stays.

    Parameters
    ----------
    old : str
    experiment : str
    studies : iterable of (str, mapping of str to str)
        Id and tags of their runs.
    """
    before = (old or INTRODUCTION).partition(STUDIES)[0].rstrip()
    lines = (_line(experiment, run_id, tags) for run_id, tags in studies)
    return "\n".join((before, STUDIES, *lines, ""))


def _line(experiment: str, run_id: str, tags: Mapping[str, str]) -> str:
    page = trials(experiment, tags[UID])
    parts = [f"[{tags['raystudy.study_id']}]({page})", tags.get("raystudy.state", "")]
    parts += [tags["raystudy.conclusion"]] if "raystudy.conclusion" in tags else []
    names = filter(None, tags.get(REPORTS, "").split("/"))
    parts += [f"[{_title(name)}]({run(experiment, run_id, name)})" for name in names]
    return f"- {' · '.join(parts)}"


def _title(name: str) -> str:
    return name.rpartition(".")[0]


def view(study: Event, uid: str) -> str:
    """Return what the page of a study's trials shows, as the value of an experiment's tag.

    Of all measures, settings and tags only the objectives, what is searched and how a trial ended:
    a table of every column is slow with a thousand runs (mlflow/mlflow#21841).
    """
    objectives = [one["metric"] for one in study["objectives"]]
    metrics = [f"last/{name}" for name in objectives]
    settings = list(study["axes"])[:MAX_SETTINGS]
    parallel = _chart(
        "PARALLEL", selectedParams=settings, selectedMetrics=metrics, showAllRuns=True
    )
    lines = (_chart("LINE", metricKey=name, lineSmoothness=0) for name in objectives)
    columns = ["attributes.`Duration`", *_columns(metrics, settings), "tags.`raystudy.state`"]
    state = {
        **_filter(uid, "trial"),
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": study["objectives"][0]["direction"] == "minimize",
        "selectedColumns": columns,
        "columnOrder": columns,
        **_charts([parallel, *lines]),
    }
    return _named(study["id"], study, state)


def summary_view(study: Event, uid: str, summaries: Mapping[str, Mapping[str, float]]) -> str:
    """Return what the page of a race's configurations shows: means, and their intervals.

    Parameters
    ----------
    study : Event
    uid : str
    summaries : mapping of str to mapping of str to float
        The measures of each.
    """
    names = dict.fromkeys(name for measures in summaries.values() for name in measures)
    measured = [name.removesuffix("/mean") for name in names if name.endswith("/mean")]
    of_each = {one: [f"{one}/{end}" for end in ("low", "mean", "high")] for one in measured}
    charts = [
        _chart(
            "BAR", metricKey=own[1], selectedMetricKeys=own, displayName=f"{one}: low, mean, high"
        )
        for one, own in of_each.items()
    ]
    columns = _columns([name for own in of_each.values() for name in own], ())
    first = study["objectives"][0]
    state = {
        **_filter(uid, SUMMARY),
        "orderByKey": f"metrics.`{first['metric']}/mean`",
        "orderByAsc": first["direction"] == "minimize",
        "selectedColumns": columns,
        "columnOrder": columns,
        **_charts(charts),
    }
    return _named(f"{study['id']}: {SUMMARY}s", study, state)


def _filter(uid: str, kind: str) -> dict[str, str]:
    wanted = f"tags.`{UID}` = '{uid}' and tags.`raystudy.kind` = '{kind}'"
    return {"searchFilter": wanted, "startTime": "ALL", "lifecycleFilter": "Active"}


def _columns(metrics: Iterable[str], settings: Iterable[str]) -> list[str]:
    return [*(f"metrics.`{name}`" for name in metrics), *(f"params.`{path}`" for path in settings)]


def _charts(charts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return charts in a section of their own, before those that MLflow makes, folded."""
    own = {**_section(OWN, shown=True), "columns": 1, "cardHeight": 360}
    return {
        "compareRunCharts": charts,
        "compareRunSections": [own, *(_section(name, shown=False) for name in FOLDED)],
        "isAccordionReordered": True,  # otherwise they are sorted by name
    }


def _named(name: str, study: Event, state: Mapping[str, Any]) -> str:
    times = {"createdAt": study["time"], "updatedAt": study["time"]}
    return json.dumps({"name": name, **times, "state": json.dumps(state)})


def _chart(kind: str, **content: Any) -> dict[str, Any]:
    name = f"{kind} {content.get('metricKey', '')}".strip()
    own = {"type": kind, "uuid": name, "metricSectionId": OWN, "deleted": False}
    return {**own, "isGenerated": False, "runsCountToCompare": 10, **content}


def _section(name: str, *, shown: bool) -> dict[str, Any]:
    return {"uuid": name, "name": name, "display": shown, "isReordered": False}
