"""gdb from the first instruction on: real mode, before paging, into the higher half."""

from __future__ import annotations

import pytest

from harness.debug.debugger import Debugger
from harness.debug.guest import DebuggedGuest
from harness.debug.stops import BreakpointHit, StepDone, WatchpointHit
from harness.debug.values import Unreadable
from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.machine import Machine
from harness.machine.rom import BASE, BOOTLOADER_MAGIC, CODE, RESET_VECTOR
from harness.machine.spec import BootPath, MachineSpec
from harness.maps.memory_map import MemoryMap

MEMORY = 16 << 20
RESET = BASE + RESET_VECTOR


def test_real_mode_is_read_and_stepped_as_such(kernel: KernelImage) -> None:
    with Machine(MachineSpec(kernel, MEMORY)) as machine, DebuggedGuest(machine.boot()) as guest:
        debugger = guest.debugger
        assert not debugger.mode().protected
        assert [frame.address for frame in debugger.backtrace()] == [RESET]
        (jump,) = debugger.disassemble(count=1)
        # Read as 32-bit code it would be an instruction of five bytes to another place.
        assert (jump.contents[:1], len(jump.contents)) == (b"\xe9", 3)
        assert jump.text == f"jmp 0x{BASE + CODE:08x}"
        assert debugger.stepi().frame.address == BASE + CODE

        # gdb takes EIP for an address, so of these breakpoints it knows nothing when they are met.
        second = debugger.disassemble(count=2)[1].address
        here = debugger.break_at(BASE + CODE)
        there = debugger.break_at(second)
        stop = debugger.run()
        assert stop == BreakpointHit(stop.frame, there.number)
        assert stop.frame.address == second
        debugger.delete(here)
        debugger.delete(there)

        debugger.break_at(kernel.entry)
        assert debugger.run().frame.function == "entry"
        assert debugger.mode().protected
        assert debugger.disassemble(count=1)[0].symbol == "entry"


@pytest.mark.parametrize("path", list(BootPath))
def test_from_the_entry_into_the_higher_half(kernel: KernelImage, path: BootPath) -> None:
    with Machine(MachineSpec(kernel, MEMORY, boot=path)) as machine:
        guest = DebuggedGuest(machine.boot())
        debugger = guest.debugger
        if path is BootPath.DIRECT:  # it starts with the ROM
            debugger.break_at(kernel.entry, temporary=True)
            debugger.run()
        _before_paging(debugger, kernel)
        _after_paging(debugger, kernel, guest)


def _before_paging(debugger: Debugger, kernel: KernelImage) -> None:
    assert not debugger.mode().paging
    frame = debugger.frame()
    assert (frame.function, frame.address) == ("entry", kernel.entry)
    assert frame.file is not None
    assert frame.file.endswith("boot/entry.S")
    assert debugger.step().frame.line == (frame.line or 0) + 1
    # Data are where the loader put them.
    low = kernel.physical(kernel.symbol("kernel_main"))
    assert debugger.evaluate("&kernel_main").address == low
    table = kernel.physical(kernel.symbol("gdt"))
    data = next(s for s in kernel.segments if 0 <= table - s.physical < len(s.data))
    descriptor = data.data[table - data.physical :][8:16]
    assert debugger.evaluate("gdt[1]") == int.from_bytes(descriptor, "little") != 0


def _after_paging(debugger: Debugger, kernel: KernelImage, guest: DebuggedGuest) -> None:
    main = debugger.break_at("kernel_main")
    high = kernel.symbol("kernel_main")
    assert {high, kernel.physical(high)} == set(main.addresses)
    watched = debugger.watch("mem_map")
    assert watched.address == kernel.symbol("mem_map")
    stop = debugger.run()
    assert stop == BreakpointHit(stop.frame, main.number)
    assert debugger.mode().paging
    assert stop.frame.address == high
    assert stop.frame.arguments["magic"] == BOOTLOADER_MAGIC
    assert stop.frame.arguments["information"] == guest.registers().ebx
    assert [frame.function for frame in debugger.backtrace()] == ["kernel_main", "paged_entry"]
    assert debugger.breakpoints()[0].addresses == (high,)
    hit = debugger.run()
    assert isinstance(hit, WatchpointHit)
    assert hit.frame.function == "mem_map_reserve"
    assert isinstance(hit.old, Unreadable)  # nothing was there before paging
    assert hit.new == debugger.evaluate("mem_map")
    debugger.delete(watched)
    assert guest.run_until_ready().alive


@pytest.mark.parametrize("path", [BootPath.MULTIBOOT, BootPath.ISO])
def test_firmware_is_stepped_from_the_reset_vector(kernel: KernelImage, path: BootPath) -> None:
    with Machine(MachineSpec(kernel, MEMORY, boot=path)) as machine:
        guest = DebuggedGuest(machine.power_on())
        debugger = guest.debugger
        assert debugger.frame().address == RESET
        (jump,) = debugger.disassemble(count=1)
        assert jump.text == "ljmp $0xf000,$0xe05b"  # as every PC BIOS begins
        stop = debugger.stepi()
        assert isinstance(stop, StepDone)
        assert stop.frame.address == 0xFE05B
        assert guest.information is None
        assert guest.run_until_ready().alive


def test_power_on_takes_no_map_that_needs_an_entry(kernel: KernelImage) -> None:
    spec = MachineSpec(kernel, MEMORY, MemoryMap.pc(MEMORY), BootPath.MULTIBOOT)
    with Machine(spec) as machine, pytest.raises(SpecError, match=r"use boot\(\)"):
        machine.power_on()
