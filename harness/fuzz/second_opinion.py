"""A case on another way into memory, as far as its machine can be had there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from harness.fuzz.case import Case
from harness.machine.layout import DISPLAY_MEMORY, FOUR_GIB
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

DEVICES = range(DISPLAY_MEMORY, FOUR_GIB)
"""Physical addresses; the harness knows of no RAM there, and a kernel that probes finds some."""

REWRITTEN = (
    *("memory", "memory_map", "memory_lower", "memory_upper"),
    *("entry_sizes", "map_length"),
)
"""Of a shape, what :mod:`harness.machine.rewrite` gives a kernel that firmware has loaded."""


def on_path(case: Case, boot: BootPath) -> tuple[Case, tuple[str, ...]]:
    """Return the case on a boot path, and the names of what the loader or firmware decides there.

    That is part of its shape, and where usable memory is claimed, but a display answers. All else
    is the same on each path: RAM and its fill, map, CPU, modules, command line, tape.
    """
    plain = BootInformationShape()
    lost: dict[str, Any] = {}
    for field in fields(plain):
        usual = getattr(plain, field.name)
        kept = boot is BootPath.DIRECT or field.name in REWRITTEN
        if not kept and getattr(case.shape, field.name) != usual:
            lost[field.name] = usual
    there = replace(case, boot=boot, shape=replace(case.shape, **lost))
    entries = tuple(_without_devices(case.map.entries))
    if boot is BootPath.DIRECT or entries == case.map.entries:
        return there, tuple(lost)
    return replace(there, map=MemoryMap(entries)), (*lost, f"what is at {DEVICES.start:#x}")


def _without_devices(entries: Iterable[Region]) -> Iterator[Region]:
    """Leave out what usable entries claim where firmware puts the display's memory."""
    for one in entries:
        if not one.usable or not max(one.base, DEVICES.start) < min(one.end, DEVICES.stop):
            yield one
            continue
        if one.base < DEVICES.start:
            yield Region(one.base, DEVICES.start - one.base, one.type)
        if one.end > DEVICES.stop:
            yield Region(DEVICES.stop, one.end - DEVICES.stop, one.type)
