"""C values as Python values: as the decoders read them, and bounded whatever is in memory."""

from __future__ import annotations

import numpy as np
import pytest

from harness.debug.debugger import Debugger
from harness.debug.guest import DebuggedGuest
from harness.debug.mi import GdbRefused
from harness.debug.values import Array, Bytes, Enumerator, Pointer, Struct, Unreadable

UNMAPPED = 0xA0000000
"""Of user space, in which nothing is when the monitor waits."""


def number(debugger: Debugger, expression: str) -> int:
    """Return the value of an expression that is a number or an address."""
    value = debugger.evaluate(expression)
    assert isinstance(value, int | Pointer)
    return int(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 1", 2),
        ("-1", -1),
        ("0xffffffffu", 0xFFFFFFFF),
        ("(unsigned long long)1 << 63", 1 << 63),
        ("(_Bool)2", True),
        ("'A'", 65),
        ("1.5", 1.5),
        ("1.0 / 0", "inf"),
        ("(void)0", None),
        ("(enum page_flag)PAGE_FREE", Enumerator("PAGE_FREE", 2, "")),
        ("(enum page_flag)200", Enumerator(None, 200, "")),
        ("(char *)0", Pointer(0, "char *")),
        ("$no_such_variable", None),
    ],
)
def test_scalars(expression: str, value: object, values_debugger: Debugger) -> None:
    found = values_debugger.evaluate(expression)
    assert found == value
    assert type(found) is type(value)


def test_kinds(values_debugger: Debugger, kernel_guest: DebuggedGuest) -> None:
    debugger, kernel = values_debugger, kernel_guest.kernel
    main = debugger.evaluate("kernel_main")
    assert isinstance(main, Pointer)
    assert (main.address, main.symbol) == (kernel.symbol("kernel_main"), "kernel_main")
    name = debugger.evaluate("presets[0].name")
    assert isinstance(name, Pointer)
    assert name.text == b"helios"
    assert debugger.evaluate(name.target) == ord("h")
    text = debugger.evaluate("heaps[0]->name")
    assert isinstance(text, Pointer)
    assert text.text == b"kmalloc"
    flags = debugger.evaluate("$eflags")
    assert flags == kernel_guest.registers().eflags


def test_structs_are_mappings_with_attributes(values_debugger: Debugger) -> None:
    zone = values_debugger.evaluate("zones[1]")
    assert isinstance(zone, Struct)
    assert zone["free_lists"] == zone.free_lists
    first = zone.free_lists[0]  # type: ignore[index]
    assert set(first) == {"next", "previous"}
    assert set(dict(zone)) == set(zone)
    assert "free_lists" in dir(zone)
    with pytest.raises(AttributeError, match="struct zone has no field 'nonsense'"):
        _ = zone.nonsense


def test_the_frame_table_is_what_the_decoder_reads(
    values_debugger: Debugger, kernel_guest: DebuggedGuest
) -> None:
    debugger = values_debugger
    table = kernel_guest.state().frame_table
    assert table is not None
    count = 300
    pages = debugger.evaluate(f"*mem_map@{count}", elements=count)
    assert isinstance(pages, Array)
    assert not pages.cut
    assert all(isinstance(page, Struct) for page in pages)
    for field, decoded in (("count", table.users), ("order", table.order), ("zone", table.zone)):
        values = [page[field] for page in pages]  # type: ignore[index,call-overload]
        # Where nothing is free the decoder tells no order.
        known = np.ones(count, bool) if field != "order" else table.free[:count]
        assert np.array_equal(np.array(values)[known], decoded[:count][known]), field
    free = debugger.evaluate("PAGE_FREE")
    assert isinstance(free, Enumerator)
    flags = np.array([page["flags"] for page in pages])  # type: ignore[index,call-overload]
    assert np.array_equal(flags == free.value, table.free[:count])
    assert table.free[:count].any()
    assert not table.free[:count].all()


def test_arrays_are_cut_and_say_so(values_debugger: Debugger) -> None:
    debugger = values_debugger
    whole = debugger.evaluate("window_table", elements=1024)
    assert isinstance(whole, Array)
    assert (len(whole), whole.length, whole.cut) == (1024, 1024, False)
    part = debugger.evaluate("window_table", elements=10)
    assert isinstance(part, Array)
    assert (part, part.length, part.cut) == (whole[:10], 1024, True)
    assert str(part).endswith("… 1024 in all}")
    stack = debugger.evaluate("double_fault_stack", elements=100)
    assert isinstance(stack, Bytes)
    assert (len(stack), stack.length, stack.cut) == (100, 4096, True)


def test_an_array_without_a_length_is_where_it_begins(
    values_debugger: Debugger, kernel_guest: DebuggedGuest
) -> None:
    page = values_debugger.evaluate("zero_page")
    assert isinstance(page, Pointer)
    assert (page.address, page.text) == (kernel_guest.kernel.symbol("zero_page"), b"")


def test_huge_values_are_bounded(values_debugger: Debugger) -> None:
    debugger = values_debugger
    value = debugger.evaluate("*(int (*)[100000][100000])mem_map")
    assert isinstance(value, Array)
    assert value.cut
    assert len(value) <= 256
    with pytest.raises(GdbRefused, match="more than max-value-size"):
        debugger.evaluate("*mem_map@100000000")
    with pytest.raises(GdbRefused):
        debugger.evaluate(f"*(char (*)[0x40000000]){UNMAPPED:#x}")
    assert isinstance(debugger.evaluate("1"), int)


def test_absent_memory_is_refused_or_marked(values_debugger: Debugger) -> None:
    debugger = values_debugger
    for absent in (f"*(struct page *){UNMAPPED:#x}", f"*(int *){UNMAPPED:#x}"):
        with pytest.raises(GdbRefused, match=f"Cannot access memory at address {UNMAPPED:#x}"):
            debugger.evaluate(absent)
    pointer = debugger.evaluate(f"(char *){UNMAPPED:#x}")
    assert pointer == Pointer(UNMAPPED, "char *")
    assert pointer.text is None  # type: ignore[union-attr]


def test_a_list_that_bites_its_tail_is_walked_step_by_step(guest: DebuggedGuest) -> None:
    """Nothing follows pointers by itself, so a cycle is what the caller makes of it."""
    debugger = guest.debugger
    guest.pause()
    head = number(debugger, "&zones[1].free_lists[10]")
    first = number(debugger, "zones[1].free_lists[10].next")
    debugger.write_memory(first, first.to_bytes(4, "little"))  # its next is itself
    node = debugger.evaluate(f"*(struct list_head *){head:#x}")
    for _ in range(5):
        assert isinstance(node, Struct)
        following = node.next
        assert isinstance(following, Pointer)
        assert following.address == first
        node = debugger.evaluate(following.target)
    assert isinstance(debugger.evaluate("zones"), Array)


def test_a_broken_stack_ends_the_backtrace(guest: DebuggedGuest) -> None:
    debugger = guest.debugger
    debugger.break_at("kmalloc")
    guest.console.send("kmalloc 1\r")
    debugger.run()
    debugger.next()
    whole = debugger.backtrace()
    for broken in (0, UNMAPPED, int(debugger.registers()["ebp"])):
        debugger.write_memory(debugger.registers()["ebp"], broken.to_bytes(4, "little"))
        frames = debugger.backtrace(limit=10)
        assert frames[0] == whole[0]
        assert 1 <= len(frames) <= 10
        assert all(not isinstance(one.address, Unreadable) for one in frames)
