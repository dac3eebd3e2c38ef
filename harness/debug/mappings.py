"""The virtual addresses of physical words, as far as a guest's tables tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.check.inspect import control_registers
from harness.decode.page_tables import decode_page_tables
from harness.machine.guest import Guest


def mappings_of(guest: Guest, words: Sequence[int]) -> set[int]:
    """Return every virtual address of ``words`` in a paused guest.

    Before it turned paging on each was its own address, and the image's are where it was linked.
    """
    mapped = decode_page_tables(guest.ram, control_registers(guest)).mappings
    found = set(words)
    for word in words:
        found.update(_in_image(guest, word))
        inside = (mapped["physical"] <= word) & (word - mapped["physical"] < mapped["size"])
        found.update((int(row["virtual"]) + word - int(row["physical"])) for row in mapped[inside])
    return {address for address in found if address < 1 << 32}


def _in_image(guest: Guest, word: int) -> Iterator[int]:
    for segment in guest.kernel.segments:
        if 0 <= word - segment.physical < segment.memory_size:
            yield word - segment.physical + segment.virtual
