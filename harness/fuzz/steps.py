"""Operations on a memory manager as part of a case: what is taken, used and given back.

Whoever uses an allocator wrongly must expect a panic. So steps are kept sound: see
:mod:`harness.fuzz.sound`. What only a kernel that has booted can say of them comes when they are
carried out: see :mod:`harness.fuzz.settle`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

from harness.fuzz.case import Step
from harness.fuzz.sound import FREED_BY, sound
from harness.workload.operation import Flag, Kind, operation

SLOTS = 24
MOST_STEPS = 64
MOST_CACHES = 8
LARGEST_FILLED = 1 << 17
"""Bytes of a block that is filled with a pattern: it takes the guest's time."""
_ZONES = (0, Flag.DMA, Flag.NORMAL, Flag.HIGH, Flag.DMA | Flag.NORMAL)
_CONTENTS = (Flag.FILL, Flag.FILL, Flag.ZERO | Flag.CHECK, 0)
_PAGE = 4096
_WORDS = 1 << 32
"""Values of a size."""
_FRAMES = (1, 1, 1, 2, 3, 4, 5, 7, 8, 16, 64, 512, 1023, 1024)
_MANY_FRAMES = (1025, 2048, 4096, 8192, 12000, 0, 1 << 20, _WORDS // 2, _WORDS - 1)
"""More than a buddy allocator gives, as much as there may be, and what nobody has."""
_PAGES = (1, 1, 2, 3, 8, 1023, 1024, 1025, 0, 1 << 18, 1 << 19, (3 << 18) - 1, 3 << 18, _WORDS - 1)

_SLABS = (Kind.SLAB_GROW, Kind.SLAB_REAP)
_TOUCHES = (Kind.TOUCH_READ, Kind.TOUCH_WRITE)
_FREED = tuple(FREED_BY.values())
_THEMES = (
    (Kind.FRAMES_ALLOC,),
    (Kind.HEAP_ALLOC,),
    (Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC),
    (Kind.SLAB_ALLOC, *_SLABS),
    (Kind.HEAP_ALLOC, Kind.SLAB_ALLOC, *_SLABS),
    (Kind.USER_ALLOC, *_TOUCHES),
    (Kind.USER_ALLOC, Kind.TOUCH_WRITE, Kind.SPACE_CREATE, Kind.SPACE_SWITCH),
    (Kind.USER_HEAP_ALLOC,),
    (Kind.SPACE_CREATE, Kind.SPACE_SWITCH, Kind.HEAP_ALLOC, Kind.USER_ALLOC, Kind.TOUCH_WRITE),
)
_BY_A_POLICY = (
    frozenset({Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC, Kind.SLAB_ALLOC, *_SLABS, *_FREED}),
    frozenset({Kind.USER_ALLOC, Kind.SPACE_CREATE, Kind.SPACE_SWITCH, *_TOUCHES, *_FREED}),
)
"""Of a tape with kinds of both, and of others, no policy knows all results."""


def _go_together(present: Collection[int], theme: Collection[Kind]) -> bool:
    return any(known.issuperset((*present, *theme)) for known in _BY_A_POLICY)


def change_steps(
    steps: Sequence[Step], random: Random, kinds: Collection[Kind] = frozenset(Kind)
) -> tuple[Step, ...]:
    """Return other steps: more of them, fewer, in another order, or new ones of these kinds."""
    changed = list(steps)
    way = random.randrange(6)
    if way == 0 and len(changed) > 1:
        start = random.randrange(len(changed))
        del changed[start : start + random.randint(1, 8)]
    elif way == 1 and changed:
        start = random.randrange(len(changed))
        piece = changed[start : start + random.randint(1, 16)]
        at = random.randint(0, len(changed))
        changed[at:at] = piece
    elif way == 2 and changed:
        at = random.randrange(len(changed))
        changed[at] = _other(changed[at], random)
    elif way == 3:
        changed = _burst(random, kinds)
    else:
        at = random.randint(0, len(changed))
        changed[at:at] = _burst(random, kinds, {step[0] for step in changed})
    return sound(changed[:MOST_STEPS])


def _burst(
    random: Random, kinds: Collection[Kind], present: Collection[int] = frozenset()
) -> list[Step]:
    """Return some steps on one theme; most of the time one that goes with what is ``present``."""
    themes = [known for theme in _THEMES if (known := [kind for kind in theme if kind in kinds])]
    alike = [theme for theme in themes if _go_together(present, theme)]
    if not themes:
        return []
    theme = random.choice(alike if alike and random.random() < 0.85 else themes)
    slots, frees = random.choice((4, 8, SLOTS)), random.choice((0.1, 0.3, 0.5))
    return [_step(random, theme, slots, frees) for _ in range(random.randint(1, SLOTS))]


def _step(random: Random, theme: Sequence[Kind], slots: int, frees: float) -> Step:
    kind, slot = random.choice(theme), random.randrange(slots)
    if kind in FREED_BY and random.random() < frees:
        return operation(FREED_BY[kind], slot)
    return _OF_KIND[kind](kind, slot, random)


def _other(step: Step, random: Random) -> Step:
    """Return the step with another size, flags and whatever else there is to its kind."""
    kind = Kind(step[0])
    return _OF_KIND[kind](kind, step[3], random) if kind in _OF_KIND else step


def _frames(kind: Kind, slot: int, random: Random) -> Step:
    zone = random.choice(_ZONES)
    if random.random() < 0.12:
        return operation(kind, slot, random.choice(_MANY_FRAMES), zone)
    return operation(kind, slot, random.choice(_FRAMES), zone | random.choice(_CONTENTS))


def _bytes(kind: Kind, slot: int, random: Random) -> Step:
    chance = random.random()
    if chance < 0.07:
        return operation(kind, slot, 0)
    if chance < 0.2:
        return operation(kind, slot, _extreme(random))
    size = 1 << random.randint(3, random.choice((9, 17)))  # more small ones, as kernels ask for
    near = max(0, size + random.choice((0, 1, 1, -1, random.randint(-17, 17))))
    fills = near <= LARGEST_FILLED and random.random() < 0.6
    return operation(kind, slot, near, Flag.FILL if fills else 0)


def _extreme(random: Random) -> int:
    """Return nearly 4 GiB or half of that, or what may be all memory."""
    much = 1 << random.randint(18, 26)
    near = random.choice((_WORDS, _WORDS, _WORDS // 2, much, much, much))
    return (near - random.choice((0, 1, 7, 8, 16, 32, 4095, 4096, 4104))) % _WORDS


def _user_bytes(kind: Kind, slot: int, random: Random) -> Step:
    # Without contents: a page that is filled when no frame is left is the end, by design.
    return operation(kind, slot, 1 << random.randint(3, 17))


def _pages(kind: Kind, slot: int, random: Random) -> Step:
    return operation(kind, slot, random.choice(_PAGES))


def _touch(kind: Kind, slot: int, random: Random) -> Step:
    page = random.choice((0, 0, 1, 2, 3, 1022, 1023, 1024, random.randrange(16)))
    word = random.choice((0, 4, 2048, 4092))
    return operation(kind, 0, page * _PAGE + word, cache=random.randrange(1 << 16))


def _cache(kind: Kind, slot: int, random: Random) -> Step:
    cache = random.choice((0, 0, random.randrange(MOST_CACHES)))
    filled = kind is Kind.SLAB_ALLOC and random.random() < 0.5
    return operation(kind, slot, 0, Flag.FILL if filled else 0, cache)


def _plain(kind: Kind, slot: int, random: Random) -> Step:
    return operation(kind, slot)


_OF_KIND: dict[Kind, Callable[[Kind, int, Random], Step]] = {
    Kind.FRAMES_ALLOC: _frames,
    Kind.HEAP_ALLOC: _bytes,
    Kind.USER_HEAP_ALLOC: _user_bytes,
    Kind.USER_ALLOC: _pages,
    Kind.TOUCH_READ: _touch,
    Kind.TOUCH_WRITE: _touch,
    Kind.SLAB_ALLOC: _cache,
    Kind.SLAB_GROW: _cache,
    Kind.SLAB_REAP: _cache,
    Kind.SPACE_CREATE: _plain,
    Kind.SPACE_SWITCH: _plain,
}
