"""Sizes, as they are printed and as they are read."""

from __future__ import annotations

import pytest

from harness.machine.errors import SpecError
from harness.machine.notation import parse_size
from harness.report.units import about, size


@pytest.mark.parametrize("count", [1, 4096, 4097, 640 << 10, 64 << 20, 3583 << 20, 5 << 30])
def test_a_printed_size_is_read_back(count: int) -> None:
    assert parse_size(size(count)) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("64M", 64 << 20), ("64m", 64 << 20), ("1G", 1 << 30), ("0x1000", 4096), ("2MiB", 2 << 20)],
)
def test_sizes_as_people_write_them(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "M", "64MM", "1.5G", "-1M", "64M1"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(SpecError):
        parse_size(text)


def test_about() -> None:
    assert about(0) == "0 B"
    assert about(1536) == "1.5 KiB"
    assert about((64 << 20) - (640 << 10)) == "63.4 MiB"
