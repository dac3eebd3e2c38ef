"""A case on another way into memory, as far as its machine can be had there."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from harness.fuzz.case import Case
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath

REWRITTEN = (
    *("memory", "memory_map", "memory_lower", "memory_upper"),
    *("entry_sizes", "map_length"),
)
"""Of a shape, what :mod:`harness.machine.rewrite` gives a kernel that firmware has loaded."""


def on_path(case: Case, boot: BootPath) -> tuple[Case, tuple[str, ...]]:
    """Return the case on a boot path, and the names of what of its shape the loader decides there.

    All else is the same on each path: RAM and its fill, map, CPU, modules, command line, tape.
    """
    plain = BootInformationShape()
    lost: dict[str, Any] = {}
    for field in fields(plain):
        usual = getattr(plain, field.name)
        kept = boot is BootPath.DIRECT or field.name in REWRITTEN
        if not kept and getattr(case.shape, field.name) != usual:
            lost[field.name] = usual
    return replace(case, boot=boot, shape=replace(case.shape, **lost)), tuple(lost)
