"""RAM in a mapped file, against a dictionary of bytes."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ram.live import LiveRam
from harness.ram.mapped import Extent, MappedRam
from harness.ram.protocol import AbsentMemory, Ram, RamError
from harness.ram.saved import load_core, load_raw


def _memfd(size: int) -> int:
    descriptor = os.memfd_create("test")
    os.truncate(descriptor, size)
    return descriptor


def _live(size: int, *extents: Extent) -> LiveRam:
    descriptor = _memfd(size)
    try:
        return LiveRam(descriptor, extents)
    finally:
        os.close(descriptor)


def test_what_is_written_is_seen_through_the_file() -> None:
    descriptor = _memfd(0x3000)
    with LiveRam(descriptor, [Extent(0, 0x1000, 0), Extent(0x100000, 0x2000, 0x1000)]) as ram:
        ram.write(0x100004, b"\1\2\3\4")
        assert os.pread(descriptor, 4, 0x1004) == b"\1\2\3\4"
        os.pwrite(descriptor, b"\5", 0x1005)
        assert ram.read(0x100004, 4) == b"\1\5\3\4"
    os.close(descriptor)


def test_ranges_are_sorted_and_joined() -> None:
    ram = _live(
        0x4000, Extent(0x5000, 0x1000, 0), Extent(0x1000, 0x1000, 0x2000), Extent(0, 0x1000, 0x1000)
    )
    assert ram.ranges == (range(0x2000), range(0x5000, 0x6000))


def test_an_array_is_a_read_only_view_of_the_guest() -> None:
    ram = _live(0x1000, Extent(0, 0x1000, 0))
    layout = np.dtype({"names": ["a"], "formats": ["<u4"], "offsets": [2], "itemsize": 7})
    array = ram.array(3, layout, 5)
    ram.write(3 + 7 + 2, b"\x78\x56\x34\x12")
    assert array["a"].tolist() == [0, 0x12345678, 0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        array["a"] = 1


def test_a_range_over_neighbours_is_one() -> None:
    ram = _live(0x2000, Extent(0x1000, 0x1000, 0), Extent(0, 0x1000, 0x1000))
    ram.write(0xFFE, b"\1\2\3\4")
    assert ram.read(0xFFE, 4) == b"\1\2\3\4"
    assert ram.array(0xFFE, "<u4", 1).tolist() == [0x04030201]
    assert ram.read(0, 4) == b"\0\0\0\0"


@pytest.mark.parametrize(
    ("address", "length"), [(0x1000, 1), (0xFFF, 2), (-1, 1), (0, -1), (0, 1 << 40)]
)
def test_absent_memory_is_neither_read_nor_written(address: int, length: int) -> None:
    ram = _live(0x2000, Extent(0, 0x1000, 0))
    with pytest.raises(AbsentMemory, match=f"no RAM at physical 0x{address:x}") as caught:
        ram.read(address, length)
    assert (caught.value.address, caught.value.length) == (address, length)
    with pytest.raises(AbsentMemory):
        ram.array(address, "u1", length)
    if 0 < length < 10:
        with pytest.raises(AbsentMemory):
            ram.write(address, b"x" * length)
    assert ram.read(0xFFF, 1) == b"\0"


def test_nothing_may_be_read_from_anywhere() -> None:
    ram = _live(0x1000, Extent(0, 0x1000, 0))
    assert ram.read(0x5000, 0) == b""
    assert ram.array(0x5000, "<u4", 0).shape == (0,)


@pytest.mark.parametrize(
    ("extents", "message"),
    [
        ([Extent(0, 0x2000, 0)], "beyond the file"),
        ([Extent(0, 0x1000, 0), Extent(0xFFF, 1, 0)], "overlap"),
        ([Extent(-1, 1, 0)], "negative"),
    ],
)
def test_impossible_extents_are_refused(extents: list[Extent], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _live(0x1000, *extents)


def test_views_outlive_the_closing_of_their_memory() -> None:
    ram = _live(0x1000, Extent(0, 0x1000, 0))
    ram.write(0, b"\7")
    array = ram.array(0, "u1", 1)
    ram.close()
    ram.close()
    assert array.tolist() == [7]
    for use in (lambda: ram.read(0, 1), lambda: ram.write(0, b"x"), lambda: ram.array(0, "u1", 1)):
        with pytest.raises(RamError, match="closed"):
            use()


PAGES = st.lists(st.integers(0, 12), min_size=1, max_size=8, unique=True)


@given(pages=PAGES, address=st.integers(0, 13 * 64), length=st.integers(0, 200), data=st.data())
def test_like_a_dictionary_of_bytes(
    pages: list[int], address: int, length: int, data: st.DataObject
) -> None:
    """64-byte pages at any addresses, in any order in the file."""
    memory = mmap.mmap(-1, 64 * len(pages))
    memory[:] = bytes(i % 251 for i in range(len(memory)))
    extents = [Extent(page * 64, 64, 64 * index) for index, page in enumerate(pages)]
    expected = {
        page * 64 + i: memory[64 * index + i] for index, page in enumerate(pages) for i in range(64)
    }
    ram: Ram = MappedRam(memory, data.draw(st.permutations(extents)))
    wanted = [expected.get(address + i) for i in range(length)]
    assert [a for r in ram.ranges for a in r] == sorted(expected)
    if None in wanted:
        with pytest.raises(AbsentMemory):
            ram.read(address, length)
    else:
        assert list(ram.read(address, length)) == wanted
        assert ram.array(address, "u1", length).tolist() == wanted


def test_a_raw_file_is_ram_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(bytes(range(256)))
    with load_raw(path, start=0x1000) as ram:
        assert ram.ranges == (range(0x1000, 0x1100),)
        ram.write(0x1000, b"\xff")
        assert ram.read(0x1000, 2) == b"\xff\1"
    assert path.read_bytes() == bytes(range(256))


@pytest.mark.parametrize(
    ("contents", "message"),
    [(b"", "empty"), (b"\x7fELF", "not a usable ELF core"), (b"x" * 4096, "not a usable ELF core")],
)
def test_bad_cores_are_refused(tmp_path: Path, contents: bytes, message: str) -> None:
    path = tmp_path / "core"
    path.write_bytes(contents)
    with pytest.raises(RamError, match=message):
        load_core(path)
    with pytest.raises(RamError, match="No such file"):
        load_core(tmp_path / "missing")
