"""Workloads and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.workload.library import find, names
from harness.workload.operation import Kind, operation, operations
from harness.workload.workload import (
    Recorder,
    Workload,
    WorkloadError,
    load_workload,
    parse_workload,
    save_workload,
)

TEXT = """\
# workload: small
# description: three steps
# source: nobody
frames+ 0 4
heap+ 1 100

frames- 0
heap- 1
heap+ 0 7
"""


def test_what_a_file_says() -> None:
    workload = parse_workload(TEXT, "small.txt")
    assert (workload.name, workload.description, workload.source) == (
        "small",
        "three steps",
        "nobody",
    )
    assert workload.slots == 2
    wanted = [
        operation(Kind.FRAMES_ALLOC, 0, 4),
        operation(Kind.HEAP_ALLOC, 1, 100),
        operation(Kind.FRAMES_FREE, 0, 4),
        operation(Kind.HEAP_FREE, 1, 100),
        operation(Kind.HEAP_ALLOC, 0, 7),
    ]
    assert (workload.operations == operations(wanted)).all()


def test_any_numbers_will_do() -> None:
    lines = "frames+ 4294967295 1", "frames+ 7 2", "frames- 4294967295", "heap+ 9 3", "heap- 9"
    workload = parse_workload("\n".join(lines), "far.txt")
    assert workload.operations["slot"].tolist() == [0, 1, 0, 0, 0]
    assert workload.slots == 2


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("frames* 1 2", "'frames\\*' is none of frames\\+, frames-, heap\\+, heap-"),
        ("frames+ 1", "frames\\+ needs a number and a size"),
        ("frames- 0 1", "frames- needs a number"),
        ("heap+ 1 -4", "'-4' is no number below 2\\^32"),
        ("heap+ 1 4294967296", "no number below"),
        ("heap+ 1 ٣", "no number below"),
        ("heap+ 0 1", "0 is still in use"),
        ("heap- 0", "0 is not allocated, or not by heap\\+"),
        ("frames- 7", "7 is not allocated, or not by frames\\+"),
    ],
)
def test_a_line_that_means_nothing_is_named(line: str, wanted: str) -> None:
    with pytest.raises(WorkloadError, match=f"^bad.txt:2: .*{wanted}"):
        parse_workload(f"frames+ 0 4\n{line}\n", "bad.txt")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=r"none\.txt: No such file"):
        load_workload(tmp_path / "none.txt")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(WorkloadError, match="not text"):
        load_workload(binary)
    with pytest.raises(WorkloadError, match=r"no file 'fxed'; there are .*fixed"):
        find("fxed")


@given(st.lists(st.tuples(st.sampled_from(["frames", "heap", "free"]), st.integers(1, 1 << 20))))
def test_a_saved_workload_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    recorder, live = Recorder(), []
    for what, number in steps:
        if what != "free":
            kind = Kind.FRAMES_ALLOC if what == "frames" else Kind.HEAP_ALLOC
            live.append(recorder.alloc(kind, number))
            assert len(set(live)) == len(live)
        elif live:
            recorder.free(live.pop(number % len(live)))
    workload = Workload("drawn", recorder.finished(), "by chance")
    path = tmp_path_factory.mktemp("workload") / "drawn.txt"
    save_workload(workload, path)
    found = load_workload(path)
    assert (found.name, found.description) == ("drawn", "by chance")
    assert (found.operations == workload.operations).all()
    assert found.slots == int(workload.operations["slot"].max(initial=0)) + 1


@pytest.mark.parametrize("name", names())
def test_recorded_workloads_give_everything_back(name: str) -> None:
    workload = find(name)
    assert workload.name == name
    assert workload.description
    live: dict[int, int] = {}
    for one in workload.operations:
        if Kind(int(one["kind"])) in (Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC):
            assert one["size"] > 0
            live[int(one["slot"])] = int(one["size"])
        else:
            assert live.pop(int(one["slot"])) == one["size"]
    assert not live


def test_there_are_the_kinds_of_workloads_that_are_promised() -> None:
    assert {"fixed", "power-law", "generational"} <= set(names())
    assert sum(name.startswith("worst-") for name in names()) >= 4
    studies = [name for name in names() if find(name).source]
    assert len(studies) == 2


def test_knuths_sizes_are_alike_often() -> None:
    """Pearson's chi-squared over 22 sizes: 5% of fair draws exceed 32.67 (21 degrees)."""
    taken = find("knuth").operations
    sizes = taken["size"][taken["kind"] == int(Kind.HEAP_ALLOC)]
    values, counts = np.unique(sizes, return_counts=True)
    assert len(values) == 22
    expected = len(sizes) / 22
    assert float(((counts - expected) ** 2 / expected).sum()) < 46.8  # 0.1%


def test_the_key_value_stores_sizes_are_those_of_the_study() -> None:
    """Keys have the median of its extreme value distribution, values that of its Pareto one.

    The medians follow from the distribution functions at 1/2: 30.7984 + 8.20449 *
    (ln(2)^-0.078688 - 1) / 0.078688 = 33.8 and 214.476 * (2^0.348238 - 1) / 0.348238 = 168.2.
    """
    taken = find("key-value-store").operations
    sizes = taken["size"][taken["kind"] == int(Kind.HEAP_ALLOC)]
    assert np.median(sizes[0::2]) == pytest.approx(33.8, abs=1)
    assert np.median(sizes[1::2]) == pytest.approx(168.2, rel=0.1)
