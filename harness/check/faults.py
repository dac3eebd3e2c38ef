"""Every place where guest memory was not what its description says, of a whole state."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decode.belief.fault import DecodeFault
from harness.decode.state import MemoryState


def every_fault(state: MemoryState) -> Iterator[DecodeFault]:
    """Yield the state's own faults, then those of each of its structures."""
    yield from state.faults
    yield from state.page_tables.faults
    for structures in (
        state.free_lists,
        state.pair_maps,
        state.heaps,
        state.subblock_heaps,
        state.caches,
        state.large_blocks,
        state.header_chains,
    ):
        for structure in structures:
            yield from structure.faults
    if state.address_spaces is not None:
        yield from state.address_spaces.faults
