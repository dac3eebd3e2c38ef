"""A copy of the kernel's source, to plant bugs in: only what changes is compiled anew."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock

from harness.image.build import build
from harness.image.description import load_description
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage

TREE = Path(__file__).resolve().parents[2]
PARTS = ("kernel", "linker")
"""What a build needs."""


def copy_tree(top: Path) -> Path:
    """Copy what a build needs below ``top``; return the kernel's folder."""
    for part in PARTS:
        shutil.copytree(TREE / part, top / part)
    return top / "kernel"


@dataclass(frozen=True)
class SourceCopy:
    """A copy of the tree with objects of its own, for all test processes together."""

    top: Path
    images: Path
    """Where this process keeps the images that were built for it."""
    flags: str = "-Wno-error"
    """For the compiler: what a bug leaves unused need not be a failure."""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of the build, beside these."""

    def plant(self, file: str, right: str, wrong: str) -> KernelImage:
        """Return the kernel with ``wrong`` in place of ``right``, which ``file`` has once.

        ``file`` is relative to the kernel's folder. The copy is right again afterwards.
        """
        with FileLock(f"{self.top}.lock"):
            kernel = self.top / "kernel"
            if not kernel.exists():
                copy_tree(self.top)
            path = kernel / file
            text = path.read_text()
            assert text.count(right) == 1
            path.write_text(text.replace(right, wrong))
            try:
                return self._build(kernel / "harness.toml")
            finally:
                path.write_text(text)

    def _build(self, description: Path) -> KernelImage:
        """Build and take the image away, before another process builds the next one over it."""
        chosen = {**self.variables, **({"EXTRA_CFLAGS": self.flags} if self.flags else {})}
        built = build(load_description(description), chosen, self.top / "build")
        kept = self.images / f"{built.build_id}.elf"
        shutil.copyfile(built.path, kept)
        return replace(load_kernel(kept, built.description), variables=built.variables)
