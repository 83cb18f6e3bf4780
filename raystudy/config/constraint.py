"""A constraint on a measure: a trial that violates it is kept, but never the best."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raystudy.errors import UserError

_TEXT = re.compile(r"(?P<metric>[^\s<>=]+)\s*(?P<sign>>=|<=)\s*(?P<bound>\S+)")


@dataclass(frozen=True)
class Constraint:
    """``val/robust_accuracy >= 0.35``, or ``<=``; read at a trial's last epoch.

    Parameters
    ----------
    metric : str
        A validation measure.
    sign : {">=", "<="}
    bound : float
    """

    metric: str
    sign: str
    bound: float

    @classmethod
    def read(cls, text: object) -> "Constraint":
        """Read a constraint as it is written.

        Raises
        ------
        UserError
            If it is none, or not about validation images.
        """
        match = _TEXT.fullmatch(str(text).strip())
        bound = _number(match["bound"]) if match else math.nan
        if match is None or not math.isfinite(bound):
            raise UserError(
                f"study.constraints: cannot read '{text}'; write a measure, >= or <=, and a "
                f"number, such as 'val/robust_accuracy >= 0.35'."
            )
        if not match["metric"].startswith("val/"):
            raise UserError(
                f"study.constraints must be about 'val/' measures because a search never sees the "
                f"test split, got '{text}'."
            )
        return cls(match["metric"], match["sign"], bound)

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.bound:g}"

    def excess(self, value: float) -> float:
        """Return by how much `value` violates the bound; 0 or less if it satisfies it."""
        return self.bound - value if self.sign == ">=" else value - self.bound

    @property
    def worst_excess(self) -> float:
        """What a diverged or collapsed trial, of which no value is known, is taken to exceed by."""
        return abs(self.bound) or 1.0


def violation(constraints: Iterable[Constraint], metrics: Mapping[str, float]) -> float:
    """Return by how much `metrics` exceed all bounds together; 0 if they keep to them."""
    return sum(max(0.0, one.excess(metrics[one.metric])) for one in constraints)


def complaint(constraints: Iterable[Constraint], metrics: Mapping[str, float]) -> str:
    """Return in words which constraints `metrics` violate; empty if none."""
    broken = [one for one in constraints if one.excess(metrics[one.metric]) > 0]
    words = ", ".join(
        f"{one.metric} is {metrics[one.metric]:.4g}, not {_rest(one)}" for one in broken
    )
    return f"infeasible: {words}" if broken else ""


def _rest(constraint: Constraint) -> str:
    return f"{constraint.sign} {constraint.bound:g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
