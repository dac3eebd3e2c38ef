"""The other way to make cases: strings of bytes, that Hypothesis makes values of.

A competitor of :mod:`harness.fuzz.mutator`, to be measured against it. ``fuzz_one_input`` turns a
byte string into the case that a strategy would have drawn; strings that showed something new are
kept, and changed as fuzzers of bytes do it ("havoc"), knowing nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.fuzz.attempt import Attempt
from harness.fuzz.borders import borders
from harness.fuzz.carries_out import kinds_of
from harness.fuzz.case import Case, Step
from harness.fuzz.corpus import RECENT, command_lines
from harness.fuzz.sound import FREED_BY, sound
from harness.fuzz.steps import LARGEST_FILLED, SLOTS
from harness.image.kernel_image import KernelImage
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, Module
from harness.maps.strategies import addresses, memory_maps
from harness.workload.operation import Flag, Kind, operation

LONGEST = 4096
"""Bytes of a string."""
_FRESH = 0.05
"""How often a string is made anew."""
_INTERESTING = (0, 1, 16, 32, 64, 100, 127, 128, 255)
_MOST_CHANGES = 6
_SIZES = (0, 1, 2, 3, 16, 17, 100, 1024, 4096, 4097, 1 << 17, 1 << 24, (1 << 32) - 8)


def cases(kernel: KernelImage, memory: int) -> st.SearchStrategy[Case]:
    """Return all that cases can be, with the borders that the mutator knows too."""
    places = borders(kernel, memory)
    lengths = st.sampled_from((0, 1, 4095, 4096, 4097)) | st.integers(0, 64 << 10)
    modules = st.builds(lambda length: Module(b"m" * length, ""), lengths)
    # Another size or CPU takes a new process: as seldom as the mutator takes one.
    sizes = [memory] * 240 + [size << 20 for size in (4, 8, 16, 32) if size << 20 < memory]
    return st.builds(
        Case,
        memory=st.sampled_from(sizes),
        map=memory_maps(memory, places),
        fill=st.builds(Fill, st.sampled_from(FillKind)),
        append=st.sampled_from(command_lines(kernel)),
        cpu=st.sampled_from(["qemu32"] * 240 + ["486", "pentium", "pentium3"]),
        modules=st.lists(modules, max_size=4).map(tuple),
        shape=_shapes(memory, places),
        steps=st.just(()) | st.lists(_steps(kernel), min_size=4, max_size=24).map(sound),
    )


def _shapes(memory: int, places: tuple[int, ...]) -> st.SearchStrategy[BootInformationShape]:
    near = addresses(places, memory).map(lambda address: address % memory)
    somewhere = st.none() | st.none() | st.none() | near
    sizes = st.sampled_from(((20,), (24,), (32,), (20, 24), (24, 20, 32), (21,)))
    flag = st.sampled_from((True, True, True, False))
    kib = st.none() | st.sampled_from((0, 639, 640, memory >> 10, 1 << 22))
    odd = st.builds(
        BootInformationShape,
        *(flag, flag, flag, flag, kib, kib, sizes),
        map_length=st.none() | st.integers(0, 24 * 64),
        map_address=somewhere,
        information_address=somewhere,
        command_line_address=somewhere,
        module_list_address=somewhere,
        module_addresses=st.lists(somewhere, max_size=4).map(tuple),
    )
    return st.just(BootInformationShape()) | odd


def _steps(kernel: KernelImage) -> st.SearchStrategy[Step]:
    known = [kind for kind in (*FREED_BY, *FREED_BY.values(), *Kind) if kind in kinds_of(kernel)]
    flags = st.sampled_from((0, Flag.FILL, Flag.ZERO | Flag.CHECK, Flag.DMA, Flag.HIGH))
    sizes = st.sampled_from(_SIZES) | st.integers(0, (1 << 32) - 1)
    slots = st.integers(0, 7) | st.integers(0, SLOTS - 1)
    return st.builds(_well_formed, st.sampled_from(known), slots, sizes, flags, st.integers(0, 7))


def _well_formed(kind: Kind, slot: int, size: int, flags: int, cache: int) -> Step:
    """Return an operation that a kernel must bear, as the mutator makes them."""
    if kind in (Kind.TOUCH_READ, Kind.TOUCH_WRITE):
        return operation(kind, 0, size & ~3, cache=cache)
    if kind is Kind.FRAMES_ALLOC:
        zones = Flag.DMA | Flag.NORMAL | Flag.HIGH
        return operation(kind, slot, size, flags if size <= 1024 else flags & zones)
    fills = kind in (Kind.HEAP_ALLOC, Kind.SLAB_ALLOC) and size <= LARGEST_FILLED
    return operation(kind, slot, size, flags & Flag.FILL if fills else 0, cache)


class Bytes:
    """A search with byte strings: cases one after another, and what is learnt from them."""

    def __init__(self, kernel: KernelImage, memory: int, seed: int) -> None:
        self._random = Random(seed)
        self._kept: list[bytes] = []
        self._features: set[str] = set()
        self._drawn: Case | None = None

        @settings(database=None)
        @given(cases(kernel, memory))
        def draw(case: Case) -> None:
            self._drawn = case

        self._draw: Callable[[bytes], bytes | None] = draw.hypothesis.fuzz_one_input  # type: ignore[attr-defined]
        self._string = b""

    def next_case(self) -> Case:
        """Return the next case; strings that mean none are passed over."""
        while True:
            read = self._draw(self._next_string())
            if read is not None and self._drawn is not None:
                self._string = bytes(read)
                return self._drawn

    def learn(self, attempted: Attempt) -> None:
        """Keep the last case's string when it showed something new."""
        if attempted.features - self._features:
            self._features |= attempted.features
            self._kept.append(self._string)

    def _next_string(self) -> bytes:
        random = self._random
        if not self._kept or random.random() < _FRESH:
            return random.randbytes(LONGEST)
        recent = self._kept[-RECENT:] if random.random() < 0.5 else self._kept
        string = bytearray(random.choice(recent))
        for _ in range(1 << random.randint(0, _MOST_CHANGES)):
            self._change(string)
        # What was drawn may want more bytes than before.
        return bytes(string[:LONGEST]) + random.randbytes(LONGEST)

    def _change(self, string: bytearray) -> None:
        """Flip, set, add to, insert, remove, copy, or splice some bytes."""
        random, way = self._random, self._random.randrange(7)
        at = random.randrange(len(string) + 1)
        length = random.choice((1, 1, 2, 4, 8, 16, 64))
        if way == 0 and at < len(string):
            string[at] ^= 1 << random.randrange(8)
        elif way == 1 and at < len(string):
            string[at] = random.choice(_INTERESTING)
        elif way == 2 and at < len(string):
            string[at] = (string[at] + random.randint(-35, 35)) % 256
        elif way == 3:
            string[at:at] = random.randbytes(length)
        elif way == 4:
            del string[at : at + length]
        elif way == 5:
            start = random.randrange(len(string) + 1)
            string[at:at] = string[start : start + length]
        else:
            other = random.choice(self._kept)
            start = random.randrange(len(other) + 1)
            string[at : at + length] = other[start : start + length]
