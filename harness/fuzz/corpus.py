"""Cases worth changing: each showed something that none before it did."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from harness.fuzz.attempt import Attempt
from harness.fuzz.carries_out import kinds_of
from harness.fuzz.case import Case
from harness.fuzz.steps import change_steps
from harness.fuzz.store import Kept
from harness.image.kernel_image import KernelImage
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.scale import scale

CPUS = (Case.cpu, "486", "486,-pse", "pentium", "qemu32,-pge", "pentium3")
"""CPU models: with and without 4 MiB pages, global pages and the ``cpuid`` that tells of them."""
RECENT = 8
"""Cases that came last, from which every second one is taken."""


@dataclass
class Corpus:
    """The cases that are kept, and the features and edges that they showed."""

    cases: list[Case]
    features: set[str] = field(default_factory=set)
    edges: set[int] = field(default_factory=set)

    def consider(self, attempted: Attempt) -> Kept | None:
        """Keep the case of an attempt that showed something new; return it with what that was."""
        features = attempted.features - self.features
        edges = attempted.edges - self.edges
        if not features and not edges:
            return None
        kept = Kept(attempted.case, tuple(sorted(features)), tuple(sorted(edges)))
        self.restore(kept)
        return kept

    def restore(self, kept: Kept) -> None:
        """Take in a case that is to be kept, and what it showed."""
        self.features.update(kept.new)
        self.edges.update(kept.edges)
        if kept.case not in self.cases:
            self.cases.append(kept.case)

    def choose(self, random: Random) -> Case:
        """Return a case to change next."""
        recent = self.cases[-RECENT:] if random.random() < 0.5 else self.cases
        return random.choice(recent)


def seeds(kernel: KernelImage, memory: int) -> list[Case]:
    """Return what a campaign begins with: plain machines, then machines with real maps."""
    return [*plain_seeds(kernel, memory), *map_seeds(kernel, memory)]


def plain_seeds(kernel: KernelImage, memory: int) -> list[Case]:
    """Return a plain PC with each CPU, and with each command line without and with operations."""
    pc = MemoryMap(MemoryMap.pc(memory).entries)
    plain = [Case(memory, pc, append=words) for words in command_lines(kernel)]
    others = [Case(memory, pc, cpu=cpu) for cpu in CPUS if cpu != Case.cpu]
    kinds, random = kinds_of(kernel), Random(0)  # noqa: S311 - the same each time
    worked = [replace(case, steps=change_steps((), random, kinds)) for case in plain if kinds]
    return [*plain, *(case for case in worked if case.steps), *others]


def map_seeds(kernel: KernelImage, memory: int) -> list[Case]:
    """Return every real map scaled into ``memory``, with the kernel's command lines in turn."""
    words = command_lines(kernel)
    maps = [scale(library.get(name), memory) for name in library.names()]
    return [
        Case(memory, MemoryMap(found.entries), append=words[index % len(words)])
        for index, found in enumerate(maps)
    ]


def command_lines(kernel: KernelImage) -> tuple[str, ...]:
    """Return the words with which the kernel's description boots it."""
    description = kernel.description
    presets = [preset.append for preset in description.presets if not preset.variables]
    return tuple(dict.fromkeys(["", *presets, *description.fuzz.append]))
