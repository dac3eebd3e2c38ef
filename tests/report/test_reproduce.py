"""The command line that a finding prints boots the very machine that failed."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.options import Selection
from harness.cli.run import run
from harness.image.kernel_image import KernelImage
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec, Module
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.scale import scale
from harness.report.reproduce import command_line, left_out

MIB = 1 << 20
REAL = library.get(library.names()[0])


def understood(line: str, kernel: KernelImage) -> list[MachineSpec]:
    """Return the machines that ``harness run`` makes of a command line."""
    program, command, *arguments = shlex.split(line)
    assert (Path(program).name, command) == ("harness", "run")
    values = run.make_context("run", arguments).params
    chosen = {name: values[name] for name in Selection.__dataclass_fields__}
    return Selection(**chosen).machines(kernel)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory": 3583 * MIB},
        {"boot": BootPath.ISO, "cpu": "486"},
        {"fill": Fill(FillKind.RANDOM, 7), "append": "tlb=full mm='odd words'"},
        {"icount": True},
        {"map": REAL},
        {"map": scale(REAL, 64 * MIB)},
        {"map": MemoryMap((Region(0x100, 0x9FB00, 1), Region(0x100000, 0x1F00000, 1)))},
        {"map": MemoryMap((Region(0, 0, 0x101), Region(2**64 - 4096, 4096, 2)))},
        {"map": MemoryMap(())},
    ],
)
def test_round_trip(kernel: KernelImage, changes: dict[str, object]) -> None:
    spec = MachineSpec(**{"kernel": kernel, "memory": 64 * MIB, **changes})
    (again,) = understood(command_line(spec), kernel)
    assert again.memory == spec.memory
    assert (again.map and again.map.entries) == (spec.map and spec.map.entries)
    for name in ("boot", "cpu", "fill", "append", "icount"):
        assert getattr(again, name) == getattr(spec, name)


def test_build_variables_are_said(kernel: KernelImage) -> None:
    spec = MachineSpec(replace(kernel, variables=(("CC", "clang"),)), 64 * MIB)
    assert "--build CC=clang" in command_line(spec)


def test_what_the_command_line_cannot_say_is_named(kernel: KernelImage) -> None:
    spec = MachineSpec(kernel, 64 * MIB, modules=(Module(b"x"),), firmware="qboot")
    assert left_out(spec) == ["modules", "firmware"]
    assert left_out(MachineSpec(kernel, 64 * MIB)) == []
