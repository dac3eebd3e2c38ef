"""The comparison of walks: agreement is silent, each kind of difference is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.check.cross_check import (
    MOST_SAMPLES,
    Access,
    Hmp,
    compare_with_cpu,
    compare_with_qemu,
    samples,
    translate,
)
from harness.decode.belief.paging import MAPPING, PageTables
from tests.check import example

TEXT = 0xC0100000
DATA = 0xC0101000
HOLE = 0xC0102000


def tables() -> PageTables:
    """Return a read-only page, a writable one behind it, and a 4 MiB page far away."""
    large = list(example.mapping(0xD0000000, 0x400))
    large[2], large[7] = 4 << 20, 2
    rows = [
        example.mapping(TEXT, 0x100, writable=False),
        example.mapping(DATA, 0x101),
        tuple(large),
    ]
    none = np.empty(0, dtype=np.uint64)
    return PageTables("32-bit", 0x1000, np.array(rows, dtype=MAPPING), none, none)


# As QEMU 7.2 prints them.
INFO_TLB = """\
c0100000: 00100000 -G-DA----
c0101000: 00101000 -G-DA---W
d0000000: 00400000 -GPDA---W
"""
INFO_MEM = """\
00000000c0100000-00000000c0101000 0000000000001000 -r-
00000000c0101000-00000000c0102000 0000000000001000 -rw
00000000d0000000-00000000d0400000 0000000000400000 -rw
"""


def qemu(tlb: str = INFO_TLB, mem: str = INFO_MEM, moved: int | None = None) -> Hmp:
    """Return a human monitor that answers from texts; ``moved`` is translated wrongly."""

    def hmp(command: str) -> str:
        name, *arguments = command.split()
        if name == "gva2gpa":
            virtual = int(arguments[0], 16)
            physical = translate(tables(), virtual)
            if virtual == moved:
                physical = 0x7000
            return "Unmapped\n" if physical is None else f"gpa: 0x{physical:x}\n"
        return {"info tlb": tlb, "info mem": mem}[command]

    return hmp


def test_walks_that_agree_are_silent() -> None:
    assert compare_with_qemu(qemu(), tables()) == ()


def test_a_page_that_must_not_be_executed_has_the_same_address() -> None:
    """QEMU prints the XD bit of an entry of 8 bytes in its address, and an X for it."""
    marked = INFO_TLB.replace("c0101000: 00101000 -", "c0101000: 8000000000101000 X")
    assert compare_with_qemu(qemu(tlb=marked), tables()) == ()


@pytest.mark.parametrize(
    ("monitor", "kind", "words"),
    [
        (qemu(tlb=INFO_TLB.replace(": 00101000", ": 00201000")), "walk.qemu",
         "has physical 0x201000 (writable), the decoded one physical 0x101000 (writable)"),
        (qemu(tlb=INFO_TLB.replace("00100000 -G-DA----", "00100000 -G-DA---W")), "walk.qemu",
         "has physical 0x100000 (writable), the decoded one physical 0x100000 (read-only)"),
        (qemu(tlb=INFO_TLB.replace("DA---W", "DA--UW", 1)), "walk.qemu", "(writable, user)"),
        (qemu(tlb=INFO_TLB.split("\n", 1)[1]), "walk.qemu", "QEMU's walk has nothing"),
        (qemu(mem=INFO_MEM.replace("-rw", "-r-", 1)), "walk.qemu-rights", "0xc0101000"),
        (qemu(moved=DATA), "walk.qemu", "virtual 0xc0101000: QEMU translates to 0x7000"),
    ],
)  # fmt: skip
def test_each_difference_from_qemu(monitor: Hmp, kind: str, words: str) -> None:
    found = compare_with_qemu(monitor, tables())
    assert any(one.kind == kind and words in one.message for one in found), found
    assert all("V8" in one.properties for one in found)


class Cpu:
    """A CPU that obeys ``pages``: its own idea of what is mapped, such as an old TLB's."""

    def __init__(self, pages: PageTables) -> None:
        self.pages = pages

    def touch(self, virtual: int, value: int | None) -> Access:
        physical = translate(self.pages, virtual)
        if physical is None:
            return Access(fault=True)
        found = self.pages.mappings
        index = int(np.searchsorted(found["virtual"], virtual, side="right")) - 1
        if value is not None:
            return Access(fault=not found["writable"][index])
        return Access(fault=False, value=word(physical))


def word(physical: int) -> int:
    return physical * 7 + 1


def changed(index: int, **fields: int) -> PageTables:
    mappings = tables().mappings.copy()
    for name, value in fields.items():
        mappings[name][index] = value
    return replace(tables(), mappings=mappings)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (replace(tables(), mappings=tables().mappings[1:]), "the CPU faults, but the walk maps"),
        (changed(0, writable=True), "the CPU can write, but the walk says read-only"),
        (changed(1, writable=False), "the CPU faults on a write, but the walk says writable"),
        (changed(1, physical=0x5000), "physical 0x101000 holds another word"),
        (changed(1, size=0x2000), "the CPU reads it, but the walk maps nothing there"),
    ],
)
def test_each_difference_from_the_cpu(theirs: PageTables, words: str) -> None:
    found = compare_with_cpu(Cpu(theirs).touch, word, tables())
    assert any(one.kind == "walk.cpu" and words in one.message for one in found), found


def test_a_cpu_that_agrees_is_silent() -> None:
    assert compare_with_cpu(Cpu(tables()).touch, word, tables()) == ()


def test_what_changes_while_the_guest_runs_is_left_alone() -> None:
    theirs = Cpu(changed(1, physical=0x5000)).touch
    assert compare_with_cpu(theirs, word, tables(), (range(DATA, HOLE),)) == ()


def test_samples_are_the_borders_of_ranges_and_their_neighbours() -> None:
    asked = samples(tables())
    assert {TEXT - 4, TEXT, DATA - 4, DATA, HOLE - 4, HOLE, 0xD0000000, 0xD0400000} <= set(asked)
    many = [example.mapping(0x10000000 + page * 0x2000, page) for page in range(1000)]
    none = np.empty(0, dtype=np.uint64)
    crowded = PageTables("32-bit", 0, np.array(many, dtype=MAPPING), none, none)
    assert 0 < len(samples(crowded)) <= MOST_SAMPLES
