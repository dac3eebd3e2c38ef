"""The three walks on a real guest: they agree, and a stale TLB is told from the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.check.cross_check import cross_check
from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.check.surgeon import Surgeon
from tests.kernel.layouts import both_layouts, layout_of

pytestmark = both_layouts

MIB = 1 << 20


@pytest.fixture
def guest(kernel: KernelImage, request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A guest that is ready, with a block of the heap and a page of user space."""
    cpu = getattr(request, "param", "qemu32")
    with Machine(MachineSpec(kernel, 32 * MIB, cpu=cpu)) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind.value == "ready"
        guest.monitor.require("kmalloc 5000")
        frame = guest.monitor.require("alloc 0").number("physical")
        guest.monitor.require(f"map {layout_of(kernel).some_user:#x} {frame:#x}")
        guest.pause()
        yield guest


@pytest.mark.parametrize("guest", ["qemu32", "486", "486,-pse", "pentium3"], indirect=True)
def test_the_walks_agree(guest: Guest) -> None:
    inspection = inspect_guest(guest)
    assert inspection.violations == ()
    assert cross_check(guest, inspection) == ()


def test_a_translation_that_the_cpu_still_remembers(guest: Guest) -> None:
    """An entry cleared behind the CPU's back is what a forgotten invlpg looks like."""
    virtual = layout_of(guest.kernel).base + 8 * MIB
    guest.resume()
    guest.monitor.require(f"touch 0x{virtual:x} read")
    guest.pause()
    surgeon = Surgeon(guest.kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
    surgeon.write(surgeon.entry(virtual), 0)
    found = cross_check(guest, inspect_guest(guest))
    assert "walk.cpu" in {one.kind for one in found}
    assert "walk.qemu" not in {one.kind for one in found}


def test_asking_the_cpu_brings_no_page_into_being(guest: Guest) -> None:
    """Pages of user regions appear when they are touched: the comparison must not do that."""
    start = layout_of(guest.kernel).user.start
    guest.resume()
    for command in ("space create", "space switch 1", "user alloc 4"):
        guest.monitor.require(command)
    guest.monitor.require(f"touch {start:#x} read")
    guest.monitor.require(f"touch {start + 4096:#x} write 1")
    guest.pause()
    before = inspect_guest(guest)
    assert before.violations == ()
    assert cross_check(guest, before) == ()
    after = inspect_guest(guest).state.page_tables.mappings
    fields = ["virtual", "physical", "writable"]
    assert after[fields].tolist() == before.state.page_tables.mappings[fields].tolist()


def test_a_page_of_a_user_region_that_the_cpu_still_remembers(guest: Guest) -> None:
    """Its frame goes to somebody else, and the CPU goes on showing the old one."""
    start = layout_of(guest.kernel).user.start
    guest.resume()
    guest.monitor.require("user alloc 1")
    guest.monitor.require(f"touch {start:#x} write 7")
    other = guest.monitor.require("alloc 0 zero").number("physical")
    guest.pause()
    surgeon = Surgeon(guest.kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
    where = surgeon.entry(start)
    surgeon.write(where, surgeon.word(where) & 0xFFF | other)
    found = cross_check(guest, inspect_guest(guest))
    assert "walk.cpu" in {one.kind for one in found}
