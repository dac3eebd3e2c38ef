"""The command line that boots a machine again."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, MachineSpec
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import format_compact
from harness.maps.scale import scale
from harness.report.units import size


def command_line(spec: MachineSpec, thorough: bool = False) -> str:
    """Return one shell command that boots ``spec`` again; see :func:`left_out`."""
    words = [program(), "run", *_kernel(spec), "--memory", size(spec.memory)]
    words += _map(spec.map, spec.memory)
    words += ["--boot", spec.boot.value, "--cpu", spec.cpu, "--fill", fill_text(spec.fill)]
    if spec.append:
        words += ["--append", spec.append]
    words += ["--icount"] * spec.icount + ["--thorough"] * thorough
    return shlex.join(words)


def left_out(spec: MachineSpec) -> list[str]:
    """Return what of ``spec`` only a program can ask for, not the command line."""
    differences = {
        "modules": bool(spec.modules),
        "firmware": spec.firmware != "seabios",
        "the boot information's shape": spec.shape != BootInformationShape(),
        "cutmem": bool(spec.cutmem),
        "the fill of all RAM": spec.fill.everywhere,
    }
    return [name for name, differs in differences.items() if differs]


def program(name: str = "harness") -> str:
    """Return what to type for the program ``name`` that is installed beside this very Python."""
    here = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if (found and Path(found).samefile(here)) or not here.exists():
        return name
    return str(here)


def fill_text(fill: Fill) -> str:
    """Return a fill as ``--fill`` takes it."""
    return f"random:{fill.seed}" if fill.kind is FillKind.RANDOM else fill.kind.value


def _kernel(spec: MachineSpec) -> list[str]:
    kernel, words = spec.kernel, []
    if not kernel.description.bundled:
        words += ["--kernel", str(kernel.description.path or kernel.path.resolve())]
    for name, value in kernel.variables:
        words += ["--build", f"{name}={value}"]
    return words


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
