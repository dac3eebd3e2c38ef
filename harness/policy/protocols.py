"""What a policy can be asked, by those who compare it with an allocator."""

from __future__ import annotations

from typing import Protocol


class FramePolicy(Protocol):
    """What an allocator of frames must return."""

    def alloc(self, flags: int, pages: int) -> int:
        """Take ``pages`` contiguous frames; return their physical address, 0 on failure.

        ``flags`` are those of ``harness.workload.operation``: DMA, NORMAL, HIGH, ZERO.
        """
        ...

    def free(self, address: int, pages: int) -> None:
        """Give back what :meth:`alloc` gave for so many pages."""
        ...


class HeapPolicy(Protocol):
    """What a heap must return."""

    def alloc(self, size: int) -> int:
        """Take a block of ``size`` bytes; return its virtual address, 0 on failure."""
        ...

    def free(self, address: int) -> None:
        """Give back what :meth:`alloc` gave."""
        ...
