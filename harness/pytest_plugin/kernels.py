"""The kernels of a test run: each is built once, whatever the number of processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError
from harness.image.find import FILE, describe, is_built, load_or_build
from harness.image.kernel_image import KernelImage
from harness.report.files import write_atomically

_Key = tuple[Path | None, tuple[tuple[str, str], ...]]


class Kernels:
    """What this process has built or loaded, and where it leaves word for the others."""

    def __init__(self, shared: Path | None) -> None:
        """``shared`` is the folder of all processes of this run; None when there is one."""
        self._shared = shared
        self._known: dict[_Key, KernelImage] = {}

    def get(self, path: Path | None, variables: Mapping[str, str]) -> KernelImage:
        """Return the kernel at ``path`` built with ``variables``; raises as building does."""
        key = (path, tuple(sorted(variables.items())))
        if key not in self._known:
            self._known[key] = self._make(key)
        return self._known[key]

    def _make(self, key: _Key) -> KernelImage:
        path, variables = key[0], dict(key[1])
        if self._shared is None or (path is not None and is_built(path)):
            return load_or_build(path, variables)
        identity = json.dumps([str(path), key[1]]).encode()
        note = self._shared / f"mm-kernel-{hashlib.sha256(identity).hexdigest()[:16]}"
        with FileLock(f"{note}.lock"):
            if note.exists():
                image = load_kernel(Path(note.read_text()), describe(path))
                return replace(image, variables=key[1])
            image = load_or_build(path, variables)
            write_atomically(note, str(image.path))
        return image


def shared_folder(config: pytest.Config, base: Path) -> Path | None:
    """Return the folder that all processes of this run have in common; None without xdist."""
    return base.parent if hasattr(config, "workerinput") else None


def kernel_path(config: pytest.Config, given: str | None) -> Path | None:
    """Return where the kernel is; None for the bundled one.

    A path of the command line or of the ini file is relative to the folder of either. Raise
    :class:`DescriptionError` where there is nothing.
    """
    beside = config.inipath.parent if config.inipath else config.rootpath
    if given is None:
        return beside / FILE if (beside / FILE).is_file() else None
    by_flag = given in (config.getoption("mm_kernel") or ())
    here = config.invocation_params.dir if by_flag else beside
    path = (here / Path(given).expanduser()).resolve()
    if not path.exists():
        raise DescriptionError(f"there is no such kernel: {path}")
    return path


def build_variables(given: Mapping[str, str] | Iterable[str] | None) -> dict[str, str]:
    """Return build variables out of a mapping or texts ``NAME=VALUE``."""
    if isinstance(given, Mapping):
        return dict(given)
    pairs = [text.partition("=") for text in ([given] if isinstance(given, str) else given or ())]
    for name, sign, value in pairs:
        if not sign:
            pytest.fail(f"{name + value!r} is no build variable NAME=VALUE", pytrace=False)
    return {name: value for name, _, value in pairs}
