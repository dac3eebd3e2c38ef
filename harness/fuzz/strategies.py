"""Machines for Hypothesis: ``@given(machine_specs())`` on a test with the fixture ``boot``.

Needs the extra ``property``. What fails shrinks to a plain machine with few map entries and little
RAM. Most machines have the same size, CPU and fill, since a machine is only booted anew in
milliseconds by a process that fits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from harness.fuzz.borders import borders
from harness.fuzz.case import Case, Step
from harness.fuzz.corpus import CPUS, command_lines
from harness.fuzz.possible import why_impossible
from harness.fuzz.shrink import MEMORIES
from harness.fuzz.sound import sound
from harness.fuzz.steps import MOST_STEPS, SLOTS
from harness.image.kernel_image import KernelImage
from harness.machine.notation import DEFAULT_MEMORY
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, MachineSpec, Module
from harness.maps.region import FOUR_GIB, PAGE_SIZE
from harness.maps.strategies import NEAR, addresses, memory_maps
from harness.workload.operation import Flag, Kind, operation

MOST_MODULES = 4
MODULE_LENGTHS = (0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 20000, 64 << 10)
_CONTENTS = bytes(range(251)) * 512
"""A prime period, so that contents which have moved by pages differ."""
_SELDOM = 15
"""One in so many machines has another size, CPU or fill than most, and needs a new process."""

_kernel_under_test: ContextVar[KernelImage] = ContextVar("kernel under test")


@contextlib.contextmanager
def kernel_under_test(kernel: KernelImage) -> Iterator[None]:
    """Let strategies that were given no kernel take this one; the pytest plugin does, per test."""
    token = _kernel_under_test.set(kernel)
    try:
        yield
    finally:
        _kernel_under_test.reset(token)


@st.composite
def machine_specs(
    draw: st.DrawFn, kernel: KernelImage | None = None, memory: int = DEFAULT_MEMORY
) -> MachineSpec:
    """Return machines, on the direct path, as a boot loader could leave them behind.

    ``kernel`` is that of the test's fixture ``kernel`` if none is given; some have less RAM than
    ``memory`` bytes. Where the kernel's zones and its image end are among the places at which
    something happens. Raise :class:`hypothesis.errors.InvalidArgument` for a test without a kernel.
    """
    chosen = kernel or _kernel()
    return draw(_cases(chosen, memory, tapes=False)).spec(chosen)


@st.composite
def cases(draw: st.DrawFn, kernel: KernelImage | None = None, memory: int = DEFAULT_MEMORY) -> Case:
    """Return cases for :func:`harness.fuzz.attempt.attempt`: machines, and operations on them.

    Arguments as for :func:`machine_specs`. A kernel without tapes gets no operations.
    """
    chosen = kernel or _kernel()
    return draw(_cases(chosen, memory, tapes=chosen.description.tape is not None))


def _kernel() -> KernelImage:
    try:
        return _kernel_under_test.get()
    except LookupError:
        raise InvalidArgument(
            "no kernel for these machines: give one, or let the test take one of the fixtures "
            "boot, machine and kernel"
        ) from None


@lru_cache(maxsize=16)
@st.composite
def _cases(draw: st.DrawFn, kernel: KernelImage, memory: int, tapes: bool) -> Case:
    memory = draw(_memories(kernel, memory))
    known = borders(kernel, memory)
    # What is small comes first: a long map leaves little room for choices behind it.
    append = draw(_command_lines(kernel))
    cpu = draw(_CPUS)
    fill = draw(_FILLS)
    case = Case(
        memory,
        draw(memory_maps(memory, known)),
        append=append,
        cpu=cpu,
        fill=fill,
        modules=draw(_MODULES),
        steps=draw(_STEPS) if tapes else (),
    )
    places = _low_addresses(memory, known)
    shape = draw(_shapes(len(case.map.entries), len(case.modules), places))
    return _possible(replace(case, shape=shape), kernel)


@lru_cache(maxsize=16)
def _command_lines(kernel: KernelImage) -> st.SearchStrategy[str]:
    return st.sampled_from(command_lines(kernel))


@lru_cache(maxsize=16)
def _memories(kernel: KernelImage, memory: int) -> st.SearchStrategy[int]:
    least = kernel.image_range().stop
    smaller = [size for size in MEMORIES if least < size < memory]
    return st.sampled_from([*smaller, *[memory] * max(1, _SELDOM * len(smaller))])


def _mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * _SELDOM * len(others) + [*others])


_CPUS = _mostly(MachineSpec.cpu, *CPUS)
_FILLS = _mostly(Fill(), Fill(FillKind.ZERO), Fill(FillKind.RANDOM, 1))
_MODULES = st.lists(  # as long as it likes: see harness.maps.strategies
    st.builds(
        lambda length, start, string: Module(_CONTENTS[start : start + length], string),
        st.sampled_from(MODULE_LENGTHS),
        st.integers(0, 250),
        st.sampled_from(("", "module", "x" * 60)),
    )
).map(lambda found: tuple(found[:MOST_MODULES]))


@lru_cache(maxsize=64)
def _low_addresses(memory: int, known: tuple[int, ...]) -> st.SearchStrategy[int | None]:
    """Return where a loader may put things, None for its own choice: in RAM, and never at 0."""
    memory = min(memory, FOUR_GIB)
    inside = [address for address in known if address < memory]
    ends = st.sampled_from((0, *NEAR))
    near = st.builds(
        lambda address, before: max(1, min(address, memory - 1) - before),
        addresses(inside, memory),
        ends,
    )
    return st.none() | near


_FLAGS = [field.name for field in fields(BootInformationShape) if field.default is True]


@lru_cache(maxsize=256)
def _shapes(
    entries: int, modules: int, places: st.SearchStrategy[int | None]
) -> st.SearchStrategy[BootInformationShape]:
    there = st.sampled_from((True, True, True, False))
    return st.just(BootInformationShape()) | st.builds(
        BootInformationShape,
        **dict.fromkeys(_FLAGS, there),
        entry_sizes=st.sampled_from(((20,), (24,), (32,), (20, 24), (24, 20, 32), (21,))),
        map_length=st.none() | st.integers(0, 24 * entries),
        map_address=places,
        information_address=places,
        command_line_address=places,
        module_list_address=places,
        module_addresses=st.tuples(*[places] * modules),
    )


def _possible(case: Case, kernel: KernelImage) -> Case:
    """Return the case with as many of its wishes as a boot loader can fulfil together."""
    for fewer in _fewer_wishes(case):
        if why_impossible(fewer.spec(kernel)) is None:
            return fewer
    return fewer


def _fewer_wishes(case: Case) -> Iterator[Case]:
    """Yield the case, then leave places to the loader, one more each time, then all modules."""
    yield case
    for name, none in _PLACES.items():
        if getattr(case.shape, name) != none:
            case = replace(case, shape=replace(case.shape, **{name: none}))
            yield case
    yield replace(case, modules=())
    yield replace(case, modules=(), steps=())


_PLACES: dict[str, Any] = {
    "module_addresses": (),
    "module_list_address": None,
    "command_line_address": None,
    "map_address": None,
    "information_address": None,
}

_SLOTS = st.integers(0, SLOTS - 1)
_ZONES = st.sampled_from((0, Flag.DMA, Flag.NORMAL, Flag.HIGH, Flag.DMA | Flag.NORMAL))
_FRAMES = st.sampled_from((1, 2, 3, 4, 7, 8, 16, 64, 1024))
_FRAME_CONTENTS = (0, Flag.FILL, Flag.ZERO | Flag.CHECK)
_BYTES = st.builds(
    lambda near, by: max(1, near + by),
    st.sampled_from((1, 16, 128, 1024, PAGE_SIZE, 2 * PAGE_SIZE, 1 << 17)),
    st.integers(-17, 17),
)


def _take_frames(slot: int, frames: int, zone: int, contents: int) -> Step:
    return operation(Kind.FRAMES_ALLOC, slot, frames, zone | contents)


def _take_block(slot: int, length: int, contents: int) -> Step:
    return operation(Kind.HEAP_ALLOC, slot, length, contents)


def _give_back(slot: int) -> Step:
    """Return a free; :func:`sound` makes it one of what the slot holds."""
    return operation(Kind.FRAMES_FREE, slot)


_STEPS = st.lists(
    st.builds(_take_frames, _SLOTS, _FRAMES, _ZONES, st.sampled_from(_FRAME_CONTENTS))
    | st.builds(_take_block, _SLOTS, _BYTES, st.sampled_from((0, Flag.FILL)))
    | st.builds(_give_back, _SLOTS)
).map(lambda steps: sound(steps[:MOST_STEPS]))
