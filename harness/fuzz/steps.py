"""Operations on a memory manager as part of a case: frames and heap blocks, taken and given back.

Whoever uses an allocator wrongly must expect a panic. So steps are kept :func:`sound`: only what is
held is freed, as it was allocated.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from harness.fuzz.case import Step
from harness.workload.operation import Flag, Kind, operation

SLOTS = 24
MOST_STEPS = 64
_FREES = {Kind.FRAMES_ALLOC: Kind.FRAMES_FREE, Kind.HEAP_ALLOC: Kind.HEAP_FREE}
_ZONES = (0, Flag.DMA, Flag.NORMAL, Flag.HIGH, Flag.DMA | Flag.NORMAL)
_CONTENTS = (Flag.FILL, Flag.FILL, Flag.ZERO | Flag.CHECK, 0)
_PAGE = 4096


def change_steps(steps: Sequence[Step], random: Random) -> tuple[Step, ...]:
    """Return other steps: more of them, fewer, in another order, or new ones."""
    changed = list(steps)
    way = random.randrange(4)
    if way == 0 and len(changed) > 1:
        start = random.randrange(len(changed))
        del changed[start : start + random.randint(1, 8)]
    elif way == 1 and changed:
        start = random.randrange(len(changed))
        piece = changed[start : start + random.randint(1, 16)]
        at = random.randint(0, len(changed))
        changed[at:at] = piece
    else:
        at = random.randint(0, len(changed))
        changed[at:at] = [_step(random) for _ in range(random.randint(1, 24))]
    return sound(changed[:MOST_STEPS])


def _step(random: Random) -> Step:
    slot = random.randrange(SLOTS)
    kind = random.choice((Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC))
    if random.random() < 0.45:
        return operation(_FREES[kind], slot)
    if kind is Kind.FRAMES_ALLOC:
        size, zone = random.choice((1, 1, 2, 3, 4, 7, 8, 16, 64, 1024)), random.choice(_ZONES)
    else:
        near = random.choice((1, 16, 128, 1024, _PAGE, 2 * _PAGE, 1 << 17))
        return operation(
            kind, slot, max(1, near + random.randint(-17, 17)), random.choice((Flag.FILL, 0))
        )
    return operation(kind, slot, size, zone | random.choice(_CONTENTS))


def sound(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps without those that make no sense, and frees as their blocks want them.

    A slot that holds something takes nothing more; what holds nothing is not freed.
    """
    held: dict[int, Step] = {}
    kept: list[Step] = []
    for step in steps:
        kind, _, _, slot, _ = step
        if kind in _FREES:
            if slot not in held:
                held[slot] = step
                kept.append(step)
        elif slot in held:
            kept.append(_free(held.pop(slot)))
    return tuple(kept)


def _free(allocation: Step) -> Step:
    kind, flags, _, slot, size = allocation
    frames = kind == Kind.FRAMES_ALLOC
    return operation(
        _FREES[Kind(kind)], slot, size if frames else 0, Flag.CHECK if flags & Flag.FILL else 0
    )
