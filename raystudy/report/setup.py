"""The study's setup: method, data, objectives and search space."""

import json
from collections.abc import Mapping

from raystudy.config import catalogue, compose, override, scopes, sources
from raystudy.config.hydra_files import Composed
from raystudy.report import rung_audit
from raystudy.report.section import Cell, Section, Table, counted
from raystudy.search.search_space import SearchSpace
from raystudy.storage.redaction import redact
from raystudy.study import command, comparability
from raystudy.study.stored import StoredStudy

HEADER = ("setting", "value", "source")


def section(study: StoredStudy) -> Section:
    """Return the setup and the search space."""
    space, settings = study.composed
    spec = study.spec
    objectives = ", ".join(f"{o.direction} {o.metric}" for o in spec.objectives)
    changed = " ".join(map(redact, study.manifest.overrides))
    facts = {
        "study": study.manifest.name,
        "method": settings.method._target_.rsplit(".", 1)[-1],
        "data": str(settings.data.name),
        "objective" if len(spec.objectives) == 1 else "objectives": objectives,
        **({"subject to": ", ".join(map(str, spec.constraints))} if spec.constraints else {}),
        **({"budget": spec.budget.words} if spec.budget.limits else {}),
        "trials": f"{spec.num_trials}, up to {settings.max_epochs} epochs each",
        "sampler": f"{_class(settings.sampler)}, seed {spec.seed}",
        "trial scheduler": rung_audit.scheduler_name(study),
        "changed by the user": changed or "nothing",
    }
    return Section(
        title="Question",
        words=f"Which values of {counted(len(space.distributions), 'setting')} serve the objective "
        "best, and are they better than the published recipe, which trial 0 ran?",
        facts=facts,
        tables=[_space(study, space)],
        source="search_spaces/ as it is now, composed with the overrides in study.json.",
    )


def setup(study: StoredStudy) -> Section:
    """Return everything that was not searched."""
    composed = _composed(study)
    said = sources.find(study.manifest.name, composed.choices, _folders(study))
    space, _ = study.composed
    leaves = compose.flatten(composed.config)
    # The method is handed parts that stand elsewhere under their own names.
    twice = {f"method.{path}" for path in leaves}
    rows: list[list[Cell]] = []
    for path in scopes.select(leaves, scopes.SETUP):
        # Of a group that is searched, such as attack, the settings differ from trial to trial.
        searched = path in space.distributions or path.split(".")[0] in space.distributions
        if not searched and path not in twice:
            rows.append([path, plain(leaves[path]), str(said.get(path, ""))])
    measures = [row for row in rows if override.node_of(str(row[0])) == "evaluate"]
    groups = {
        group: composed.choices[group]
        for group in scopes.select(catalogue.GROUPS, scopes.SETUP)
        if group in composed.choices and group not in space.distributions
    }
    return Section(
        title="Setup",
        words="What all trials had in common. Measures are comparable only if these are the same: "
        "attack, budget (1 is the range from black to white), steps, images.",
        facts=groups,
        tables=[
            Table(header=HEADER, rows=measures, caption="How the measures were taken"),
            Table(
                header=HEADER,
                rows=[row for row in rows if row not in measures],
                caption="All other settings that were not searched",
                folded=True,
            ),
        ],
        measured=comparability.words(study),
        source=redact(f"'{command.show(study.manifest)}' prints the same."),
    )


def plain(value: object) -> Cell:
    """Return a setting as a cell."""
    if isinstance(value, (list, dict)):
        return redact(json.dumps(value))
    return redact(value) if isinstance(value, str) else value  # type: ignore[return-value]


def _space(study: StoredStudy, space: SearchSpace) -> Table:
    composed = _composed(study)
    said = sources.find(study.manifest.name, composed.choices, _folders(study))
    best = [study.trial(s.number) for s in study.best] if len(study.best) == 1 else []
    rows: list[list[Cell]] = []
    for path, axis in space.axes.items():
        ranges, value = said.get(f"search.{path}"), said.get(path)
        comments = [source.comment for source in (value, ranges) if source and source.comment]
        rows.append(
            [
                path,
                axis,
                space.published.get(path),
                *(trial.params.get(path) for trial in best),
                "; ".join(dict.fromkeys(comments)),
            ]
        )
    found = [f"best (trial {trial.summary.number})" for trial in best]
    return Table(
        header=["setting", "range", "published", *found, "source"],
        rows=rows,
        caption="The search space",
    )


def _composed(study: StoredStudy) -> Composed:
    space, _ = study.composed
    m = study.manifest
    return compose.compose(m.name, space.overrides, m.search_path)


def _folders(study: StoredStudy) -> tuple[str, ...]:
    return tuple(study.manifest.search_path)


def _class(node: Mapping[str, object]) -> str:
    return str(node["_target_"]).rsplit(".", 1)[-1]
