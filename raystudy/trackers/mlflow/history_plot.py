"""A picture of a trial's epochs."""

import io
import logging
import math
from collections.abc import Sequence

from raystudy.trackers.mlflow.run_patch import History


def draw(history: History, objectives: Sequence[str], title: str) -> bytes:
    """Return a PNG with losses and validation measures over epochs.

    Parameters
    ----------
    history : mapping of measure to list of (epoch, value)
    objectives : sequence of str
        Drawn stronger than the rest.
    title : str
    """
    # Figure and canvas are objects of this call: pyplot is not safe outside the main thread.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    groups = [
        [name for name in sorted(history) if name.startswith(prefix)]
        for prefix in ("val/", "train/")
    ]
    groups = [names for names in groups if names] or [sorted(history)]
    figure = Figure(figsize=(5 * len(groups), 3.5))  # constrained layout: 30 % slower
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize="medium")
    for axes, names in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        for name in names:
            epochs, values = zip(*history[name], strict=True)
            finite = [value if math.isfinite(value) else math.nan for value in values]
            width = 2.5 if name in objectives else 1.2
            marker = "o" if len(finite) == 1 else None
            axes.plot(epochs, finite, label=name, linewidth=width, marker=marker)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize="small")
    figure.subplots_adjust(left=0.14 / len(groups), right=0.98, bottom=0.15)
    picture = io.BytesIO()
    canvas.print_png(picture)
    return picture.getvalue()
