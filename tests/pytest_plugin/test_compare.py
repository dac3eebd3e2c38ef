"""Why two values are not equal, as a failing ``assert`` says it."""

from __future__ import annotations

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import parse_compact
from harness.pytest_plugin.compare import pytest_assertrepr_compare as explain


def parsed(text: str) -> MemoryMap:
    (found,) = parse_compact(text, "this file")
    return found


def test_maps_that_claim_the_same() -> None:
    whole, parts = parsed("a: 0-8000 ram"), parsed("a: 4000-8000 ram, 0-4000 ram")
    said = explain("==", whole, parts)
    assert said is not None
    assert said[-1] == "in order and with overlaps resolved they claim the same"
    assert sum(line.startswith("  +") for line in said) == 2


def test_a_map_with_thousands_of_differences_is_bounded() -> None:
    many = parsed(",".join(f"{at << 12:x}+1000 {at % 5 + 1}" for at in range(5000)))
    said = explain("==", parsed("0-1000 bad"), many)
    assert said is not None
    assert len(said) < 100
    assert any("more lines" in line for line in said)


@pytest.mark.machine(memory="16M")
def test_page_tables(guest: CheckedGuest) -> None:
    before = guest.state().page_tables
    frame = guest.monitor.alloc(order=0)
    guest.monitor.require(f"map 0x400000 {frame:#x}")
    after = guest.state().page_tables
    assert before == before
    assert before != after
    said = explain("==", before, after)
    assert said is not None
    assert len(said) == 2
    assert "0x400000" in said[1].replace("0x00400000", "0x400000")


@pytest.mark.parametrize(("op", "left"), [("!=", parsed("0-1000 ram")), ("==", 3), ("==", None)])
def test_nothing_is_said_of_other_values(op: str, left: object) -> None:
    assert explain(op, left, parsed("0-1000 ram")) is None
