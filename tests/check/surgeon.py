"""Writing one wrong thing into a paused, correct guest, and taking it back.

Places are found through the kernel's symbols and DWARF, not through the decoders under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.image.kernel_image import KernelImage
from harness.ram.protocol import Ram
from tests.kernel.layouts import Layout, layout_of

PAGE = 4096


@dataclass
class Surgeon:
    """A guest's RAM with names; every write is undone by :meth:`heal`."""

    kernel: KernelImage
    ram: Ram
    root: int
    """Physical address of the page directory."""
    undo: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        """Where the kernel has what."""
        return layout_of(self.kernel)

    @property
    def base(self) -> int:
        """Virtual address of physical 0 in the direct map."""
        return self.layout.base

    def word(self, physical: int) -> int:
        """Return the 32-bit word at a physical address."""
        return int.from_bytes(self.ram.read(physical, 4), "little")

    def write(self, physical: int, value: int, size: int = 4) -> None:
        """Write an unsigned integer to a physical address."""
        self.undo.append((physical, self.ram.read(physical, size)))
        self.ram.write(physical, (value % (1 << 8 * size)).to_bytes(size, "little"))

    def heal(self) -> None:
        """Put back everything that was written."""
        while self.undo:
            self.ram.write(*self.undo.pop())

    def variable(self, name: str) -> int:
        """Return the physical address of a variable of the kernel's image."""
        return self.kernel.types.variable(name)[0] - self.base

    def pointer(self, name: str) -> int:
        """Return the physical address to which a pointer variable points in the direct map."""
        return self.word(self.variable(name)) - self.base

    def frame_at(self, name: str) -> int:
        """Return the frame to which a pointer variable points in the direct map."""
        return self.pointer(name) // PAGE

    def member(self, struct: str, *path: str) -> int:
        """Return the offset in bytes of a member of a struct."""
        type_, offset = self.kernel.types.lookup(struct), 0
        for name in path:
            found = type_.member(name)
            offset, type_ = offset + found.offset, found.type
        return offset

    def size(self, name: str) -> int:
        """Return the size of a type in bytes."""
        return self.kernel.types.lookup(name).size

    def enumerator(self, name: str) -> int:
        """Return the value of an enumeration constant."""
        value = self.kernel.types.enumerator(name)
        assert value is not None
        return value

    def page(self, frame: int, member: str) -> int:
        """Return the physical address of a member of a frame's ``struct page``."""
        table = self.pointer("mem_map")
        return table + frame * self.size("struct page") + self.member("struct page", member)

    def flip_flag(self, frame: int, name: str) -> None:
        """Flip one of a frame's flags."""
        where = self.page(frame, "flags")
        self.write(where, self.ram.read(where, 1)[0] ^ self.enumerator(name), 1)

    def zone(self, index: int, member: str, element: int = 0, width: int = 4) -> int:
        """Return the physical address of (an element of) a member of ``zones[index]``."""
        start = self.variable("zones") + index * self.size("struct zone")
        return start + self.member("struct zone", member) + element * width

    def add(self, physical: int, amount: int) -> None:
        """Add to a 32-bit counter."""
        self.write(physical, self.word(physical) + amount)

    def entry(self, virtual: int) -> int:
        """Return the physical address of the entry that maps a virtual address (no PAE)."""
        directory = self.root + (virtual >> 22) * 4
        value = self.word(directory)
        if not value & 1 or value & 0x80:
            return directory
        return (value & ~0xFFF) + (virtual >> 12 & 0x3FF) * 4

    def physical(self, virtual: int) -> int:
        """Translate by hand (no PAE)."""
        where = self.entry(virtual)
        value = self.word(where)
        assert value & 1, f"virtual 0x{virtual:x} is not mapped"
        page = 22 if where < self.root + PAGE and where >= self.root else 12
        return (value >> page << page) + virtual % (1 << page)

    def list_head(self, zone: int, order: int) -> int:
        """Return the physical address of a free list's head."""
        return self.zone(zone, "free_lists", order, self.size("struct list_head"))

    def first_area(self, used: bool) -> int:
        """Return the physical address of the first used or free ``struct area``."""
        wanted = self.enumerator("AREA_USED" if used else "AREA_FREE")
        node = self.word(self.variable("areas"))
        while True:
            area = self.physical(node) - self.member("struct area", "list")
            if self.word(area + self.member("struct area", "state")) == wanted:
                return area
            node = self.word(area + self.member("struct area", "list"))

    def longest_list(self, zone: int) -> int:
        """Return the highest order whose free list in a zone is not empty."""
        for order in range(self.enumerator("MAX_ORDER"), -1, -1):
            if self.word(self.zone(zone, "free_blocks", order)):
                return order
        raise AssertionError(f"zone {zone} is empty")

    def free_frame(self, zone: int) -> tuple[int, int]:
        """Return the first frame and the order of the first block of the longest list."""
        order = self.longest_list(zone)
        node = self.word(self.list_head(zone, order)) - self.member("struct page", "list")
        table = self.word(self.variable("mem_map"))
        return (node - table) // self.size("struct page"), order
