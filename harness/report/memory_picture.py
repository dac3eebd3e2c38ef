"""A picture of memory over time: which parts were taken, how much, and how much of it was wasted.

Needs matplotlib, the extra ``pictures``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.report.compare_table import machine_name
from harness.report.picture import new_figure, save_figure
from harness.workload.compare import Contest
from harness.workload.trial import Trial

_MIB = 1 << 20


def picture_name(contest: Contest) -> str:
    """Return a file's name for a contest's picture."""
    words = f"{contest.design} {contest.workload.name} {machine_name(contest)}"
    return "-".join("".join(c if c.isalnum() else " " for c in words).split()) + ".png"


def draw_memory(contest: Contest, trial: Trial, path: Path) -> None:
    """Draw a trial with at least one sample into a PNG file, whole or not at all."""
    title = f"{contest.design}, {contest.workload.name}, {machine_name(contest)}"
    figure = new_figure(title, 9, 9)
    shares, amounts, waste = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    _draw_shares(figure, shares, trial)
    _draw_amounts(amounts, trial)
    _draw_fragmentation(waste, trial)
    save_figure(figure, path)


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
    axes.set_ylabel("MiB")
    axes.legend(loc="upper left")


def _draw_fragmentation(axes: Any, trial: Trial) -> None:
    done = [sample.done for sample in trial.samples]
    inside = [sample.memory.internal_fragmentation(sample.asked) for sample in trial.samples]
    outside = [sample.memory.external_fragmentation for sample in trial.samples]
    axes.plot(done, inside, label="wasted: internal fragmentation")
    axes.plot(done, outside, label="scattered: external fragmentation")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("operations")
    axes.set_ylabel("share")
    axes.legend(loc="upper left")
