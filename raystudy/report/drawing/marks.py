"""How states and roles are drawn: by shape and lightness first, by colour second.

Colours are those of Okabe & Ito (2008, "Color Universal Design"), which people with any
kind of colour blindness can distinguish; the shapes distinguish the states in greyscale.
"""

from dataclasses import dataclass

from raystudy.trial.info import TrialSummary

INK, FAINT, GRID = "#222", "#888", "#e4e4e4"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
PALE = "#bbb"


@dataclass(frozen=True)
class Look:
    """A mark.

    Parameters
    ----------
    path : str
        In SVG, relative to the place of the mark.
    colour : str
    width : float
        Of the stroke, in pixels; a dot is a stroke of no length with round ends.
    opacity : float
    """

    path: str
    colour: str
    width: float
    opacity: float = 1.0


DOT = "h0"
STATES: dict[str, Look] = {  # drawn in this order: what matters most on top
    "pruned": Look(DOT, ORANGE, 4.6, 0.75),
    "failed": Look("m0-4v8m-4-4h8", INK, 1.3),
    "diverged": Look("m-3-3l6 6m-6 0l6-6", RED, 1.5),
    "collapsed": Look("m-4-3h8l-4 7z", PURPLE, 1.3),
    "running": Look("m-3-3h6v6h-6z", SKY, 1.3),
    "infeasible": Look(DOT, "#8fc3e4", 6.4),
    "complete": Look(DOT, BLUE, 6.4, 0.85),
}

SEED = Look("m0-5v10", BLUE, 1.2, 0.7)
DOMINATED = Look(DOT, PALE, 5.0)
RECIPE = Look("m-5 0l5-5l5 5l-5 5z", INK, 1.6)
BEST = Look("m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0", INK, 1.4)


def kind(summary: TrialSummary) -> str:
    """Return a trial's state; of a complete one beyond a constraint, ``infeasible``."""
    return "infeasible" if summary.violation > 0 else summary.state
