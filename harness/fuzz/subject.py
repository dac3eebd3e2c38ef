"""The kernel of a campaign, and how it shows which ways through its code it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from harness.cover.blocks import Blocks
from harness.cover.edge_map import edge_map
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError, ToolMissing
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec

Build = Callable[[Mapping[str, str]], KernelImage]
"""Builds the kernel anew with more variables."""


class Source(Enum):
    """Who tells the edges."""

    COMPILER = "compiler"
    """Calls in the kernel's code, which fill a map in its memory."""
    QEMU = "qemu"
    """A plugin, which counts the blocks that QEMU translates."""
    NONE = "none"


@dataclass(frozen=True)
class Subject:
    """What a campaign boots."""

    kernel: KernelImage
    source: Source = Source.NONE
    plain: KernelImage | None = None
    """The kernel as people use it, where the other was built to tell."""
    why_none: str | None = None
    """Why nobody tells the edges, where that was not asked for."""

    @property
    def settled_source(self) -> Source | None:
        """What a campaign keeps to from now on; None where somebody might tell another day."""
        return None if self.why_none else self.source


def choose_subject(
    plain: KernelImage, memory: int, build: Build, wanted: Source | None, begun: str | None
) -> Subject:
    """Return the kernel to boot, and who tells its edges: ``wanted``, or the best that there is.

    ``begun`` is the digest of the kernel with which the campaign began, None for a new one: it goes
    on with that. ``memory`` is in bytes. Raise :class:`DescriptionError` or :class:`ToolMissing`
    when what is wanted is not to be had, and what ``build`` raises.
    """
    if wanted is Source.NONE:
        return Subject(_silent(plain), Source.NONE)
    if wanted is not Source.QEMU:
        told = _compiled(plain, build, wanted, begun)
        if told is not None:
            return Subject(told, Source.COMPILER, None if told is plain else plain)
    why = _why_no_blocks(plain, memory)
    if why is None:
        return Subject(plain, Source.QEMU)
    if wanted is Source.QEMU:
        raise ToolMissing(why)
    return Subject(plain, Source.NONE, why_none=why)


def _silent(kernel: KernelImage) -> KernelImage:
    return replace(kernel, description=replace(kernel.description, coverage=None))


def _compiled(
    plain: KernelImage, build: Build, wanted: Source | None, begun: str | None
) -> KernelImage | None:
    """Return the kernel that tells its edges by itself, if it can."""
    if edge_map(plain) is not None:
        return plain
    coverage = plain.description.coverage
    if coverage is not None and (wanted or begun != plain.digest):
        return build(coverage.variables)
    if wanted is not None:
        where = plain.description.path or plain.path
        raise DescriptionError(f"{where}: has no [coverage] table, so no compiler tells the edges")
    return None


def _why_no_blocks(kernel: KernelImage, memory: int) -> str | None:
    """Return why QEMU cannot tell its blocks here; None when it can, which only trying tells."""
    try:
        with (
            Blocks(kernel) as blocks,
            Machine(MachineSpec(kernel, memory), blocks.extra) as machine,
            machine.boot(),
        ):
            return None
    except MachineError as error:
        return str(error)
