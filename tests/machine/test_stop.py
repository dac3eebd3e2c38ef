"""Stopping before a function, and what is left of it for the next boot."""

from __future__ import annotations

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

MEMORY = 16 << 20
NOTHING_USABLE = MemoryMap((Region(0, MEMORY, 2),))


def test_a_guest_that_ends_before_the_place_leaves_no_breakpoint(kernel: KernelImage) -> None:
    function = kernel.description.moments["early"]
    with Machine(MachineSpec(kernel, MEMORY, map=NOTHING_USABLE)) as machine:
        with pytest.raises(GuestEnded) as caught:
            machine.boot().stop_before(function)
        assert caught.value.ending.kind is EndingKind.REFUSED
        again = machine.boot(MachineSpec(kernel, MEMORY, map=MemoryMap.pc(MEMORY)))
        assert again.run_until_ready().kind is EndingKind.READY


def test_a_stopped_guest_stands_at_the_function_and_goes_on(kernel: KernelImage) -> None:
    function = kernel.description.moments["early"]
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        guest.stop_before(function)
        assert guest.registers().eip == kernel.symbol(function)
        assert guest.run_until_ready().kind is EndingKind.READY
