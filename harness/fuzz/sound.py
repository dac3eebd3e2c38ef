"""Which steps make sense one after another: no kernel is to blame for what others ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.fuzz.case import Step
from harness.workload.operation import Flag, Kind, operation

FREED_BY = {
    Kind.FRAMES_ALLOC: Kind.FRAMES_FREE,
    Kind.HEAP_ALLOC: Kind.HEAP_FREE,
    Kind.SLAB_ALLOC: Kind.SLAB_FREE,
    Kind.USER_ALLOC: Kind.USER_FREE,
    Kind.USER_HEAP_ALLOC: Kind.USER_HEAP_FREE,
    Kind.SPACE_CREATE: Kind.SPACE_DESTROY,
}
_FREES = frozenset(FREED_BY.values())
_OF_A_SPACE = frozenset({Kind.USER_ALLOC, Kind.USER_HEAP_ALLOC})
"""What can be given back in the address space alone in which it was taken."""
_KERNELS = None
"""The slot of the kernel's own address space."""


def sound(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps without those that make no sense, and frees as their blocks want them.

    A slot that holds something takes nothing more; what holds nothing is not freed. The address
    space that is in use is not destroyed; what was taken in one is given back there.
    """
    tape = _Tape()
    kept = (tape.take(step) for step in steps)
    return tuple(step for step in kept if step is not None)


@dataclass
class _Tape:
    """What holds what, as far as a tape has gone."""

    held: dict[int, Step] = field(default_factory=dict)
    """Slot → what filled it."""
    homes: dict[int, int | None] = field(default_factory=dict)
    """Slot → that of the address space in which it was filled."""
    space: int | None = _KERNELS
    lost: set[int] = field(default_factory=set)
    """Slots of what went with its address space: they are full for ever."""
    heap: bool = False
    """Whether the heap in user space was used: its records lie where touches would write."""

    def take(self, step: Step) -> Step | None:
        """Return the step as it may come next, None when it may not."""
        kind, slot = Kind(step[0]), step[3]
        if slot in self.lost:
            return None
        if kind in FREED_BY:
            return self._give(step, kind, slot)
        if kind in _FREES:
            return self._free(slot)
        if kind is Kind.SPACE_SWITCH:
            return self._switch(step, slot)
        return None if kind is Kind.TOUCH_WRITE and self.heap else step

    def _give(self, step: Step, kind: Kind, slot: int) -> Step | None:
        if slot in self.held or (kind is Kind.USER_HEAP_ALLOC and self.space is not _KERNELS):
            return None
        self.held[slot], self.homes[slot] = step, self.space
        self.heap |= kind is Kind.USER_HEAP_ALLOC
        return step

    def _free(self, slot: int) -> Step | None:
        if slot not in self.held or self.space == slot:
            return None
        kind = Kind(self.held[slot][0])
        if kind in _OF_A_SPACE and self.homes[slot] != self.space:
            return None
        if kind is Kind.SPACE_CREATE:
            self._lose(slot)
        return _free(self.held.pop(slot))

    def _lose(self, space: int) -> None:
        gone = {
            slot
            for slot, step in self.held.items()
            if Kind(step[0]) in _OF_A_SPACE and self.homes[slot] == space
        }
        self.lost |= gone

    def _switch(self, step: Step, slot: int) -> Step | None:
        if slot not in self.held:
            self.space = _KERNELS
        elif self.held[slot][0] == Kind.SPACE_CREATE:
            self.space = slot
        else:
            return None
        return step


def _free(allocation: Step) -> Step:
    kind, flags, cache, slot, size = allocation
    size = size if kind == Kind.FRAMES_ALLOC else 0
    check = Flag.CHECK if flags & Flag.FILL else 0
    return operation(FREED_BY[Kind(kind)], slot, size, check, cache)
