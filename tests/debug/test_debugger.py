"""Every operation of the debugger, on a guest at its prompt."""

from __future__ import annotations

import re

import pytest

from harness.debug.breakpoints import Access
from harness.debug.debugger import Debugger
from harness.debug.guest import DebuggedGuest
from harness.debug.mi import GdbError, GdbRefused
from harness.debug.stops import (
    BreakpointHit,
    FunctionFinished,
    Interrupted,
    StepDone,
    WatchpointHit,
)
from harness.debug.values import Pointer
from harness.machine.errors import GuestStopped

KMALLOC = "kmalloc 100"


def type_in(guest: DebuggedGuest, command: str) -> None:
    """Give a command to the kernel, and do not wait for its answer."""
    guest.console.send(f"{command}\r")


def test_breakpoints(guest: DebuggedGuest, debugger: Debugger) -> None:
    software = debugger.break_at("kmalloc", condition="size > 100")
    assert software.addresses == (guest.kernel.symbol("kmalloc"),)
    assert (software.condition, software.hardware) == ("size > 100", False)
    hardware = debugger.break_at(guest.kernel.symbol("kfree"), hardware=True, temporary=True)
    assert (hardware.hardware, hardware.temporary) == (True, True)

    address = guest.monitor.kmalloc(size=100)  # the condition is false: nothing stops
    type_in(guest, f"kfree 0x{address:x}")
    stop = debugger.run()
    assert stop == BreakpointHit(stop.frame, hardware.number)
    assert stop.frame.address == guest.kernel.symbol("kfree")
    assert [one.number for one in debugger.breakpoints()] == [software.number]

    type_in(guest, "kmalloc 101")
    stop = debugger.run()
    assert stop == BreakpointHit(stop.frame, software.number)
    assert stop.frame.arguments == {"size": 101}
    assert debugger.breakpoints()[0].hits == 1

    debugger.enable(software, False)
    assert not debugger.breakpoints()[0].enabled
    debugger.resume()
    guest.wait_for_line("virtual=")
    assert guest.monitor.kmalloc(size=102)
    debugger.enable(software)
    type_in(guest, "kmalloc 103")
    assert isinstance(debugger.run(), BreakpointHit)
    debugger.delete(software)
    debugger.delete(software)
    assert debugger.breakpoints() == ()
    debugger.resume()
    assert guest.monitor.kmalloc(size=104)


def test_a_breakpoint_at_a_line_and_one_that_cannot_be(
    guest: DebuggedGuest, debugger: Debugger
) -> None:
    whole = debugger.break_at("kmalloc")
    type_in(guest, KMALLOC)
    here = debugger.run().frame
    assert here.file is not None
    assert here.line is not None
    line = debugger.break_at(f"kmalloc.c:{here.line + 2}")
    stop = debugger.run()
    assert stop == BreakpointHit(stop.frame, line.number)
    assert stop.frame.line in range(here.line, here.line + 3) or stop.frame.function != "kmalloc"
    assert {whole.number, line.number} == {one.number for one in debugger.breakpoints()}
    for nonsense in ("no_such_function", "kmalloc.c:99999", "*(", "a\nb"):
        with pytest.raises(GdbRefused):
            debugger.break_at(nonsense)


def test_watchpoints_tell_old_and_new(guest: DebuggedGuest, debugger: Debugger) -> None:
    blocks = debugger.watch("kmalloc_statistics.blocks")
    before = debugger.evaluate("kmalloc_statistics.blocks")
    assert isinstance(before, int)
    for more in (1, 2):
        type_in(guest, KMALLOC)
        stop = debugger.run()
        assert stop == WatchpointHit(
            stop.frame, blocks.number, blocks.expression, Access.WRITE, before + more - 1,
            before + more,
        )  # fmt: skip
        assert stop.frame.function == "kmalloc"
        assert f"was {before + more - 1}, is {before + more}" in str(stop)
        debugger.resume()
        guest.wait_for_line("virtual=")
    debugger.delete(blocks)
    guest.monitor.kmalloc(size=100)

    for access, stops in ((Access.READ, 1), (Access.ANY, 1)):
        watched = debugger.watch("kmalloc_statistics.bytes", access)
        size = debugger.evaluate("kmalloc_statistics.bytes")
        type_in(guest, KMALLOC)
        seen = [debugger.run() for _ in range(stops)]
        assert [(one.access, one.number) for one in seen if isinstance(one, WatchpointHit)] == [
            (access, watched.number)
        ] * stops
        # The addition is one instruction, after which both have happened.
        assert isinstance(seen[0], WatchpointHit)
        assert isinstance(size, int)
        assert (seen[0].old, seen[0].new) == (size, size + 100)
        debugger.delete(watched)
        debugger.resume()
        guest.wait_for_line("virtual=")


def test_a_watchpoint_of_gdb_s_own_has_gdb_s_words(
    guest: DebuggedGuest, debugger: Debugger
) -> None:
    debugger.console("watch kmalloc_statistics.blocks")
    type_in(guest, KMALLOC)
    stop = debugger.wait()
    assert isinstance(stop, WatchpointHit)
    assert (stop.expression, stop.old, stop.new) == ("kmalloc_statistics.blocks", "0", "1")


def test_a_register_cannot_be_watched(debugger: Debugger) -> None:
    with pytest.raises(GdbRefused):
        debugger.watch("$eax")


def test_steps(guest: DebuggedGuest, debugger: Debugger) -> None:
    debugger.break_at("heap_alloc", temporary=True)
    type_in(guest, KMALLOC)
    start = debugger.run().frame
    assert start.function == "heap_alloc"
    assert [frame.function for frame in debugger.backtrace()][-1] == "paged_entry"

    one, two = debugger.disassemble(count=2)
    assert one.address == start.address
    assert debugger.stepi() == StepDone(debugger.frame())
    assert debugger.frame().address == two.address

    frame = debugger.step(timeout=5).frame
    while frame.function == "heap_alloc":
        frame = debugger.step().frame
    assert frame.function == "kmalloc"
    line = frame.line
    assert debugger.next().frame.line != line
    assert debugger.frame().function == "kmalloc"

    done = debugger.finish()
    assert isinstance(done, FunctionFinished)
    assert isinstance(done.value, Pointer)
    assert done.value.type == "void *"
    assert done.frame.function == "heap_alloc"
    debugger.resume()
    answer = guest.wait_for_line("virtual=")
    assert f"virtual=0x{done.value.address:08x}" in answer


def test_until_and_nexti(guest: DebuggedGuest, debugger: Debugger) -> None:
    debugger.break_at("kmalloc", temporary=True)
    type_in(guest, KMALLOC)
    frame = debugger.run().frame
    assert frame.line is not None
    target = frame.line + 11  # "kmalloc_statistics.blocks++", with calls on the way
    reached = debugger.until(f"kmalloc.c:{target}")
    assert isinstance(reached, StepDone)
    assert reached.frame.line == target
    for _ in range(3):
        _, after = debugger.disassemble(count=2)
        assert debugger.nexti().frame.address == after.address


def test_running_and_interrupting(guest: DebuggedGuest, debugger: Debugger) -> None:
    assert debugger.running  # attaching has left it as it was
    stop = debugger.interrupt()
    assert isinstance(stop, Interrupted)
    assert "monitor_run" in [frame.function for frame in debugger.backtrace()]
    assert not debugger.running
    assert "paused" in guest.qemu("info status")
    debugger.resume()
    with pytest.raises(GdbError, match=r"interrupt\(\) it first"):
        debugger.step()
    assert guest.monitor.kmalloc(size=8)


def test_a_guest_does_all_that_it_does_without(guest: DebuggedGuest, debugger: Debugger) -> None:
    before = guest.state()
    physical = guest.monitor.alloc(order=2)
    assert "no longer free" in str(guest.diff(before))
    guest.monitor.free(physical=physical, order=2)
    guest.check()
    guest.pause()
    assert not debugger.running
    registers = guest.registers()
    assert debugger.registers()["eip"] == registers.eip
    assert guest.backtrace()[0].function == debugger.frame().function
    guest.resume()
    assert debugger.running
    debugger.break_at("kfree", condition="0")  # met, and never stopped at
    for _ in range(3):
        address = guest.monitor.kmalloc(size=40)
        guest.monitor.kfree(virtual=address)
        with guest.paused():
            assert not debugger.running
        assert debugger.running
    guest.pause()
    type_in(guest, KMALLOC)
    guest.stop_before("kmalloc")
    assert guest.registers().eip == guest.kernel.symbol("kmalloc")
    assert [one.location for one in debugger.breakpoints()] == ["kfree"]
    debugger.break_at("back_pages")
    with pytest.raises(GuestStopped, match=r"before it came to area_free: breakpoint \d+ at"):
        guest.stop_before("area_free")
    assert [one.location for one in debugger.breakpoints()] == ["kfree", "back_pages"]
    with pytest.raises(GuestStopped, match=r"breakpoint \d+ in back_pages, while"):
        guest.monitor.kmalloc(size=1)
    debugger.close()
    guest.resume()
    guest.wait_for_line("virtual=")


def test_looking_leaves_it_running(guest: DebuggedGuest, debugger: Debugger) -> None:
    assert debugger.evaluate("1 + 1") == 2
    (thread,) = debugger.threads()
    assert (thread.number, thread.state) == (1, "stopped")
    registers = debugger.registers()
    assert registers["cr3"] == guest.registers().cr3
    assert registers["cr0"] >> 31
    start = guest.kernel.symbol("kmalloc")
    code = debugger.disassemble("kmalloc", count=3)
    assert code[0].address == start
    assert code[0].symbol == "kmalloc"
    assert code[1].symbol == f"kmalloc + {len(code[0].contents)}"
    assert code[0].file is not None
    assert code[0].file.endswith("kmalloc.c")
    contents = guest.ram.read(guest.kernel.physical(start), 3 * 15)
    assert contents.startswith(b"".join(one.contents for one in code))
    assert "struct page {" in debugger.console("ptype struct page")
    assert debugger.command("-data-evaluate-expression 2")["value"] == "2"
    assert debugger.running


def test_memory_is_read_and_written_by_virtual_address(
    guest: DebuggedGuest, debugger: Debugger
) -> None:
    address = guest.monitor.kmalloc(size=4096)
    data = bytes(range(256)) * 16
    debugger.write_memory(address, data)
    assert debugger.read_memory(address, len(data)) == data
    with guest.paused():
        physical = guest.translate(address)
    assert physical is not None
    assert guest.ram.read(physical, 16) == data[:16]
    with pytest.raises(GdbRefused, match="0x10"):
        debugger.read_memory(0x10, 4)
    with pytest.raises(GdbRefused):
        debugger.write_memory(0x10, b"1234")


def test_a_variable_can_be_set(guest: DebuggedGuest, debugger: Debugger) -> None:
    debugger.evaluate("kmalloc_statistics.failures = 77")
    symbol = guest.kernel.symbol("kmalloc_statistics")
    offset = debugger.evaluate("(int)&((struct kmalloc_statistics *)0)->failures")
    assert isinstance(offset, int)
    data = guest.ram.read(guest.kernel.physical(symbol) + offset, 4)
    assert int.from_bytes(data, "little") == 77


def test_locals_are_told_when_asked_for(guest: DebuggedGuest, debugger: Debugger) -> None:
    debugger.break_at("back_pages", temporary=True)
    type_in(guest, "kmalloc 5000")
    debugger.run()
    caller = next(one for one in debugger.backtrace(with_locals=True) if one.function == "kmalloc")
    assert caller.locals["pages"] == debugger.evaluate("pages", frame=caller.level)
    assert debugger.backtrace()[caller.level].locals == {}
    with pytest.raises(GdbRefused, match="there is no frame 99"):
        debugger.evaluate("1", frame=99)
    assert re.match(r"0x[0-9a-f]{8} kmalloc\(size=\S.*\) \(.*kmalloc\.c:\d+\)$", str(caller))
