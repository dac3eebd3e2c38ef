"""From one case to another that is a little different, with a liking for borders."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from harness.fuzz.case import Case
from harness.fuzz.map_changes import change_map
from harness.fuzz.shape_changes import change_shape
from harness.fuzz.steps import change_steps
from harness.fuzz.surroundings import Surroundings
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, Module
from harness.maps.memory_map import MemoryMap

MOST_ENTRIES = 160
"""Entries of a map; more than any firmware gives (SeaBIOS: 128)."""
MOST_CHANGES = 4
"""Changes from one case to the next."""
MAP_CHANGES = (1, 1, 2, 4, 8)
"""Changes to its map, when that is what changes: a little most of the time, at times nearly all."""
LARGEST_MODULE = 64 << 10
STRINGS = ("", "module", "x" * 60, "x" * 4000)
"""Of modules: some shorter than what else a boot loader leaves in a page, one nearly a page."""


def mutate(case: Case, around: Surroundings, random: Random) -> Case:
    """Return a case that differs from ``case`` in one to ``MOST_CHANGES`` ways."""
    for _ in range(random.randint(1, MOST_CHANGES)):
        change = random.choices(_CHANGES, _WEIGHTS)[0]
        case = change(case, around, random)
    return case


def _map(case: Case, around: Surroundings, random: Random) -> Case:
    entries = list(case.map.entries)
    for _ in range(random.choice(MAP_CHANGES)):
        entries = change_map(entries, around, random)[:MOST_ENTRIES]
    return replace(case, map=MemoryMap(tuple(entries)))


def _plain_shape(case: Case, around: Surroundings, random: Random) -> Case:
    return replace(case, shape=BootInformationShape())


def _modules(case: Case, around: Surroundings, random: Random) -> Case:
    modules = list(case.modules)
    if modules and random.random() < 0.4:
        del modules[random.randrange(len(modules))]
    else:
        length = random.choice((0, 1, 4095, 4096, 4097, random.randrange(LARGEST_MODULE)))
        modules.append(Module(random.randbytes(length), random.choice(STRINGS)))
    return replace(case, modules=tuple(modules[:8]))


def _fill(case: Case, around: Surroundings, random: Random) -> Case:
    # Of one seed only: another one shows nothing else, and all of RAM has to be filled for it.
    return replace(case, fill=Fill(random.choice(tuple(FillKind))))


def _words(case: Case, around: Surroundings, random: Random) -> Case:
    return replace(case, append=random.choice(around.words)) if around.words else case


def _machine(case: Case, around: Surroundings, random: Random) -> Case:
    if random.random() < 0.5:
        return replace(case, memory=random.choice(around.memories))
    return replace(case, cpu=random.choice(around.cpus))


def _steps(case: Case, around: Surroundings, random: Random) -> Case:
    if not around.kinds:
        return case
    if case.steps and random.random() < 0.2:
        return replace(case, steps=())
    return replace(case, steps=change_steps(case.steps, random, around.kinds))


_CHANGES = (_map, change_shape, _plain_shape, _modules, _fill, _words, _steps, _machine)
_WEIGHTS = (40, 17, 3, 9, 3, 7, 20, 1)
"""A new size or CPU needs a new process, which takes as long as many boots."""
