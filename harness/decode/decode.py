"""Everything that a kernel's description names, decoded out of guest RAM."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import FrameTable, Held
from harness.decode.belief.paging import FRAME_SIZE, ControlRegisters, PageTables
from harness.decode.belief.spaces import AddressSpaces
from harness.decode.bitmap import decode_bitmap
from harness.decode.bump import decode_bump
from harness.decode.context import Context, DescriptionMismatch, Undecodable, fault_of
from harness.decode.expression import Evaluator, ExpressionError, NoValue
from harness.decode.firmware_map import decode_firmware_map
from harness.decode.frame_table import Frames, decode_frame_table, read_frames
from harness.decode.free_lists import decode_free_lists
from harness.decode.header_chain import decode_header_chain
from harness.decode.heap import decode_heap
from harness.decode.heap_bytes import bytes_of_areas, bytes_of_large_blocks, bytes_of_slabs
from harness.decode.held import decode_held
from harness.decode.large_blocks import decode_large_blocks
from harness.decode.metadata import decode_metadata
from harness.decode.page_tables import decode_page_tables
from harness.decode.pair_map import decode_pair_map
from harness.decode.root import registers_at_root
from harness.decode.slab import decode_caches
from harness.decode.spaces import decode_spaces
from harness.decode.state import MemoryState
from harness.decode.subblock import decode_subblock_heap
from harness.decode.subblock_map import bytes_of_subblocks
from harness.image.errors import UnknownName
from harness.image.kernel_image import KernelImage
from harness.image.position import position
from harness.ram.protocol import Ram

READY = "ready"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Choosable(_Named, Protocol):
    @property
    def chosen(self) -> str | None: ...


D = TypeVar("D", bound=_Named)
C = TypeVar("C", bound=_Choosable)
S = TypeVar("S")
T = TypeVar("T")


def decode(
    ram: Ram, registers: ControlRegisters, kernel: KernelImage, moment: str = READY
) -> MemoryState:
    """Decode a paused guest's memory manager; nothing in the result depends on the guest any more.

    At other moments than ``ready`` there are only the page tables, the bitmaps, the bump
    allocators, and the records that were taken before there was a frame allocator: the rest has
    not come into being.

    What guest memory contradicts becomes a :class:`DecodeFault` of the structure, or of the state
    when nothing of it could be decoded. Raise :class:`DescriptionMismatch` when the description
    does not fit the kernel.
    """
    tables = decode_page_tables(ram, registers)
    space = AddressSpace(ram, tables)
    context = Context(ram, kernel, space, Evaluator(kernel, space))
    description = kernel.description
    faults: list[DecodeFault] = []
    if description.page_tables.root is not None:
        at_root = _tables_at_root(context, faults, registers)
        if at_root is not None:
            tables = at_root
            space = AddressSpace(ram, tables)
            context = Context(ram, kernel, space, Evaluator(kernel, space))

    def each(items: Iterable[D], what: Callable[[D], T | None]) -> tuple[T, ...]:
        found = (_attempt(context, faults, item.name, what, item) for item in items)
        return tuple(item for item in found if item is not None)

    def each_chosen(items: Iterable[C], what: Callable[[C], T]) -> tuple[T, ...]:
        return each(items, lambda d: what(d) if context.holds(d.chosen, otherwise=True) else None)

    bitmaps = each(description.bitmaps, lambda d: decode_bitmap(context, d, moment))
    bumps = each(description.bumps, lambda d: decode_bump(context, d, moment))
    if moment != READY:
        reserved = (d for d in description.metadata if d.reserved)
        metadata = each_chosen(reserved, lambda d: decode_metadata(context, d))
        return MemoryState(
            moment=moment,
            registers=registers,
            page_tables=tables,
            bitmaps=bitmaps,
            bumps=bumps,
            metadata=metadata,
            faults=tuple(faults),
        )
    frames, frame_table = _frame_table(context, faults)
    heaps = each_chosen(description.heaps, lambda d: decode_heap(context, d))
    caches = each_chosen(description.caches, lambda d: decode_caches(context, d))
    large = each_chosen(description.large_blocks, lambda d: decode_large_blocks(context, d))
    subblocks = each_chosen(description.subblock_heaps, lambda d: decode_subblock_heap(context, d))
    return MemoryState(
        moment=moment,
        registers=registers,
        page_tables=tables,
        zones=tuple(zone.end // FRAME_SIZE for zone in description.zones),
        firmware_map=_attempt(
            context,
            faults,
            "firmware map",
            lambda d: decode_firmware_map(context, d),
            description.firmware_map,
        ),
        bitmaps=bitmaps,
        bumps=bumps,
        frame_table=frame_table,
        held=_held(context, faults),
        free_lists=each_chosen(
            description.free_lists, lambda d: decode_free_lists(context, d, frames)
        ),
        pair_maps=each_chosen(description.pair_maps, lambda d: decode_pair_map(context, d)),
        heaps=heaps,
        subblock_heaps=subblocks,
        caches=caches,
        large_blocks=large,
        heap_bytes=(
            *(bytes_of_areas(heap) for heap in heaps if heap.header_size),
            *(bytes_of_slabs(one) for one in caches),
            *(bytes_of_large_blocks(one) for one in large),
            *(bytes_of_subblocks(one) for one in subblocks),
        ),
        header_chains=each_chosen(
            description.header_chains, lambda d: decode_header_chain(context, d)
        ),
        metadata=each_chosen(description.metadata, lambda d: decode_metadata(context, d)),
        address_spaces=_address_spaces(context, faults, registers),
        faults=tuple(faults),
    )


def _tables_at_root(
    context: Context, faults: list[DecodeFault], registers: ControlRegisters
) -> PageTables | None:
    """Return the page tables whose root is described: found in memory as CR3 maps it.

    None when that cannot be found, or is CR3 itself.
    """
    found = _attempt(
        context,
        faults,
        "page tables",
        lambda d: registers_at_root(context, d, registers),
        context.kernel.description.page_tables,
    )
    if found is None or found == registers:
        return None
    return decode_page_tables(context.ram, found)


def _frame_table(
    context: Context, faults: list[DecodeFault]
) -> tuple[Frames | None, FrameTable | None]:
    described = context.kernel.description.frame_table
    if described is None:
        return None, None
    name = "frame table"
    frames = _attempt(
        context,
        faults,
        name,
        lambda d: read_frames(context, d) if context.holds(d.chosen, otherwise=True) else None,
        described,
    )
    if frames is None:
        return None, None
    table = _attempt(
        context, faults, name, lambda d: decode_frame_table(context, d, frames), described
    )
    return frames, table


def _held(context: Context, faults: list[DecodeFault]) -> Held | None:
    described = context.kernel.description.held
    if described is None:
        return None
    return _attempt(
        context,
        faults,
        "held frames",
        lambda d: decode_held(context, d) if context.holds(d.chosen, otherwise=True) else None,
        described,
    )


def _address_spaces(
    context: Context, faults: list[DecodeFault], registers: ControlRegisters
) -> AddressSpaces | None:
    described = context.kernel.description.address_spaces
    if described is None:
        return None
    name = "address spaces"
    return _attempt(
        context, faults, name, lambda d: decode_spaces(context, d, registers), described
    )


def _attempt(
    context: Context, faults: list[DecodeFault], name: str, what: Callable[[S], T | None], item: S
) -> T | None:
    """Decode one structure; note what makes it undecodable."""
    try:
        return what(item)
    except (NotReadable, Undecodable, NoValue) as error:
        faults.append(fault_of(name, error))
        return None
    except (ExpressionError, UnknownName) as error:
        said = error.expression if isinstance(error, ExpressionError) else error.name
        where = position(context.kernel.description, item, said)
        raise DescriptionMismatch(f"{where}: {error}") from None
