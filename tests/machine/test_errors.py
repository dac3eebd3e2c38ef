"""Machines that cannot be: a clear sentence, and nothing left running."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine.errors import (
    GuestEnded,
    MonitorError,
    QemuMissing,
    SpecError,
    ToolMissing,
)
from harness.machine.machine import Machine
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath, MachineSpec
from tests.machine import kernels

MEMORY = 16 << 20


def boot(spec: MachineSpec) -> None:
    with Machine(spec) as machine:
        machine.boot()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"memory": 0}, "impossible size: 0 bytes"),
        ({"memory": (1 << 20) - 8192}, "1 MiB to 64 GiB"),
        ({"memory": MEMORY + 4096}, r"multiple of 8 KiB: take 16384 KiB or 16392 KiB"),
        ({"memory": 1 << 20, "boot": BootPath.MULTIBOOT}, "^1024 KiB, multiboot path: impossible"),
        ({"memory": 65 << 30}, "impossible size"),
        ({"memory": 2 << 20}, r"too little memory: .* 0x200000 needs RAM up to 0x[0-9a-f]+ \("),
        ({"memory": 1 << 20, "boot": BootPath.ISO}, "2 MiB to 64 GiB"),
        ({"cpu": "no-such-cpu"}, "QEMU knows no CPU 'no-such-cpu'"),
        (
            {"cpu": "qemu32,foo=bar"},
            r"cannot make a CPU 'qemu32,foo=bar': Property '[^\n]*' not found$",
        ),
        ({"cpu": "qemu32,+foo"}, r"cannot make a CPU 'qemu32,\+foo': Property '[^\n]*' not found$"),
        ({"cpu": "qemu32,family=bar"}, r"family=bar': Parameter 'family' expects int64$"),
        ({"firmware": "coreboot"}, "there are seabios, qboot"),
        ({"modules": ("a name",)}, r"modules are Module\(data, string\) values"),
        ({"append": "two\nlines"}, "printable"),
        ({"append": "x" * 131072}, "131072 bytes of command line, and 131071 is the most"),
        ({"append": "é" * 65536, "boot": BootPath.MULTIBOOT}, "131072 bytes of command line"),
        (
            {"append": "a " + "x" * 8181, "boot": BootPath.ISO},
            "a word of 8181 bytes in the command line; GRUB takes 8182 with its quoting, 8183",
        ),
    ],
)
def test_an_impossible_machine_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    spec = MachineSpec(kernels.assemble(tmp_path, kernels.READY), MEMORY)
    with pytest.raises(SpecError, match=message):
        boot(replace(spec, **fields))  # type: ignore[arg-type]


def test_a_kernel_in_the_rom_hole_is_not_told_to_take_more_memory(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    first, *others = kernel.segments
    moved = replace(kernel, segments=(replace(first, physical=0xFF000), *others))
    with pytest.raises(SpecError, match=r"no RAM at 0xa0000-0xfffff, where .* 0xff000-") as caught:
        boot(MachineSpec(moved, MEMORY, boot=BootPath.MULTIBOOT))
    assert "too little" not in str(caught.value)


def test_a_map_entry_is_at_least_twenty_bytes() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        BootInformationShape(entry_sizes=(16,))


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QemuMissing, match=r"qemu-system-i386.*apt-get install qemu"):
        boot(MachineSpec(kernel, MEMORY))
    with pytest.raises(ToolMissing, match=r"grub-mkrescue.*apt-get install grub"):
        boot(MachineSpec(kernel, MEMORY, boot=BootPath.ISO))


def test_a_breakpoint_that_is_never_reached(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.TRIPLE_FAULT)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        with pytest.raises(GuestEnded, match="triple fault"):
            guest.stop_before("no_idt")
        guest = machine.boot()
        with pytest.raises(LookupError, match="no_such"):
            guest.stop_before("no_such_function")


def test_a_kernel_without_a_monitor_takes_no_commands(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        with pytest.raises(MonitorError, match=r"no \[monitor\]"):
            guest.monitor.command("help")
