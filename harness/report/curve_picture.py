"""A picture of how costs depend on the size of memory. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.report.compare_table import KIND_WORDS
from harness.report.picture import new_figure, save_figure
from harness.report.units import size
from harness.workload.curve import Point
from harness.workload.operation import Kind


def draw_curves(curves: Sequence[tuple[str, Sequence[Point]]], path: Path) -> None:
    """Draw the worst cost of each kind of operation, a line a design, into a PNG file."""
    figure = new_figure("worst guest instructions by the size of memory", 11, 8)
    plots = figure.subplots(2, 2, sharex=True).flat
    for axes, (kind, words) in zip(plots, KIND_WORDS.items(), strict=True):
        axes.set_title(words)
        for design, points in curves:
            _draw_line(axes, design, points, kind)
        _scale(axes, sorted({point.memory for _, points in curves for point in points}))
        axes.legend()
    save_figure(figure, path)


def _draw_line(axes: Any, design: str, points: Sequence[Point], kind: Kind) -> None:
    known = sorted((p for p in points if kind in p.costs), key=lambda point: point.memory)
    worst = [point.costs[kind].worst for point in known]
    axes.plot([point.memory for point in known], worst, marker="o", label=design)


def _scale(axes: Any, sizes: Sequence[int]) -> None:
    """Make both scales logarithmic: what grows with memory is then a straight line upwards."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [size(memory) for memory in sizes])
    axes.minorticks_off()
