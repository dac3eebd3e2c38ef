"""Which operations a kernel can carry out; a case may come from another one."""

from __future__ import annotations

from harness.fuzz.case import Case
from harness.image.kernel_image import KernelImage
from harness.workload.operation import Kind
from harness.workload.tape_format import TapeFormat


def kinds_of(kernel: KernelImage) -> tuple[Kind, ...]:
    """Return the operations that the kernel carries out; none when it has no tapes."""
    if kernel.description.tape is None:
        return ()
    numbers = TapeFormat.of(kernel).kinds
    return tuple(kind for kind in Kind if numbers[kind] >= 0)


def why_not_carried_out(case: Case, kernel: KernelImage) -> str | None:
    """Return why a kernel cannot carry out the operations of a case, None when it can."""
    wanted = {Kind(kind) for kind, *_ in case.steps}
    if wanted and kernel.description.tape is None:
        return "the case has operations, and this kernel takes none: its description has no [tape]"
    missing = sorted(wanted - set(kinds_of(kernel)))
    names = ", ".join(kind.name.lower() for kind in missing)
    return f"the case has operations that this kernel does not know: {names}" if missing else None
