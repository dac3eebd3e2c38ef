"""Whether a kernel can carry out the operations of a case, which may come from another one."""

from __future__ import annotations

from harness.fuzz.case import Case
from harness.fuzz.corpus import kinds_of
from harness.image.kernel_image import KernelImage
from harness.workload.operation import Kind


def why_not_carried_out(case: Case, kernel: KernelImage) -> str | None:
    """Return why a kernel cannot carry out the operations of a case, None when it can."""
    wanted = {Kind(kind) for kind, *_ in case.steps}
    if wanted and kernel.description.tape is None:
        return "the case has operations, and this kernel takes none: its description has no [tape]"
    missing = sorted(wanted - set(kinds_of(kernel)))
    names = ", ".join(kind.name.lower() for kind in missing)
    return f"the case has operations that this kernel does not know: {names}" if missing else None
