"""The command line that boots a machine again."""

from __future__ import annotations

import shlex

from harness.machine.spec import Fill, FillKind, MachineSpec
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import format_compact
from harness.maps.scale import scale
from harness.report.units import size


def command_line(spec: MachineSpec, command: str = "run") -> str:
    """Return one shell command that boots ``spec`` again; ``command`` is harness's."""
    words = ["harness", command, *_kernel(spec), "--memory", size(spec.memory)]
    words += _map(spec.map, spec.memory)
    words += ["--boot", spec.boot.value, "--cpu", spec.cpu, "--fill", fill_text(spec.fill)]
    if spec.append:
        words += ["--append", spec.append]
    if spec.icount:
        words.append("--icount")
    return shlex.join(words)


def fill_text(fill: Fill) -> str:
    """Return a fill as ``--fill`` takes it."""
    return f"random:{fill.seed}" if fill.kind is FillKind.RANDOM else fill.kind.value


def _kernel(spec: MachineSpec) -> list[str]:
    description = spec.kernel.description
    if description.bundled:
        return []
    return ["--kernel", str(description.path or spec.kernel.path)]


def _map(memory_map: MemoryMap | None, memory: int) -> list[str]:
    if memory_map is None:
        return []
    if memory_map.name in library.names():
        original = library.get(memory_map.name)
        if memory_map.entries == original.entries:
            return ["--map", memory_map.name, "--exact"]
        if memory_map.entries == scale(original, memory).entries:
            return ["--map", memory_map.name]
    return ["--map", format_compact(memory_map), "--exact"]
