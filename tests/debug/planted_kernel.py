"""The kernel's test build, with the corruptions of ``planted`` in it."""

from __future__ import annotations

from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage

PLANTED = "tests/debug/planted"
"""Below the top of the tree."""


def planted_kernel() -> KernelImage:
    """Build it; all plants are in it, and the command line chooses one."""
    return build(bundled_description(), {"PLANTED": PLANTED})
