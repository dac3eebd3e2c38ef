"""Random lives of the early allocators against what they must return."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from harness.policy.bootmem import BootmemPolicy
from harness.policy.memblock import MemblockPolicy
from tests.kernel.early import Early, stopped
from tests.kernel.session import MIB, PAGE

DMA_END = 16 * MIB
DIRECT_MAP_END = 896 * MIB
MAP = parse_compact("0-9f000 usable, 100000-f00000 usable, 1000000-1100000 usable", "here")[0]
"""Holes, and so little above the DMA zone that lives reach below it."""

lives = settings(max_examples=12, deadline=None)


def given_by(early: Early, function: str, *arguments: int) -> int:
    """Call an allocating function; return the physical address, 0 on failure."""
    pointer = early.call(function, *arguments)
    return pointer - early.base if pointer else 0


@lives
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=25))
def test_random_lives_of_bootmem(
    kernel: KernelImage, pool: Pool, steps: list[tuple[bool, int]]
) -> None:
    with stopped(kernel, pool, map=MAP) as early:
        state = inspect_guest(early.guest, "early").state
        policy = BootmemPolicy.of(state, DMA_END // PAGE, DIRECT_MAP_END // PAGE)
        live: list[tuple[int, int]] = []
        for frees, number in steps:
            if frees and live:
                address, pages = live.pop(number % len(live))
                early.call("bootmem_free_contiguous", address + early.base, pages)
                policy.free(address, pages)
                continue
            address = given_by(early, "bootmem_alloc_contiguous", number)
            assert address == (policy.alloc(number) if number else 0)
            live += [(address, number)] if address else []


@lives
@given(steps=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 20)), max_size=25))
def test_random_lives_of_memblock(
    kernel: KernelImage, pool: Pool, steps: list[tuple[int, int]]
) -> None:
    with stopped(kernel, pool, map=MAP, append="early=memblock") as early:
        state = inspect_guest(early.guest, "early").state
        policy = MemblockPolicy.of(state, DMA_END, DIRECT_MAP_END)
        for size, power in steps:
            wanted = policy.alloc(size, 1 << power)
            assert given_by(early, "memblock_alloc", size, 1 << power) == wanted
        ranges = inspect_guest(early.guest, "early").state.bumps[0].ranges
        assert [(one.cursor, one.end) for one in ranges] == policy.ranges
