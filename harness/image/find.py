"""Kernels by the path that a person gives: a description, a folder with one, or an ELF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.image.build import build
from harness.image.description import Description, bundled_description, load_description
from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage

FILE = "harness.toml"
"""The name of a description."""


def describe(path: Path | None) -> Description:
    """Return what is known of the kernel at ``path`` without building it; None: the bundled one."""
    if path is None:
        return bundled_description()
    if is_built(path):
        return Description.none()
    return load_description(path / FILE if path.is_dir() else path)


def load_or_build(path: Path | None, variables: Mapping[str, str]) -> KernelImage:
    """Return the kernel at ``path``, built with ``variables`` unless it is an ELF.

    Raises like :func:`harness.image.build.build`.
    """
    if path is None or not is_built(path):
        return build(describe(path), variables)
    if variables:
        names = ", ".join(variables)
        raise DescriptionError(f"{path} is a built kernel: build variables ({names}) do nothing")
    return load_kernel(path, Description.none())


def is_built(path: Path) -> bool:
    """Return whether ``path`` is a file that is no description."""
    return path.is_file() and path.suffix != ".toml"
