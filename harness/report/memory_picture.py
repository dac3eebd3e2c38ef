"""A picture of memory over time: which parts were taken, and how much was asked for and given.

Needs matplotlib, the extra ``pictures``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from harness.report.compare_table import machine_name
from harness.workload.compare import Contest
from harness.workload.trial import Trial

_MIB = 1 << 20


class NoPictures(Exception):
    """matplotlib is not installed."""


def require_pictures() -> None:
    """Raise :class:`NoPictures` when no picture can be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise NoPictures("pictures need matplotlib: install mm-harness[pictures]")


def picture_name(contest: Contest) -> str:
    """Return a file's name for a contest's picture."""
    words = f"{contest.design} {contest.workload.name} {machine_name(contest)}"
    return "-".join("".join(c if c.isalnum() else " " for c in words).split()) + ".png"


def draw_memory(contest: Contest, trial: Trial, path: Path) -> None:
    """Draw a trial with at least one sample into a PNG file, whole or not at all."""
    # Late: it takes longer to import than all else together.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle(f"{contest.design}, {contest.workload.name}, {machine_name(contest)}")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    _draw_shares(figure, above, trial)
    _draw_amounts(below, trial)
    new = path.with_name(path.name + ".new")
    figure.savefig(new, format="png", dpi=100)
    new.replace(path)


def _draw_shares(figure: Any, axes: Any, trial: Trial) -> None:
    done = [sample.done for sample in trial.samples]
    shares = np.array([sample.shares for sample in trial.samples]).T
    usable = trial.samples[0].memory.usable / _MIB
    rows = np.linspace(0, usable, len(shares))
    drawn = axes.pcolormesh(done, rows, shares, cmap="viridis", vmin=0, vmax=1, shading="nearest")
    figure.colorbar(drawn, ax=axes, label="share that is not free")
    axes.set_ylabel("usable memory, MiB from its start")


def _draw_amounts(axes: Any, trial: Trial) -> None:
    done = [sample.done for sample in trial.samples]
    lines = {
        "asked for": [sample.asked for sample in trial.samples],
        "given": [sample.memory.given for sample in trial.samples],
        "overhead": [sample.memory.overhead for sample in trial.samples],
    }
    for label, values in lines.items():
        axes.plot(done, np.array(values) / _MIB, label=label)
    axes.set_xlabel("operations")
    axes.set_ylabel("MiB")
    axes.legend(loc="upper left")
