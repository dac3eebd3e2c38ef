"""A comparison as JSON: every figure of the tables, and memory over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harness.report.compare_table import Done
from harness.report.reproduce import command_line
from harness.workload.curve import Point, growth, measured_kinds
from harness.workload.operation import Kind
from harness.workload.trial import Cost, Sample, Trial


def comparison_json(done: Iterable[Done]) -> list[dict[str, Any]]:
    """Return one object a design, machine and workload; sizes are in bytes."""
    return [
        {
            "design": contest.design,
            "memory": contest.spec.memory,
            "map": contest.spec.map.name if contest.spec.map else None,
            "machine": command_line(contest.spec),
            "workload": contest.workload.name,
            **_trial(trial),
        }
        for contest, trial in done
    ]


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "instructions": _costs(trial.costs),
        "failures": trial.failures,
        "violations": [asdict(violation) for violation in trial.violations],
        "ended": trial.ended,
        "samples": [_sample(sample) for sample in trial.samples],
    }


def _costs(costs: dict[Kind, Cost]) -> dict[str, Any]:
    return {kind.name.lower(): asdict(cost) for kind, cost in costs.items()}


def _sample(sample: Sample) -> dict[str, Any]:
    memory = sample.memory
    return {
        "operations": sample.done,
        "asked": sample.asked,
        **asdict(memory),
        "internal_fragmentation": memory.internal_fragmentation(sample.asked),
        "external_fragmentation": memory.external_fragmentation,
    }


def curves_json(curves: Sequence[tuple[str, Sequence[Point]]]) -> list[dict[str, Any]]:
    """Return one object a design: the costs in each size of memory, and how they grow."""
    return [
        {
            "design": design,
            "points": [{"memory": p.memory, "instructions": _costs(p.costs)} for p in points],
            "growth": {kind.name.lower(): growth(points, kind) for kind in measured_kinds(points)},
        }
        for design, points in curves
    ]
