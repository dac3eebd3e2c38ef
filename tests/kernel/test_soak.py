"""Long random lives of a memory manager: sound at the end, and nothing lost."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from tests.kernel.layouts import HIGHER_HALF, IDENTITY
from tests.kernel.session import MIB, PAGE, Session, booted

pytestmark = pytest.mark.slow

OPERATIONS = 300


class Life:
    """Random operations on one guest, with a record of what is live."""

    def __init__(self, session: Session, seed: int) -> None:
        self.session = session
        self.choose = random.Random(seed)
        self.frames: dict[int, int] = {}
        """Physical address → order."""
        self.blocks: dict[int, tuple[int, int]] = {}
        """Virtual address → size and the CRC-32 of what was written."""
        self.pages: dict[int, int] = {}
        """Virtual address → physical address."""

    def live(self, operations: int) -> None:
        """Do so many operations, twice as often those that take as those that give."""
        takes = [self.alloc, self.kmalloc, self.map]
        gives = [self.free, self.kfree, self.unmap]
        for _ in range(operations):
            self.choose.choice(takes + takes + gives)()

    def die(self) -> None:
        """Give everything back, in a random order."""
        rest: list[Callable[[], None]] = []
        rest += [self.kfree] * len(self.blocks) + [self.unmap] * len(self.pages)
        self.choose.shuffle(rest)
        for give in rest + [self.free] * len(self.frames):
            give()

    def alloc(self) -> None:
        order = self.choose.choice([0, 0, 0, 1, 2, 3, 5, 8, 10])
        flags = self.choose.choice(["", "dma", "normal", "high", "zero", "high zero"])
        answer = self.session.guest.monitor.command(f"alloc {order} {flags}")
        if answer.ok:
            physical = answer.number("physical")
            assert physical not in self.frames
            self.frames[physical] = order

    def free(self) -> None:
        unmapped = [frame for frame in self.frames if frame not in self.pages.values()]
        if unmapped:
            frame = self.choose.choice(unmapped)
            self.session.free(frame, self.frames.pop(frame))

    def kmalloc(self) -> None:
        size = self.choose.choice([1, 100, 4088, 4089, 9000, 70000])
        answer = self.session.guest.monitor.command(f"kmalloc {size}")
        if answer.ok:
            block, byte = answer.number("virtual"), self.choose.randrange(256)
            self.session.ok(f"fill {block:#x} {size} {byte}")
            self.blocks[block] = size, zlib.crc32(bytes([byte]) * size)

    def kfree(self) -> None:
        if self.blocks:
            block = self.choose.choice(list(self.blocks))
            size, expected = self.blocks.pop(block)
            assert self.session.ok(f"sum {block:#x} {size}").number("crc32") == expected
            self.session.ok(f"kfree {block:#x}")

    def map(self) -> None:
        layout = self.session.layout
        last = layout.user.stop - 4 * MIB
        virtual = self.choose.choice([layout.some_user, layout.some_user + 4 * MIB, last])
        virtual += self.choose.randrange(1024) * PAGE
        if self.frames and virtual not in self.pages:
            frame = self.choose.choice(list(self.frames))
            flags = self.choose.choice(["", "rw", "rw user", "global"])
            if self.session.guest.monitor.command(f"map {virtual:#x} {frame:#x} {flags}").ok:
                self.pages[virtual] = frame
                seen = self.session.ok(f"peek {frame:#x}").number("value")
                assert self.session.touch(virtual).value == seen

    def unmap(self) -> None:
        if self.pages:
            virtual = self.choose.choice(list(self.pages))
            assert self.session.ok(f"unmap {virtual:#x}").number("physical") == self.pages.pop(
                virtual
            )
            assert self.session.touch(virtual).vector == 14


@pytest.mark.parametrize(
    ("mm_build", "memory", "cpu", "append", "seed"),
    [
        (HIGHER_HALF, 4 * MIB, "qemu32", "", 1),
        (IDENTITY, 24 * MIB, "qemu32", "tlb=full", 2),
        (HIGHER_HALF, 24 * MIB, "486", "", 3),
        (IDENTITY, 1024 * MIB, "qemu32", "", 4),
    ],
    indirect=["mm_build"],
)
def test_a_long_life_leaves_nothing_behind(
    kernel: KernelImage, pool: Pool, memory: int, cpu: str, append: str, seed: int
) -> None:
    with booted(kernel, pool, memory, cpu=cpu, append=append) as session:
        before = session.zone()
        life = Life(session, seed)
        life.live(OPERATIONS)
        assert life.frames
        assert life.blocks
        assert life.pages
        session.assert_sound()
        life.die()
        session.assert_sound()
        assert session.zone() == before
        assert session.ok("heap").text.startswith("heap=kmalloc blocks=0 bytes=0 frames=0")
