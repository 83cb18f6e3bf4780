"""The measures of what the machine did, in words.

None of them is the same twice, so nothing that compares runs looks at them.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Figure(NamedTuple):
    """A measure of the machine.

    Parameters
    ----------
    words : str
        As a heading.
    phrase : str
        A value in a sentence.
    adds_up : bool
        Whether several trials' sum means something.
    """

    words: str
    phrase: str
    adds_up: bool = False


FIGURES: Mapping[str, Figure] = {
    "cost/cpu_seconds": Figure("CPU seconds", "{:.3g} s of CPU cores", adds_up=True),
    "cost/memory_gib": Figure("peak memory, GiB", "{:.2g} GiB of memory"),
    "cost/waited_seconds": Figure(
        "seconds waited for images", "{:.2g} s of waiting for images", adds_up=True
    ),
    "cost/images_per_second": Figure("images a second", "{:.4g} images a second"),
    "cost/images_asked_per_second": Figure(
        "images a second, without waiting", "{:.4g} a second without waiting"
    ),
    "cost/gpu_utilization": Figure("share of time the GPU was busy", "a GPU busy for {:.0%}"),
    "cost/gpu_memory_gib": Figure("peak GPU memory, GiB", "{:.3g} GiB of its memory"),
    "cost/gpu_watts": Figure("GPU power, W", "{:.0f} W"),
    "cost/gpu_watt_hours": Figure("GPU energy, Wh", "{:.3g} Wh", adds_up=True),
}


def words(measures: Mapping[str, float]) -> str:
    """Return the figures among a trial's measures in words; empty if there are none."""
    return ", ".join(
        figure.phrase.format(measures[name]) for name, figure in FIGURES.items() if name in measures
    )
