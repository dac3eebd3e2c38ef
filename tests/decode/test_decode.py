"""The bundled kernel, decoded while it is paused: against QEMU, and bit by bit."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from harness.check.inspect import control_registers
from harness.decode.belief.paging import ControlRegisters
from harness.decode.decode import decode
from harness.decode.page_walk import walk
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.kernel.layouts import both_layouts, layout_of

pytestmark = both_layouts

MIB = 1 << 20


@pytest.fixture(scope="module", params=["qemu32", "486,-pse"])
def guest(kernel: KernelImage, request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A guest that is ready, with a block of its heap."""
    with Machine(MachineSpec(kernel, 24 * MIB, cpu=request.param)) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind.value == "ready"
        guest.monitor.require("kmalloc 9000")
        guest.pause()
        yield guest


@pytest.fixture(scope="module")
def registers(guest: Guest) -> ControlRegisters:
    return control_registers(guest)


def decoded(guest: Guest, registers: ControlRegisters) -> MemoryState:
    return decode(guest.ram, registers, guest.kernel)


def test_every_page_that_qemu_sees(guest: Guest, registers: ControlRegisters) -> None:
    lines = re.findall(r"^([0-9a-f]+): ([0-9a-f]+) ", guest.qemu("info tlb"), re.MULTILINE)
    theirs = {int(virtual, 16): int(physical, 16) for virtual, physical in lines}
    mappings = decoded(guest, registers).page_tables.mappings
    ours = dict(zip(mappings["virtual"].tolist(), mappings["physical"].tolist(), strict=True))
    assert len(theirs) > 100
    assert ours == theirs


def test_single_addresses_as_qemu_translates_them(
    guest: Guest, registers: ControlRegisters
) -> None:
    chance = np.random.default_rng(7)
    layout = layout_of(guest.kernel)
    near = [layout.base + offset for offset in (0, 0x1000, MIB, 24 * MIB)]
    near += [0, 0xBFFFFFFF, layout.areas.start, layout.window, 0xFFFFF000]
    for virtual in [*near, *chance.integers(layout.base, layout.base + 32 * MIB, 40).tolist()]:
        answer = re.search(r"gpa: 0x([0-9a-f]+)", guest.qemu(f"gva2gpa 0x{virtual:x}"))
        found = walk(guest.ram, registers, virtual)
        assert (None if found.fault else found.physical) == (answer and int(answer[1], 16))


def test_nothing_is_at_fault(guest: Guest, registers: ControlRegisters) -> None:
    state = decoded(guest, registers)
    assert state.faults == state.page_tables.faults == ()
    assert all(lists.faults == () for lists in state.free_lists)
    [heap] = state.heaps
    assert heap.faults == ()
    [block] = [area.block for area in heap.areas if area.block]
    assert (block.size, block.magic_good) == (9000, True)


def test_frames_as_the_monitor_counts_them(guest: Guest, registers: ControlRegisters) -> None:
    """The kernel's own counters, and the blocks of the lists."""
    [lists] = decoded(guest, registers).free_lists
    for zone, free in lists.free_frames.items():
        mine = [(x.order, len(x.frames)) for x in lists.lists if x.zone == zone]
        assert sum(blocks << order for order, blocks in mine) == free


def flipped(guest: Guest, physical: int, bit: int) -> None:
    byte = guest.ram.read(physical, 1)[0]
    guest.ram.write(physical, bytes([byte ^ 1 << bit]))


def test_one_bit_of_the_frame_table_changes_one_frame(
    guest: Guest, registers: ControlRegisters
) -> None:
    before = decoded(guest, registers).frame_table
    assert before is not None
    member = guest.kernel.types.lookup("struct page").member("flags")
    size = guest.kernel.types.lookup("struct page").size
    reserved = guest.kernel.types.enumerator("PAGE_RESERVED")
    where = before.storage[0].start + 0x1234 * size + member.offset
    bit = (reserved or 1).bit_length() - 1
    flipped(guest, where, bit)
    after = decoded(guest, registers).frame_table
    flipped(guest, where, bit)
    assert after is not None
    assert np.flatnonzero(before.reserved != after.reserved).tolist() == [0x1234]
    assert (before.order == after.order).all()
    assert (before.free == after.free).all()


@pytest.mark.parametrize(("bit", "name"), [(1, "writable"), (8, "global_"), (22, "physical")])
def test_one_bit_of_an_entry_changes_one_page(
    guest: Guest, registers: ControlRegisters, bit: int, name: str
) -> None:
    if name == "global_" and not registers.cr4 & 1 << 7:
        pytest.skip("this CPU has no global pages")
    before = decoded(guest, registers).page_tables.mappings
    at = len(before) // 2
    where = int(before["entry_address"][at])
    flipped(guest, where + bit // 8, bit % 8)
    after = decoded(guest, registers).page_tables.mappings
    flipped(guest, where + bit // 8, bit % 8)
    changed = {n for n in before.dtype.names or () if (before[n] != after[n]).any()}
    assert changed == {name, "entry"}
    assert np.flatnonzero(before[name] != after[name]).tolist() == [at]


def test_the_state_outlives_the_guest(guest: Guest, registers: ControlRegisters) -> None:
    """Nothing in it is a view of guest memory."""
    state = decoded(guest, registers)
    arrays = [
        state.page_tables.mappings,
        state.page_tables.tables,
        *(vars(state.frame_table)[name] for name in ("free", "order", "users", "zone")),
        *(x.frames for lists in state.free_lists for x in lists.lists),
        *(bitmap.taken for bitmap in state.bitmaps),
    ]
    whole = guest.ram.array(0, "u1", 24 * MIB)
    assert not any(np.may_share_memory(array, whole) for array in arrays)
