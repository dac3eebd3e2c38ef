"""QEMU's GDB stub: on a pair of sockets, and on a path for other people's debuggers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.debug.mi import MiSession
from harness.machine.ending import EndingKind
from harness.machine.errors import SpecError
from harness.machine.gdb_socket import gdb_socket
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.machine import kernels

MEMORY = 16 << 20


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_attaching_again_and_again_leaves_nothing(
    tmp_path: Path, children: Callable[[], set[int]]
) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        devices, counts = set(), set()
        (qemu,) = children()
        for _ in range(5):
            before = guest.registers().eip
            with guest.stub() as stub:
                assert stub.i386_registers()["eip"] == before
                stub.step()
            assert guest.registers().eip != before
            counts.add((descriptors(qemu), descriptors(os.getpid())))
            devices.add(guest.qemu("info chardev").count("\n"))
        assert len(counts) == len(devices) == 1
        assert guest.run_until_ready().kind is EndingKind.READY


def test_a_running_guest_is_paused_by_attaching(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        assert guest.run_until_ready().kind is EndingKind.READY
        with guest.stub() as stub:
            assert "paused" in guest.qemu("info status")
            assert stub.read_memory(kernel.symbol("first"), 6) == b"kernel"


def test_no_file_is_made_for_our_own_stub(tmp_path: Path) -> None:
    """Killed while it is attached, the harness leaves nothing in an empty TMPDIR."""
    kernel = kernels.assemble(tmp_path, kernels.READY)
    program = f"""
import os, pathlib, signal, tests.machine.kernels as kernels
from harness.image.elf import load_kernel
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
kernel = load_kernel(pathlib.Path({str(kernel.path)!r}), kernels.DESCRIPTION)
with Machine(MachineSpec(kernel, {MEMORY})) as machine, machine.boot().stub():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o500)
    environment = {**os.environ, "TMPDIR": str(empty)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=30)
    assert done.returncode == -9
    assert list(empty.iterdir()) == []


def test_gdb_attaches_to_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    folder = Path(tempfile.mkdtemp(prefix="a,b "))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    try:
        with Machine(MachineSpec(kernel, MEMORY)) as machine:
            guest = machine.boot()
            with gdb_socket(guest) as path, MiSession() as gdb:
                assert folder in path.parents
                gdb.attach(path)
                assert gdb.read_memory(kernel.symbol("first"), 6) == b"kernel"
            assert list(folder.iterdir()) == []
            with guest.stub() as stub:
                assert stub.read_memory(kernel.symbol("first"), 6) == b"kernel"
    finally:
        folder.rmdir()


def test_a_path_that_is_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        with pytest.raises(SpecError, match="at most 107 bytes: set TMPDIR"), gdb_socket(guest):
            pass
        assert list(folder.iterdir()) == []
