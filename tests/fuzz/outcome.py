"""What became of the search for a planted bug, as a value and as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.report.files import write_atomically
from tests.fuzz.plants import Plant


@dataclass(frozen=True)
class Way:
    """How bugs are looked for."""

    seed: int
    seconds: float
    """In which the first case must be found; making it smaller comes after."""


@dataclass(frozen=True)
class Outcome:
    """What became of the search for one bug."""

    plant: Plant
    way: Way
    cases: int
    """Until the first one that shows it, or all that there were time for."""
    seconds: float
    """The same."""
    group: str | None = None
    """What was found wrong; None when nothing was."""
    entries: int = 0
    """Of the shrunk case's map …"""
    operations: int = 0
    """… and of its tape."""
    memory: int = 0
    boots: int = 0
    """That shrinking took."""
    shrinking: float = 0.0
    """Seconds that it took."""

    def __str__(self) -> str:
        """Return one line for those who wait."""
        if self.group is None:
            return f"{self.plant.name}: not found in {self.cases} cases, {self.seconds:.0f} s"
        return (
            f"{self.plant.name}: found after {self.cases} cases, {self.seconds:.1f} s, shrunk in "
            f"{self.boots} boots, {self.shrinking:.1f} s, to {self.entries} entries, "
            f"{self.operations} operations, {self.memory >> 20} MiB: {self.group}"
        )


def save(outcome: Outcome, folder: Path) -> None:
    """Write down what became of a bug."""
    text = msgspec.json.encode(outcome).decode()
    write_atomically(folder / f"{outcome.plant.name}.json", text)


def saved(folder: Path, plant: Plant, way: Way) -> Outcome | None:
    """Return what is known of a bug that was looked for in the same way."""
    try:
        found = msgspec.json.decode((folder / f"{plant.name}.json").read_bytes(), type=Outcome)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if (found.plant, found.way) == (plant, way) else None
