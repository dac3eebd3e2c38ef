"""From what a test says of its machine to a ``MachineSpec``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Preset
from harness.machine.notation import DEFAULT_MEMORY, parse_boot_path, parse_fill, parse_size
from harness.machine.spec import BootPath, Fill, MachineSpec
from harness.maps.find import find_maps
from harness.maps.memory_map import MemoryMap
from harness.maps.scale import scale
from harness.pytest_plugin.settings import BY_NAME, OBJECTS, alternatives

AUTO = "auto"


def machine_spec(kernel: KernelImage, said: Mapping[str, Any], folder: Path) -> MachineSpec:
    """Return the machine that ``said``, by the settings' names, means.

    Files are looked for in ``folder``. Raise what the parsers raise, and
    :class:`harness.machine.errors.SpecError`.
    """
    values = {name: single(name, value) for name, value in said.items() if name not in OBJECTS}
    memory, chosen = _memory_and_map(values, folder)
    preset = find_preset(kernel.description, values.get("preset"))
    words = (preset.append if preset else "", values.get("append") or "")
    return MachineSpec(
        kernel,
        memory,
        map=chosen,
        boot=_boot(values.get("boot")),
        cpu=values.get("cpu") or MachineSpec.cpu,
        fill=_fill(values.get("fill")),
        append=" ".join(filter(None, words)),
        icount=bool(values.get("icount")),
        **{name: said[name] for name in OBJECTS if name in said},
    )


def single(name: str, value: Any) -> Any:
    """Return the one value that is meant, None if none is; fail for several."""
    setting = BY_NAME[name]
    found = [value] if setting.switch else alternatives(setting, value)
    if len(found) > 1:
        words = ", ".join(map(str, found))
        pytest.fail(
            f"{name} has several values here ({words}): a list is for "
            "@pytest.mark.machine on a test that takes machine, boot or guest as an argument, "
            "not for boot() nor for the mark of a single parameter",
            pytrace=False,
        )
    return found[0] if found else None


def find_preset(description: Description, name: str | None) -> Preset | None:
    """Return the preset of this name; fail with those that there are."""
    presets = {preset.name: preset for preset in description.presets}
    if name is None or name in presets:
        return presets[name] if name else None
    known = ", ".join(presets) or "none"
    return pytest.fail(f"no preset {name!r}; this kernel has {known}", pytrace=False)


def _memory_and_map(values: Mapping[str, Any], folder: Path) -> tuple[int, MemoryMap | None]:
    chosen = _map(values.get("map"), folder)
    memory = values.get("memory")
    if isinstance(memory, str):
        memory = None if memory == AUTO else parse_size(memory)
    if chosen is None:
        return DEFAULT_MEMORY if memory is None else memory, None
    if memory is None:
        return chosen.claimed_memory(), chosen
    return memory, chosen if values.get("exact") else scale(chosen, memory)


def _map(value: Any, folder: Path) -> MemoryMap | None:
    if value is None or isinstance(value, MemoryMap):
        return value
    found = find_maps(value, f"map {value!r}", folder)
    if len(found) == 1:
        return found[0]
    return pytest.fail(f"map {value!r} means {len(found)} maps; one is needed here", pytrace=False)


def _boot(value: Any) -> BootPath:
    if value is None:
        return BootPath.DIRECT
    return value if isinstance(value, BootPath) else parse_boot_path(value)


def _fill(value: Any) -> Fill:
    if value is None:
        return Fill()
    return value if isinstance(value, Fill) else parse_fill(value)
