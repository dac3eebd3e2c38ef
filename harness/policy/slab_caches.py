"""Which objects all slab caches together must return, by the caches' numbers."""

from __future__ import annotations

from collections.abc import Mapping

from harness.decode.state import MemoryState
from harness.policy.chunks import direct_map_base
from harness.policy.protocols import FramePolicy
from harness.policy.slab import SlabPolicy


class SlabCachesPolicy:
    """The slab caches of one decoded state, from then on, over one policy for their frames."""

    def __init__(self, caches: tuple[SlabPolicy, ...]) -> None:
        """Take the caches in the order of the kernel's list."""
        self.caches = caches

    @classmethod
    def of(
        cls, state: MemoryState, frames: FramePolicy, known: Mapping[str, SlabPolicy]
    ) -> SlabCachesPolicy:
        """Start from ``state``; ``known`` are caches by name that others follow already."""
        base = direct_map_base(state)
        found = (cache for one in state.caches for cache in one.caches)
        return cls(
            tuple(known.get(cache.name) or SlabPolicy(cache, frames, base) for cache in found)
        )
