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
