"""Tapes: what they do, what they refuse, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.image.description import bundled_description
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath, MachineSpec, Module
from harness.workload.operation import Flag, Kind, Operations, Results, operation, operations
from harness.workload.pattern import pattern
from harness.workload.tape import Tape, TapeEnded, TapeError, tape_module
from harness.workload.tape_format import TapeFormat
from tests.kernel.session import MIB, PAGE, Session, booted

OPERATIONS, SLOTS = 256, 128
HIGH_START = 896 * MIB
FRAMES, FREE_FRAMES = Kind.FRAMES_ALLOC, Kind.FRAMES_FREE
HEAP, FREE_HEAP = Kind.HEAP_ALLOC, Kind.HEAP_FREE


def taped(kernel: KernelImage, pool: Pool, memory: int = 16 * MIB, **spec: Any) -> Any:
    """Boot with a small tape."""
    module = tape_module(kernel, OPERATIONS, SLOTS)
    return booted(kernel, pool, memory, **{"modules": (module,), **spec})


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with taped(kernel, pool) as session:
        yield session


def do(session: Session, *items: tuple[int, int, int, int, int]) -> Results:
    return Tape(session.guest).run(operations(items))


def held_frames(session: Session) -> list[int]:
    table = session.assert_sound().state.frame_table
    assert table is not None
    return np.flatnonzero(table.owners["held"]).tolist()


def test_frames_are_given_held_and_taken_back(session: Session) -> None:
    before = session.zone()
    physical = int(do(session, operation(FRAMES, 3, 4))["value"][0])
    assert physical % (4 * PAGE) == 0
    assert Tape(session.guest).live() == {3: physical}
    assert held_frames(session) == [physical // PAGE + i for i in range(4)]
    do(session, operation(FREE_FRAMES, 3, 4))
    assert Tape(session.guest).live() == {}
    assert held_frames(session) == []
    assert session.zone() == before


@pytest.mark.parametrize(
    ("flag", "frames"),
    [(Flag.DMA, range(16 * MIB)), (Flag.HIGH, range(HIGH_START, 1024 * MIB))],
)
def test_flags_say_where_frames_come_from(
    kernel: KernelImage, pool: Pool, flag: Flag, frames: range
) -> None:
    with taped(kernel, pool, 1024 * MIB) as session:
        assert do(session, operation(FRAMES, 0, 1, flag))["value"][0] in frames


def test_blocks_of_the_heap_are_the_heap_s(session: Session) -> None:
    virtual = do(session, operation(HEAP, 7, 5000))["value"][0]
    assert f"blocks=1 bytes=5000 frames={2}" in session.ok("heap").text
    session.ok(f"kfree {virtual:#x}")
    session.assert_sound()


@pytest.mark.parametrize("memory", [16 * MIB, 1024 * MIB])
def test_a_filled_block_of_frames_holds_its_slot_s_pattern(
    kernel: KernelImage, pool: Pool, memory: int
) -> None:
    with taped(kernel, pool, memory) as session:
        physical = int(do(session, operation(FRAMES, 5, 3, Flag.FILL | Flag.HIGH))["value"][0])
        assert (physical >= HIGH_START) == (memory > HIGH_START)
        # Three frames became four, and all of them are the caller's.
        assert session.guest.ram.read(physical, 4 * PAGE) == pattern(5, 4 * PAGE).tobytes()
        assert not do(session, operation(FREE_FRAMES, 5, 3, Flag.CHECK))["wrong"][0]


@pytest.mark.parametrize("size", [1, 3, 4, 4087, 10001])
def test_a_filled_block_of_bytes_holds_its_slot_s_pattern(session: Session, size: int) -> None:
    tape = Tape(session.guest)
    virtual = int(tape.run(operations([operation(HEAP, 9, size, Flag.FILL)]))["value"][0])
    expected = pattern(9, size)
    for offset in {0, size // 4 * 4 - 4, size - 4} & set(range(0, size - 3, 1)):
        word = session.touch(virtual + offset).value
        assert word == int.from_bytes(expected[offset : offset + 4].tobytes(), "little")
    assert not tape.run(operations([operation(FREE_HEAP, 9, 0, Flag.CHECK)]))["wrong"][0]


@pytest.mark.parametrize("memory", [16 * MIB, 1024 * MIB])
@pytest.mark.parametrize("offset", [0, 1, PAGE - 1, PAGE + 5, 2 * PAGE - 1])
def test_one_wrong_byte_in_frames_is_found(
    kernel: KernelImage, pool: Pool, memory: int, offset: int
) -> None:
    with taped(kernel, pool, memory) as session:
        tape, ram = Tape(session.guest), session.guest.ram
        flags = Flag.FILL | Flag.HIGH
        physical = int(tape.run(operations([operation(FRAMES, 2, 2, flags)]))["value"][0])
        byte = ram.read(physical + offset, 1)[0]
        ram.write(physical + offset, bytes([byte ^ 0x10]))
        result = tape.run(operations([operation(FREE_FRAMES, 2, 2, Flag.CHECK)]))[0]
        assert (result["value"], result["wrong"]) == (physical + offset, True)
        assert tape.live() == {}
        session.assert_sound()


@pytest.mark.parametrize("offset", [0, 3, 4, 95, 96, 98])
def test_one_wrong_byte_in_the_heap_is_found(session: Session, offset: int) -> None:
    tape = Tape(session.guest)
    virtual = int(tape.run(operations([operation(HEAP, 2, 99, Flag.FILL)]))["value"][0])
    session.ok(f"fill {virtual + offset:#x} 1 {pattern(2, 99)[offset] ^ 1}")
    result = tape.run(operations([operation(FREE_HEAP, 2, 0, Flag.CHECK)]))[0]
    assert (result["value"], result["wrong"]) == (virtual + offset, True)


def test_a_byte_behind_a_block_is_not_the_block_s(session: Session) -> None:
    tape = Tape(session.guest)
    virtual = int(tape.run(operations([operation(HEAP, 2, 99, Flag.FILL)]))["value"][0])
    session.ok(f"fill {virtual + 99:#x} 1 0")
    assert not tape.run(operations([operation(FREE_HEAP, 2, 0, Flag.CHECK)]))["wrong"][0]


def test_zeroed_frames_are_looked_at(session: Session) -> None:
    flags = Flag.ZERO | Flag.CHECK | Flag.FILL
    results = do(session, *(operation(FRAMES, slot, 8, flags) for slot in range(20)))
    assert (results["value"] != 0).all()
    assert not results["wrong"].any()


def test_an_allocation_that_fails_leaves_its_slot_empty(session: Session) -> None:
    results = do(
        session,
        operation(FRAMES, 0, 5000, Flag.FILL),
        operation(HEAP, 1, 0),
        operation(HEAP, 2, 0xFFFFFFFF, Flag.FILL),
        *(operation(kind, slot, 5000, Flag.CHECK) for slot, kind in enumerate([1, 3, 3])),
    )
    assert not results["value"].any()
    assert not results["wrong"].any()
    assert (results["ticks"][3:] == 0).all(), "a free of nothing is no operation"
    assert Tape(session.guest).live() == {}
    session.assert_sound()


def pairs(count: int) -> Operations:
    """Return ``count`` allocations of a frame, each freed at once."""
    kinds = (FRAMES, FREE_FRAMES)
    return operations(operation(kind, i % SLOTS, 1) for i in range(count) for kind in kinds)


def test_a_tape_longer_than_its_module_is_fed_in_pieces(session: Session) -> None:
    seen: list[int] = []
    results = Tape(session.guest).run(pairs(300), progress=seen.append)
    assert seen == [256, 512, 600]
    assert (results["value"][::2] != 0).all()
    assert not results["value"][1::2].any()
    session.assert_sound()


def test_slots_are_kept_from_run_to_run(session: Session) -> None:
    first = do(session, *(operation(FRAMES, slot, 1) for slot in range(100)))
    again = Tape(session.guest)
    assert again.live() == dict(enumerate(first["value"].tolist()))
    again.run(operations(operation(FREE_FRAMES, slot, 1) for slot in range(100)))
    assert again.live() == {}


def test_no_operations_are_none(session: Session) -> None:
    assert len(do(session)) == 0
    assert session.ok("tape run 0").number("operations") == 0


def test_a_machine_that_counts_instructions_says_what_calls_cost(
    kernel: KernelImage, pool: Pool
) -> None:
    with taped(kernel, pool, icount=True) as session:
        tape = Tape(session.guest)
        costs = [tape.run(pairs(3))["ticks"].tolist() for _ in range(3)]
        assert costs[1] == costs[2], "instructions are the same each time"
        assert min(costs[0]) > 0
        assert 0 < tape.overhead < 100
        filled = tape.run(operations([operation(FRAMES, 0, 64, Flag.FILL)]))["ticks"][0]
        assert filled < 64 * PAGE / 4, "filling is not part of the time"


def test_reading_the_counter_is_not_part_of_the_cost(kernel: KernelImage, pool: Pool) -> None:
    """Another space than the kernel's has no heap of its own: to see that takes a call or two.

    That is about as much as reading the counter around an empty call, and both together are more.
    """
    with taped(kernel, pool, icount=True) as session:
        tape = Tape(session.guest)
        there = operation(Kind.SPACE_CREATE, 0), operation(Kind.SPACE_SWITCH, 0)
        results = tape.run(operations([*there, operation(Kind.USER_HEAP_ALLOC, 1, 8)]))
        assert results["value"][2] == 0
        assert 0 < results["ticks"][2] < 2 * tape.overhead


def test_a_cpu_without_a_counter_tells_no_time(kernel: KernelImage, pool: Pool) -> None:
    with taped(kernel, pool, cpu="486") as session:
        results = do(session, operation(FRAMES, 0, 1), operation(FREE_FRAMES, 0, 1))
        assert results["value"][0]
        assert not results["ticks"].any()


@pytest.mark.parametrize(
    ("boot", "layout"),
    [
        (BootPath.DIRECT, "identity"),
        (BootPath.MULTIBOOT, "higher-half"),
        (BootPath.ISO, "higher-half"),
    ],
)
def test_the_tape_is_found_however_the_kernel_is_started(
    request: pytest.FixtureRequest, pool: Pool, boot: BootPath, layout: str
) -> None:
    name = "identity_kernel" if layout == "identity" else "kernel"
    kernel: KernelImage = request.getfixturevalue(name)
    other = Module(b"x" * 5000, "no tape at all")
    modules = (other, tape_module(kernel, 64, 64))
    with booted(kernel, pool, boot=boot, modules=modules) as session:
        flags = Flag.FILL | Flag.CHECK | Flag.ZERO
        results = do(session, operation(FRAMES, 0, 5, flags), operation(HEAP, 1, 5000, flags))
        assert results["value"].all()
        session.assert_sound()
        ends = (operation(FREE_FRAMES, 0, 5, Flag.CHECK), operation(FREE_HEAP, 1, 0, Flag.CHECK))
        assert not do(session, *ends)["wrong"].any()
        session.assert_sound()


def test_another_module_is_still_watched(kernel: KernelImage, pool: Pool) -> None:
    modules = (Module(bytes(5000), "tapes"), tape_module(kernel, 64, 64))
    with booted(kernel, pool, modules=modules) as session:
        place = next(p for p in session.guest.placements if p.name == "module 0")
        session.guest.ram.write(place.start + 7, b"!")
        kinds = [violation.kind for violation in session.inspect().violations]
        assert kinds == ["contents.boot-loader"]


def test_a_panic_says_at_which_operation(session: Session) -> None:
    tape = Tape(session.guest)
    alloc, free = operation(FRAMES, 0, 1), operation(FREE_FRAMES, 0, 2)
    items = [*pairs(200).tolist(), alloc, free, alloc]
    with pytest.raises(TapeEnded) as caught:
        tape.run(operations(items))
    assert caught.value.position == 401
    assert caught.value.ending.kind is EndingKind.PANIC
    assert "operation 401, frames_free(size=2, slot=0), ended the guest: panic" in str(caught.value)
    assert len(caught.value.results) == 401
    assert caught.value.results["value"][400]


def test_a_tape_that_takes_too_long_ends_with_its_place(session: Session) -> None:
    tape = Tape(session.guest)
    one = [operation(FRAMES, 0, 1024, Flag.FILL), operation(FREE_FRAMES, 0, 1024, Flag.CHECK)]
    with pytest.raises(TapeEnded) as caught:
        tape.run(operations(one * 128), timeout=0.02)
    assert caught.value.ending.kind is EndingKind.HANG
    assert 0 <= caught.value.position < 256


def test_a_slot_that_is_taken_ends_the_run(session: Session) -> None:
    with pytest.raises(TapeError, match="operation 1: slot 0 is taken"):
        do(session, operation(FRAMES, 0, 1), operation(HEAP, 0, 10))
    session.assert_sound()


def test_what_a_tape_cannot_hold_is_refused(kernel: KernelImage, session: Session) -> None:
    with pytest.raises(ValueError, match="operation 1: slot 128, and the tape has 128"):
        do(session, operation(FRAMES, 127, 1), operation(FRAMES, 128, 1))
    unknown = (255, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="operation 1: this kernel has no kind 255"):
        do(session, operation(FRAMES, 0, 1), unknown)
    with pytest.raises(ValueError, match="operation 0: this kernel has no flags 48"):
        do(session, operation(FRAMES, 0, 1, 0x30))
    assert Tape(session.guest).live() == {}


def test_the_kernel_refuses_before_anything_runs(kernel: KernelImage, session: Session) -> None:
    form, guest = TapeFormat.of(kernel), session.guest
    header = form.header.parse(guest.ram.read(tape_start(session), form.header.sizeof()))
    first = bytes(form.encode(operations([operation(FRAMES, 0, 1)])))

    def written(**members: int) -> str:
        wrong = np.frombuffer(first, form.operation).copy()
        for name, value in members.items():
            wrong[name] = value
        guest.ram.write(tape_start(session) + header.operations, first + wrong.tobytes())
        answer = guest.monitor.command("tape run 2")
        assert not answer.ok
        return answer.text

    assert written(kind=255) == "range: operation 1: there is no kind 255"
    assert written(slot=128) == "range: operation 1: slot 128, and there are 128"
    for count in (OPERATIONS + 1, 0xFFFFFFFF):
        answer = guest.monitor.command(f"tape run {count}")
        assert answer.text == f"range: {count} operations, and the tape has room for {OPERATIONS}"
    assert Tape(guest).live() == {}


def tape_start(session: Session) -> int:
    return next(p.start for p in session.guest.placements if p.name == "module 0")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"magic": 1}, "another magic"),
        ({"operation_capacity": 1 << 30}, "not inside"),
        ({"slot_capacity": 0xFFFFFFFF}, "not inside"),
        ({"operations": 0xFFFFFFF0}, "not inside"),
        ({"results": 4}, "not inside"),
        ({"slots": 41}, "not inside"),
    ],
)
def test_the_kernel_believes_no_header(
    kernel: KernelImage, session: Session, changes: dict[str, int], error: str
) -> None:
    write_header(kernel, session, changes)
    answer = session.guest.monitor.command("tape run 0")
    assert not answer.ok
    assert error in answer.text
    session.ok("version")


def write_header(kernel: KernelImage, session: Session, changes: dict[str, int]) -> None:
    form, ram = TapeFormat.of(kernel), session.guest.ram
    header = form.header.parse(ram.read(tape_start(session), form.header.sizeof()))
    ram.write(tape_start(session), form.header.build({**header, **changes}))


@pytest.mark.parametrize("length", [0, 1, 35])
def test_a_module_too_short_for_a_header(kernel: KernelImage, pool: Pool, length: int) -> None:
    with booted(kernel, pool, modules=(Module(bytes(length), "tape"),)) as session:
        said = session.guest.monitor.command("tape info").text
        assert said == "state: the tape is too short for its header, or not aligned"


@pytest.mark.parametrize("address", [0x400001, 0x3F000000])
def test_a_tape_where_it_cannot_be_used(kernel: KernelImage, pool: Pool, address: int) -> None:
    """Unaligned, or in high memory."""
    shape = BootInformationShape(module_addresses=(address,))
    with taped(kernel, pool, 1024 * MIB, shape=shape) as session:
        assert session.error("tape info") == "state"


def test_without_a_tape_there_is_none(kernel: KernelImage, pool: Pool) -> None:
    names = ("tapes", "videotape", "tape of mine", "taps", "tap", "")
    modules = tuple(Module(tape_module(kernel, 1, 1).data, name) for name in names)
    with booted(kernel, pool, modules=modules) as session:
        said = session.guest.monitor.command("tape run 1").text
        assert said == "state: no boot module is called tape"
        with pytest.raises(TapeError, match="no boot module is called 'tape'"):
            Tape(session.guest)


def test_a_kernel_without_tapes_has_none(kernel: KernelImage) -> None:
    bare = replace(kernel, description=replace(bundled_description(), tape=None))
    with pytest.raises(DescriptionError, match=r"no \[tape\]"):
        tape_module(bare)


def test_a_guest_that_does_not_do_as_told_is_found_out(kernel: KernelImage, pool: Pool) -> None:
    described = kernel.description
    assert described.tape is not None
    idle = replace(described, tape=replace(described.tape, run="tape info"))
    module = tape_module(kernel, 64, 64)
    spec = MachineSpec(replace(kernel, description=idle), 16 * MIB, modules=(module,))
    with pool.boot(spec) as guest:
        guest.run_until_ready()
        with pytest.raises(TapeError, match="has run 0 of 0 operations, and 1 were asked for"):
            Tape(guest).run(operations([operation(FRAMES, 0, 1)]))


@pytest.mark.parametrize("name", ["operation_capacity", "slot_capacity"])
def test_a_header_that_was_written_to_is_found_out(
    kernel: KernelImage, session: Session, name: str
) -> None:
    tape = Tape(session.guest)
    write_header(kernel, session, {name: 100})
    with pytest.raises(TapeError, match="not its to write"):
        tape.run(operations([operation(FRAMES, 0, 1)]))


@pytest.mark.parametrize("name", ["operations", "results", "slots"])
def test_an_array_outside_the_tape_is_found_out(
    kernel: KernelImage, session: Session, name: str
) -> None:
    write_header(kernel, session, {name: 0xFFFFFFF0})
    with pytest.raises(TapeError, match="not a tape's"):
        Tape(session.guest)


def test_usage(session: Session) -> None:
    assert session.error("tape") == "usage"
    assert session.error("tape run") == "usage"
    assert session.error("tape run all") == "usage"
    assert session.error("tape info 1") == "usage"
    assert session.ok("tape info").number("operations") == OPERATIONS
