"""The generators make what was recorded, again."""

from __future__ import annotations

import pytest

from harness.workload.generate import GENERATORS
from harness.workload.library import find, names

ALLOCATIONS = 2000


def test_each_recorded_workload_has_its_generator() -> None:
    assert set(GENERATORS) == set(names())


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_generator_makes_its_recorded_workload(name: str) -> None:
    made, recorded = GENERATORS[name](ALLOCATIONS), find(name)
    assert (made.description, made.source) == (recorded.description, recorded.source)
    assert (made.operations == recorded.operations).all()
