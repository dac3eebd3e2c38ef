"""What must be true of a machine's physical memory, worked out without asking the kernel.

It follows from the map that the kernel was given, the RAM that is really there, the kernel's ELF
and what the boot loader put where. Frame numbers (pfn) are physical addresses divided by 4096;
arrays have one element a frame, from frame 0 to the last one that matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.check.linear import LinearMap, linear_maps, user_pages, window_pages
from harness.check.runs import FRAME_SIZE, inward, outward, runs
from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.maps.memory_map import MemoryMap

FRAME_LIMIT = 1 << 20
"""Frames below 4 GiB, all that a 32-bit kernel without PAE can use."""

READY = "ready"
"""The moment of a boot at which everything that a description promises must hold."""

ALLOCATABLE = 0
"""Value of :attr:`Model.reason` for a frame that the allocator may hand out."""
NOT_USABLE = 1
FRAME_ZERO = 2
IMAGE = 3
LEFT_ALONE = 4
_FIRST_PLACEMENT = 5


class Placed(Protocol):
    """Something that the boot loader left in memory; physical address and length in bytes."""

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def length(self) -> int: ...


@dataclass(frozen=True)
class FrameZone:
    """A zone of physical memory, as frames."""

    name: str
    frames: range


@dataclass(frozen=True)
class Model:
    """Physical memory as it must be; see :meth:`of`."""

    usable: npt.NDArray[np.bool_]
    """Wholly usable by the map, really RAM, and not left alone by this kernel."""
    reason: npt.NDArray[np.uint16]
    """Why the frame must never be handed out: an index of ``reasons``, 0 if it may be."""
    reasons: tuple[str, ...]
    image: range
    """Frames of the kernel's image, .bss included."""
    zones: tuple[FrameZone, ...]
    linear: tuple[LinearMap, ...]
    windows: tuple[range, ...] = ()
    """Virtual pages of temporary mappings."""
    user: range = range(0)
    """Virtual pages of user programs."""
    entries: int = 0
    """Entries of the firmware's map."""
    description: Description = field(default_factory=Description, repr=False)

    @classmethod
    def of(
        cls,
        kernel: KernelImage,
        memory_map: MemoryMap,
        ram_ranges: tuple[range, ...],
        placements: Iterable[Placed] = (),
    ) -> Model:
        """Return the model of a machine.

        ``memory_map`` is what the kernel was given, ``ram_ranges`` where RAM answers (physical
        bytes), ``placements`` what the boot loader put into memory. A usable frame must be wholly
        usable and wholly RAM; whatever is reserved takes every frame that it touches.
        """
        image = outward(kernel.image_range())
        placed = tuple(placements)
        usable = _usable(memory_map, ram_ranges, _span(memory_map, ram_ranges, image, placed))
        left = _left_alone(kernel.description, usable)
        usable &= ~left
        _keep_largest(usable, kernel.description.firmware_map.regions)
        reason, reasons = _reasons(usable, left, image, placed)
        linear = linear_maps(kernel)
        return cls(
            usable=usable,
            reason=reason,
            reasons=reasons,
            image=image,
            zones=_zones(kernel.description),
            linear=linear,
            windows=window_pages(kernel),
            user=user_pages(kernel, linear),
            entries=len(memory_map.entries),
            description=kernel.description,
        )

    @property
    def frames(self) -> int:
        """The number of frames that the arrays cover."""
        return len(self.usable)

    @property
    def allocatable(self) -> npt.NDArray[np.bool_]:
        """The frames that the allocator may hand out."""
        mask: npt.NDArray[np.bool_] = self.reason == ALLOCATABLE
        return mask

    def widened(self, frames: int) -> Model:
        """Return the same model over at least ``frames`` frames (at most 4 GiB of them)."""
        more = min(frames, FRAME_LIMIT) - self.frames
        if more <= 0:
            return self
        usable = np.concatenate((self.usable, np.zeros(more, dtype=np.bool_)))
        beyond = np.full(more, NOT_USABLE, dtype=np.uint16)
        return replace(self, usable=usable, reason=np.concatenate((self.reason, beyond)))

    def zone_of(self, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each frame the index of its zone; the last zone is open."""
        borders = [zone.frames.stop for zone in self.zones[:-1]]
        return np.searchsorted(borders, frames, side="right").astype(np.int64)

    def zone_indices(self) -> npt.NDArray[np.uint8]:
        """Return the index of each frame's zone."""
        indices = np.full(self.frames, len(self.zones) - 1, dtype=np.uint8)
        for index, zone in enumerate(self.zones[:-1]):
            indices[zone.frames.start : zone.frames.stop] = index
        return indices

    def zone_name(self, index: int) -> str:
        """Return what a person calls zone ``index``."""
        if 0 <= index < len(self.zones):
            return self.zones[index].name
        return f"number {index}"


def _span(
    memory_map: MemoryMap,
    ram_ranges: tuple[range, ...],
    image: range,
    placements: tuple[Placed, ...],
) -> int:
    """Return where all that matters ends: RAM that a map claims, and what was put anywhere.

    What it claims behind the end of RAM is no different from what it does not speak of.
    """
    end_of_ram = max((inward(ram).stop for ram in ram_ranges), default=0)
    ends = [min(frames.stop, end_of_ram) for frames in memory_map.usable_frames()]
    ends += [outward(_bytes_of(placed)).stop for placed in placements]
    return min(max([1, image.stop, *ends]), FRAME_LIMIT)


def _bytes_of(placed: Placed) -> range:
    return range(placed.start, placed.start + placed.length)


def _usable(
    memory_map: MemoryMap, ram_ranges: tuple[range, ...], span: int
) -> npt.NDArray[np.bool_]:
    claimed = np.zeros(span, dtype=np.bool_)
    for frames in memory_map.usable_frames():
        claimed[frames.start : frames.stop] = True
    present = np.zeros(span, dtype=np.bool_)
    for ram in ram_ranges:
        frames = inward(ram)
        present[frames.start : frames.stop] = True
    return claimed & present


def _left_alone(description: Description, usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which usable frames do not lie wholly in what the kernel takes of memory."""
    taken = description.firmware_map
    left = usable.copy()
    first = -(-(taken.above or 0) // FRAME_SIZE)
    end = len(usable) if taken.below is None else taken.below // FRAME_SIZE
    left[first:end] = False
    return left


def _keep_largest(usable: npt.NDArray[np.bool_], regions: int | None) -> None:
    """Take what goes beyond the kernel's table of ``regions`` out of ``usable``."""
    found = runs(usable)
    if regions is None or len(found) <= regions:
        return
    largest_first = np.argsort(found[:, 0] - found[:, 1], kind="stable")
    for first, end in found[largest_first[regions:]].tolist():
        usable[first:end] = False


def _reasons(
    usable: npt.NDArray[np.bool_],
    left: npt.NDArray[np.bool_],
    image: range,
    placements: tuple[Placed, ...],
) -> tuple[npt.NDArray[np.uint16], tuple[str, ...]]:
    names = ["", "not usable RAM", "frame 0, which is never handed out", "the kernel's image"]
    names.append("memory that this kernel leaves alone")
    reason = np.where(usable, np.uint16(ALLOCATABLE), np.uint16(NOT_USABLE))
    reason[left] = LEFT_ALONE
    for index, placed in enumerate(placements, _FIRST_PLACEMENT):
        frames = outward(_bytes_of(placed))
        reason[frames.start : frames.stop] = index
        names.append(f"the boot loader's {placed.name}")
    reason[0] = FRAME_ZERO
    reason[image.start : image.stop] = IMAGE
    return reason, tuple(names)


def _zones(description: Description) -> tuple[FrameZone, ...]:
    zones, start = [], 0
    for zone in description.zones:
        end = zone.end // FRAME_SIZE
        zones.append(FrameZone(zone.name, range(start, end)))
        start = end
    return tuple(zones) or (FrameZone("all", range(FRAME_LIMIT)),)
