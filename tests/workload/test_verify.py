"""Whole tapes verified: right ones, and guests that were tampered with between two pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness.check.findings import Findings
from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.policies import FRAME_POLICIES, HEAP_POLICIES
from harness.workload.left import check_contents
from harness.workload.operation import Flag, Kind, Operations, operation, operations
from harness.workload.tape import Tape, TapeError, tape_module
from harness.workload.tape_format import TapeFormat
from harness.workload.verify import TapeVerdict, verify_tape
from tests.check.surgeon import Surgeon
from tests.kernel.session import MIB, Session, booted

PIECE = 16
SLOTS = 64
FRAMES, FREE = Kind.FRAMES_ALLOC, Kind.FRAMES_FREE
BOTH = Flag.FILL | Flag.CHECK


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    module = tape_module(kernel, PIECE, SLOTS)
    with booted(kernel, pool, 32 * MIB, modules=(module,)) as session:
        yield session


def fill(slots: range, size: int = 1, kind: Kind = FRAMES) -> list[tuple[int, int, int, int, int]]:
    return [operation(kind, slot, size, BOTH) for slot in slots]


TAPE = operations([*fill(range(PIECE)), *fill(range(PIECE, 2 * PIECE))])
"""Two pieces."""


def verdict(
    session: Session, tape: Operations, between: Callable[[Surgeon], None] | None = None
) -> TapeVerdict:
    """Verify a tape; ``between`` is done to the guest's memory behind the first piece."""

    def progress(done: int) -> None:
        if done == PIECE and between is not None:
            between(surgeon(session))

    return verify_tape(session.guest, tape, progress)


def surgeon(session: Session) -> Surgeon:
    session.guest.pause()
    root = session.guest.registers().cr3
    session.guest.resume()
    return Surgeon(session.guest.kernel, session.guest.ram, root)


def kinds(verdict: TapeVerdict) -> set[str]:
    return {violation.kind for violation in verdict.violations}


def test_a_right_tape_is_right(session: Session) -> None:
    said = verdict(session, TAPE)
    assert said.violations == ()
    assert said.followed
    assert said.results["value"].all()


@pytest.mark.parametrize("heap", ["kmalloc", *sorted(set(HEAP_POLICIES) - {"kmalloc"})])
@pytest.mark.parametrize("frames", sorted(FRAME_POLICIES))
def test_random_tapes_of_every_design_are_right(
    kernel: KernelImage, pool: Pool, frames: str, heap: str
) -> None:
    """With blocks of the heap and callers' frames among each other, from the same allocator."""
    module = tape_module(kernel, 1024, 2 * SLOTS)
    append = f"frames={frames} heap={heap}"
    mixed = random_tape(FRAMES, 1000), random_tape(Kind.HEAP_ALLOC, 1000, SLOTS)
    tape = np.stack(mixed, axis=1).reshape(-1)
    with booted(kernel, pool, 32 * MIB, append=append, modules=(module,)) as session:
        said = verify_tape(session.guest, tape)
        assert said.violations == ()
        assert said.followed == (heap in HEAP_POLICIES)


def random_tape(kind: Kind, length: int, first_slot: int = 0) -> Operations:
    """Return random allocations and frees, of up to 9 frames or some pages of bytes."""
    choose = np.random.Generator(np.random.PCG64(1))
    most = 10 if kind is FRAMES else 10000
    live: dict[int, int] = {}
    items = []
    for slot, size in zip(
        choose.integers(first_slot, first_slot + SLOTS, length).tolist(),
        choose.integers(1, most, length).tolist(),
        strict=True,
    ):
        if slot in live:
            items.append(operation(Kind(kind + 1), slot, live.pop(slot), BOTH))
        else:
            live[slot] = size
            items.append(operation(kind, slot, size, BOTH))
    return operations(items)


def test_a_live_frame_that_is_given_again_is_seen_three_ways(session: Session) -> None:
    frames: list[int] = []

    def make_live_frame_free(surgeon: Surgeon) -> None:
        frames.append(Tape(session.guest).live()[3] >> 12)
        page = frames[0]
        table = surgeon.word(surgeon.variable("mem_map"))
        node = table + page * surgeon.size("struct page") + surgeon.member("struct page", "list")
        head = surgeon.list_head(zone(page), 0)
        link_front(surgeon, head, node)
        surgeon.write(surgeon.page(page, "count"), 0)
        surgeon.write(surgeon.page(page, "flags"), surgeon.enumerator("PAGE_FREE"), 1)
        surgeon.add(surgeon.zone(zone(page), "free_blocks", 0), 1)
        surgeon.add(surgeon.zone(zone(page), "free_frames"), 1)

    said = verdict(session, TAPE, make_live_frame_free)
    assert {"tape.overlap", "tape.policy", "tape.contents"} <= kinds(said)
    assert said.results["value"][PIECE] == frames[0] << 12


def zone(frame: int) -> int:
    return 0 if frame << 12 < 16 * MIB else 1


def link_front(surgeon: Surgeon, head: int, node: int) -> None:
    """Put a node (virtual) into the circular list whose head lies at a physical address."""
    direct_map = surgeon.base
    following = surgeon.word(head)
    surgeon.write(node - direct_map, following)
    surgeon.write(node - direct_map + 4, head + direct_map)
    surgeon.write(following - direct_map + 4, node)
    surgeon.write(head, node)


def test_another_order_of_the_free_list_is_against_the_policy(session: Session) -> None:
    def turn_around(surgeon: Surgeon) -> None:
        base, order = surgeon.base, surgeon.longest_list(1)
        head = surgeon.list_head(1, order)
        first = surgeon.word(head)
        second = surgeon.word(first - base)
        last = surgeon.word(head + 4)
        assert second != last
        # The first block goes to the back: everything is as sound as before.
        surgeon.write(head, second)
        surgeon.write(second - base + 4, head + base)
        surgeon.write(last - base, first)
        surgeon.write(first - base + 4, last)
        surgeon.write(first - base, head + base)
        surgeon.write(head + 4, first)

    large = operations(operation(FRAMES, slot, 1 if slot < PIECE else 1024) for slot in range(17))
    assert kinds(verdict(session, large, turn_around)) == {"tape.policy"}


def test_bytes_written_into_a_live_block_are_seen_at_the_end(session: Session) -> None:
    def scribble(surgeon: Surgeon) -> None:
        surgeon.write(Tape(session.guest).live()[5] + 77, 0, 1)

    said = verdict(session, TAPE, scribble)
    assert [violation.kind for violation in said.violations] == ["tape.contents"]
    assert "slot 5's block" in said.violations[0].message


def test_bytes_written_into_a_block_are_seen_when_it_is_freed(session: Session) -> None:
    def scribble(surgeon: Surgeon) -> None:
        surgeon.write(Tape(session.guest).live()[5] + 77, 0, 1)

    tape = operations([*fill(range(PIECE)), operation(FREE, 5, 1, BOTH)])
    said = verdict(session, tape, scribble)
    assert [violation.kind for violation in said.violations] == ["tape.contents"]
    assert "operation 16, frames_free(size=1, slot=5" in said.violations[0].message


def test_a_block_larger_than_what_is_compared_at_once(kernel: KernelImage, pool: Pool) -> None:
    module = tape_module(kernel, 1, 1)
    with booted(kernel, pool, 32 * MIB, modules=(module,)) as session:
        tape = operations([operation(Kind.HEAP_ALLOC, 0, 3 * MIB + 5, Flag.FILL)])
        said = verify_tape(session.guest, tape)
        assert said.violations == ()
        last = int(said.results["value"][0]) + 3 * MIB + 4
        session.ok(f"fill {last:#x} 1 0")
        session.guest.pause()
        findings = Findings("tape")
        state = inspect_guest(session.guest).state
        check_contents(findings, session.guest.ram, state, said.blocks)
        assert [violation.address for violation in findings.result()] == [last]


def test_a_heap_s_block_that_is_no_longer_mapped(session: Session) -> None:
    virtual: list[int] = []

    def unmap(surgeon: Surgeon) -> None:
        virtual.append(Tape(session.guest).live()[0])
        surgeon.write(surgeon.entry(virtual[0]), 0)

    tape = operations([*fill(range(PIECE), 100, Kind.HEAP_ALLOC), operation(FRAMES, 20, 1)])
    said = verdict(session, tape, unmap)
    contents = [v for v in said.violations if v.kind == "tape.contents"]
    assert len(contents) == 1
    assert (contents[0].address, contents[0].physical) == (virtual[0], False)


@pytest.mark.parametrize("held", [True, False])
def test_frames_whose_note_is_wrong(session: Session, held: bool) -> None:
    def flip(surgeon: Surgeon) -> None:
        frame = Tape(session.guest).live()[2] >> 12
        if not held:
            frame = surgeon.free_frame(1)[0] + 1
        surgeon.flip_flag(frame, "PAGE_HELD")

    assert "tape.held" in kinds(verdict(session, TAPE, flip))


@pytest.mark.parametrize("member", ["value", "size"])
def test_slots_that_were_written_to(session: Session, member: str) -> None:
    def scribble(surgeon: Surgeon) -> None:
        form = TapeFormat.of(session.guest.kernel)
        place = next(p.start for p in session.guest.placements if p.name == "module 0")
        header = form.header.parse(session.guest.ram.read(place, form.header.sizeof()))
        slot = place + header.slots + 3 * form.slot.itemsize
        surgeon.write(slot + surgeon.member("struct tape_slot", member), 0)

    wanted = {"value": "tape.slots", "size": "tape.held"}[member]
    assert wanted in kinds(verdict(session, TAPE, scribble))


def test_a_tape_in_the_middle_is_not_verified(session: Session) -> None:
    Tape(session.guest).run(operations([operation(FRAMES, 0, 1)]))
    with pytest.raises(TapeError, match="in use"):
        verify_tape(session.guest, TAPE)
