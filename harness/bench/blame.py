"""How long it takes to say who wrote a word."""

from __future__ import annotations

from harness.bench.measurement import Measurement, seconds_of
from harness.debug.blame import MOST, blame
from harness.debug.course import Course, record_course
from harness.debug.history import WORD
from harness.debug.stores import StoreTable
from harness.decode.belief.paging import FRAME_SIZE
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.recording import Recording, replay, run_to
from harness.machine.spec import MachineSpec

MEMORY = 64 << 20
_ROUNDS = 3


def measure(kernel: KernelImage) -> list[Measurement]:
    """Time a boot and the blame of its word that was written most often, up to a thousand times.

    The word is one of the page that the kernel's stack is in.
    """
    spec = MachineSpec(kernel, MEMORY)
    recording, page = record_course(spec, Course(), _stack_page)
    word, writes = _busiest(recording, page)

    def whole() -> None:
        again, _ = record_course(spec, Course(), _stack_page)
        found = blame(again, [word]).histories[0]
        assert len(found.writes) == writes

    seconds = min(seconds_of(whole) for _ in range(_ROUNDS))
    details = {"writes": float(writes)}
    return [Measurement("blame_seconds", seconds, "s", 2.0, False, details)]


def _stack_page(guest: Guest) -> int:
    """Return the physical address of the page that the stack pointer is in."""
    physical = guest.translate(guest.registers().esp)
    assert physical is not None
    return physical // FRAME_SIZE * FRAME_SIZE


def _busiest(recording: Recording, page: int) -> tuple[int, int]:
    """Return the word of a page with the most stores up to ``MOST``, and how many these are."""
    words = range(page, page + FRAME_SIZE, WORD)
    with StoreTable(words, 1) as table, replay(recording, table.extra) as guest:
        table.clear()
        run_to(guest, recording.length)
        totals = [table.total(index) for index in range(table.words)]
    writes = max(total for total in totals if total <= MOST)
    return words[totals.index(writes)], writes
