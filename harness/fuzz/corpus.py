"""Cases worth changing: each showed something that none before it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case
from harness.fuzz.store import Kept
from harness.image.kernel_image import KernelImage
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.scale import scale

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
    """Return what a campaign begins with: a plain PC, and every real map scaled into ``memory``.

    Those of a kernel with presets have their command lines in turn.
    """
    maps = [MemoryMap.pc(memory), *(scale(library.get(name), memory) for name in library.names())]
    words = command_lines(kernel)
    return [
        Case(memory, MemoryMap(found.entries), append=words[index % len(words)])
        for index, found in enumerate(maps)
    ]


def command_lines(kernel: KernelImage) -> tuple[str, ...]:
    """Return the words with which the kernel's description boots it."""
    presets = [preset.append for preset in kernel.description.presets if not preset.variables]
    return tuple(dict.fromkeys(["", *presets]))
