"""The kernel's own records in words, for gdb's pretty-printers; by the description alone.

A description names C types and says in expressions over their members what they mean. gdb gives
the bytes of one such record, and the words are what those expressions are worth over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.c_syntax import ExpressionError, NoValue
from harness.decode.expression import Evaluator
from harness.image.c_type import CType, Kind
from harness.image.description import Description
from harness.image.errors import ImageError, UnknownName
from harness.image.kernel_image import KernelImage

_UNEVALUATED = (ExpressionError, NoValue, NotReadable, UnknownName, ImageError, ValueError)


@dataclass(frozen=True)
class Record:
    """A C type whose objects mean something."""

    type: str
    truths: tuple[tuple[str, str | None], ...] = ()
    """Words, and the expression that is true where they hold."""
    numbers: tuple[tuple[str, str | None], ...] = ()
    """Words for a number, and its expression."""
    zone: str | None = None
    """The expression for the index of a zone."""


@dataclass(frozen=True)
class Links:
    """The C type of a link of circular lists, and the members that lead on and back."""

    type: str
    next: str
    previous: str | None


@dataclass(frozen=True)
class Records:
    """Everything that a kernel's description says of C types."""

    kernel: KernelImage
    space: AddressSpace
    """Where expressions find the kernel's variables."""
    _found: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record in (*self._frame_elements(), *_described(self.kernel.description)):
            self._found.setdefault(record.type, record)

    @property
    def types(self) -> tuple[str, ...]:
        """The C types that have words."""
        return tuple(self._found)

    def for_gdb(self) -> dict[str, object]:
        """Return what gdb's side needs to know of them, as JSON values."""
        return {"records": list(self.types), "links": [asdict(one) for one in self.links()]}

    def words(self, type_: str, data: bytes) -> str:
        """Return what an object of a type is, by its bytes; empty when nothing can be said."""
        record = self._found.get(type_)
        try:
            layout = self.kernel.types.lookup(type_)
            rows = np.frombuffer(data, self.kernel.types.dtype(layout), count=1)
        except (*_UNEVALUATED, TypeError):
            return ""
        return "" if record is None else ", ".join(self._all_words(record, layout, rows))

    def _all_words(self, record: Record, layout: CType, rows: np.ndarray) -> Iterator[str]:
        for words, expression in record.truths:
            if self._number(expression, layout, rows):
                yield words
        for words, expression in record.numbers:
            number = self._number(expression, layout, rows)
            if number is not None:
                yield f"{words} {number}" if abs(number) < 0x10000 else f"{words} {number:#x}"
        zone = self._number(record.zone, layout, rows)
        zones = self.kernel.description.zones
        if zone is not None:
            yield f"zone {zones[zone].name if 0 <= zone < len(zones) else zone}"

    def _number(self, expression: str | None, layout: CType, rows: np.ndarray) -> int | None:
        """Return what an expression is worth over the record, None when it cannot be told."""
        if expression is None:
            return None
        try:
            evaluator = Evaluator(self.kernel, self.space)
            return int(evaluator.column(expression, rows, layout)[0])
        except _UNEVALUATED:
            return None

    def _frame_elements(self) -> Iterator[Record]:
        """Yield the frame table's element: its type is that of the array's elements."""
        table = self.kernel.description.frame_table
        if table is None:
            return
        try:
            array = Evaluator(self.kernel, self.space).locate(table.array).type.stripped
        except _UNEVALUATED:
            return
        if array.kind in (Kind.POINTER, Kind.ARRAY):
            flags = (("reserved", table.reserved), ("first of a free block", table.free))
            truths = (*table.owners.items(), *flags)
            numbers = (("order", table.order), ("users", table.users))
            yield Record(str(array.target), truths, numbers, table.zone)

    def links(self) -> tuple[Links, ...]:
        """Return the types of the links of the circular lists that are described."""
        found: dict[str, Links] = {}
        described = self.kernel.description
        elements = [record.type for record in self._frame_elements()]
        for node, link, following, previous in (*_free(described, elements), *_links(described)):
            try:
                type_ = self.kernel.types.lookup(node).member(link).type
            except UnknownName:
                continue
            found.setdefault(str(type_), Links(str(type_), following, previous))
        return tuple(found.values())


def _described(description: Description) -> Iterator[Record]:
    """Yield the records whose types the description names."""
    for lists in description.free_lists:
        if lists.node is not None:
            yield Record(lists.node, (("good", lists.magic),), (("order", lists.order),))
    for heap in description.heaps:
        yield Record(
            heap.area,
            (("used", heap.area_used),),
            (("start", heap.area_start), ("pages", heap.area_pages)),
        )
        if heap.header is not None:
            yield Record(heap.header, (("good", heap.magic),), (("size", heap.size),))
    for caches in description.caches:
        numbers = (("size", caches.size), ("capacity", caches.capacity), ("live", caches.live))
        yield Record(caches.cache, (), numbers)
        yield Record(caches.slab, (), (("in use", caches.in_use),))
    for large in description.large_blocks:
        yield Record(large.block, (), (("size", large.size), ("pages", large.pages)))
    for chain in description.header_chains:
        truths = (("used", chain.used), ("good", chain.magic))
        yield Record(chain.header, truths, (("size", chain.size),))
    if (spaces := description.address_spaces) is not None:
        yield Record(spaces.space, (), (("number", spaces.number), ("directory", spaces.directory)))
        of = spaces.regions
        yield Record(of.region, (), (("start", of.start), ("pages", of.pages)))


def _free(
    description: Description, elements: list[str]
) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield the same for the free lists whose links are members of the frame table's element."""
    for lists in description.free_lists:
        if lists.style == "circular" and lists.nodes == "frame_table" and lists.link is not None:
            for element in elements:
                yield element, lists.link, lists.next, lists.previous


def _links(description: Description) -> Iterable[tuple[str, str, str, str | None]]:
    """Yield node type, member that links, and the link's members of each circular list."""
    for heap in description.heaps:
        yield heap.area, heap.link, heap.next, heap.previous
    for caches in description.caches:
        yield caches.cache, caches.link, caches.next, caches.previous
    for large in description.large_blocks:
        yield large.block, large.link, large.next, large.previous
    if (spaces := description.address_spaces) is not None:
        yield spaces.space, spaces.link, spaces.next, spaces.previous
