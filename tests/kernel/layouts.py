"""Where each layout has the parts of its address space; docs/kernel.md draws them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.image.kernel_image import KernelImage

MIB = 1 << 20


@dataclass(frozen=True)
class Layout:
    """Virtual addresses of one address space, in bytes."""

    base: int
    """Physical address 0 in the direct map."""
    areas: range
    window: int
    """The first of 4 MiB."""
    user: range
    some_user: int
    """A multiple of 4 MiB in user space, not its first, with 1 GiB of it behind."""

    @property
    def direct_map(self) -> range:
        """896 MiB in both."""
        return range(self.base, self.base + 896 * MIB)

    @property
    def holes(self) -> tuple[range, ...]:
        """Where nothing is ever mapped, to catch what runs off the end of something."""
        return (
            range(self.direct_map.stop, self.areas.start),
            range(self.areas.stop, self.window),
        )


LAYOUTS = {
    "higher-half": Layout(
        base=0xC0000000,
        areas=range(0xF8400000, 0xFF800000),
        window=0xFFC00000,
        user=range(0x1000, 0xC0000000),
        some_user=0x400000,
    ),
    "identity": Layout(
        base=0,
        areas=range(0x40000000, 0x7F800000),
        window=0x7FC00000,
        user=range(0x80000000, 0xFFC00000),
        some_user=0x80400000,
    ),
}

HIGHER_HALF: dict[str, str] = {}
IDENTITY = {"LAYOUT": "identity"}
"""Build variables of either; the first is the default."""

both_layouts = pytest.mark.machine(build=[HIGHER_HALF, IDENTITY])
"""Runs a test, or as ``pytestmark`` a suite, on a kernel of each layout."""


def layout_of(kernel: KernelImage) -> Layout:
    """Return the layout that a build of the bundled kernel has."""
    return LAYOUTS[dict(kernel.variables).get("LAYOUT", "higher-half")]
