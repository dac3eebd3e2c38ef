"""Drawing into a file. Needs matplotlib, the extra ``pictures``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


class NoPictures(Exception):
    """matplotlib is not installed."""


def require_pictures() -> None:
    """Raise :class:`NoPictures` when no picture can be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise NoPictures("pictures need matplotlib: install mm-harness[pictures]")


def new_figure(title: str, width: float, height: float) -> Any:
    """Return an empty figure; sizes are in inches of 100 dots."""
    # Late: it takes longer to import than all else together.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    new = path.with_name(path.name + ".new")
    figure.savefig(new, format="png", dpi=100)
    new.replace(path)
