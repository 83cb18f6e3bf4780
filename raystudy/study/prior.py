"""The trials that a warm start takes from a prior study, apart from the study's own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from raystudy.config.spec import StudySpec
from raystudy.search.axes import Value
from raystudy.search.sampler_view import constraint_attributes
from raystudy.trial.info import TrialSummary

KEY = "earlier"  # user attribute of an Optuna study; its trials have a number after it


@dataclass(frozen=True)
class PriorTrial:
    """A trial of a prior study, on this study's axes.

    Parameters
    ----------
    number : int
        In its own study.
    state : {"complete", "diverged", "collapsed"}
    params : mapping of str to value
    metrics : mapping of str to float
        What this study judges a trial by.
    """

    number: int
    state: str
    params: Mapping[str, Value]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Prior:
    """What a warm start took over.

    Parameters
    ----------
    study : str
        Id of the prior study.
    trials : sequence of PriorTrial
        What the sampler learns from; neither counted nor reported as this study's own.
    finalists : sequence of mapping of str to value
        Its best configurations, which run again after trial 0 and the points given by hand.
    note : str
        What was left out, and why.
    """

    study: str
    trials: Sequence[PriorTrial] = ()
    finalists: Sequence[Mapping[str, Value]] = ()
    note: str = ""

    @property
    def words(self) -> str:
        """What was taken over, for a plan and a conclusion."""
        taken = f"{len(self.trials)} trials of {self.study} are learnt from" if self.trials else ""
        several = len(self.finalists) > 1
        whose = "its" if self.trials else f"of {self.study} the"
        best = f"{len(self.finalists)} best ones run" if several else "best one runs"
        return "; ".join(filter(None, [taken, f"{whose} {best} again after trial 0", self.note]))

    def as_attributes(self) -> dict[str, Any]:
        """Return user attributes of an Optuna study; the last one says that it is all."""
        trials = {f"{KEY}:{index}": asdict(trial) for index, trial in enumerate(self.trials)}
        whole = {
            "study": self.study,
            "trials": len(self.trials),
            "finalists": [dict(finalist) for finalist in self.finalists],
            "note": self.note,
        }
        return {**trials, KEY: whole}

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> "Prior | None":
        """Read it from an Optuna study's user attributes; None if nothing was taken over."""
        whole = attributes.get(KEY)
        if whole is None:
            return None
        trials = [PriorTrial(**attributes[f"{KEY}:{index}"]) for index in range(whole["trials"])]
        return cls(whole["study"], trials, whole["finalists"], whole["note"])

    def as_frozen(
        self, distributions: Mapping[str, BaseDistribution], spec: StudySpec
    ) -> list[FrozenTrial]:
        """Return the trials as a sampler gets them, before all others."""
        frozen = [_frozen(trial, distributions, spec) for trial in self.trials]
        for place, trial in enumerate(frozen):
            trial.number = trial._trial_id = place - len(frozen)
        return frozen


def _frozen(
    trial: PriorTrial, distributions: Mapping[str, BaseDistribution], spec: StudySpec
) -> FrozenTrial:
    worst = [objective.worst_value for objective in spec.objectives]
    complete = trial.state == "complete"
    summary = TrialSummary(number=0, state=trial.state, epoch=0, metrics=trial.metrics)  # type: ignore[arg-type]
    # A genetic algorithm takes them for its first generation.
    generation = {kind._get_generation_key(): 0 for kind in (NSGAIISampler, NSGAIIISampler)}
    return create_trial(
        state=TrialState.COMPLETE,
        values=[trial.metrics[o.metric] for o in spec.objectives] if complete else worst,
        params=dict(trial.params),
        distributions=dict(distributions),
        system_attrs={**generation, **constraint_attributes(summary, spec.constraints)},
    )
