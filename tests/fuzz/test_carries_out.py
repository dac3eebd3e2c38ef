"""Why a kernel cannot be asked to do what a case asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.fuzz import carries_out
from harness.fuzz.carries_out import why_not_carried_out
from harness.fuzz.case import Case
from harness.image.kernel_image import KernelImage
from harness.maps.memory_map import MemoryMap
from harness.workload.operation import Kind, operation

PLAIN = Case(16 << 20, MemoryMap.pc(16 << 20))
WORKED = replace(PLAIN, steps=(operation(Kind.FRAMES_ALLOC, 1), operation(Kind.SLAB_ALLOC, 2, 8)))


def test_a_kernel_without_tapes_carries_out_no_operation(kernel: KernelImage) -> None:
    bare = replace(kernel, description=replace(kernel.description, tape=None))
    assert why_not_carried_out(WORKED, kernel) is None
    assert why_not_carried_out(PLAIN, bare) is None
    assert "has no [tape]" in str(why_not_carried_out(WORKED, bare))


def test_operations_that_a_kernel_does_not_know_are_named(
    kernel: KernelImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carries_out, "kinds_of", lambda kernel: (Kind.FRAMES_ALLOC,))
    why = why_not_carried_out(WORKED, kernel)
    assert why == "the case has operations that this kernel does not know: slab_alloc"
