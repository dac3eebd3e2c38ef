"""What the suites about the heaps of sub-blocks share."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kernel.session import Session

SUBBLOCK = 32
"""Bytes of a sub-block."""
OLD, NEW = "subblock-old", "subblock"


@dataclass(frozen=True)
class Heap:
    """One of the heaps, by its commands on the console."""

    session: Session
    command: str = "heap"

    def alloc(self, size: int) -> int:
        """Allocate; return the virtual address."""
        return self.session.ok(f"{self.command} alloc {size}").number("virtual")

    def full(self, size: int) -> None:
        """See that there is no room for so many bytes."""
        assert self.session.error(f"{self.command} alloc {size}") == "memory"

    def free(self, *addresses: int) -> None:
        """Free blocks in the order given."""
        for address in addresses:
            self.session.ok(f"{self.command} free {address:#x}")

    def wrong(self, address: int) -> str:
        """Return what the heap has against freeing an address."""
        answer = self.session.guest.monitor.command(f"{self.command} check {address:#x}")
        assert not answer.ok
        return answer.text.removeprefix(f"state: {address:#010x}: ")

    def blocks(self, place: str = "subblock") -> list[tuple[int, int, int]]:
        """Return start, chunks and free sub-blocks of each block, in list order."""
        found: list[tuple[int, int, int]] = []
        while (answer := self.session.guest.monitor.command(f"{place} block {len(found)}")).ok:
            start, chunks, free = (answer.number(key) for key in ("virtual", "chunks", "free"))
            found.append((start, chunks, free))
        return found

    def counts(self, place: str = "subblock") -> dict[str, int]:
        """Return the heap's counters."""
        answer = self.session.ok(place)
        return {key: answer.number(key) for key in ("live", "used", "chunks", "failures", "spare")}
