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
        ({"memory": MEMORY + 4096}, "no multiple of 8192"),
        ({"memory": 65 << 30}, "impossible size"),
        ({"memory": 2 << 20}, r"too little memory: .* 0x200000 needs RAM up to 0x[0-9a-f]+ \("),
        ({"memory": 1 << 20, "boot": BootPath.ISO}, "2 MiB to 64 GiB"),
        ({"cpu": "no-such-cpu"}, "QEMU knows no CPU 'no-such-cpu'"),
        ({"firmware": "coreboot"}, "there are seabios, qboot"),
        ({"append": "two\nlines"}, "printable"),
    ],
)
def test_an_impossible_machine_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    spec = MachineSpec(kernels.assemble(tmp_path, kernels.READY), MEMORY)
    with pytest.raises(SpecError, match=message):
        boot(replace(spec, **fields))  # type: ignore[arg-type]


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
