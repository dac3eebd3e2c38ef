"""Ctrl-C while a machine is being built and booted: no process, socket or file is left."""

from __future__ import annotations

import os
import random
import select
import signal
import sys
from pathlib import Path

import pytest

from harness.machine.spec import BootPath
from tests.machine import kernels
from tests.processes import begun, left_after_a_while

pytestmark = pytest.mark.slow

MEMORY = 16 << 20
MOMENTS = 8
LONGEST = {BootPath.DIRECT: 0.1, BootPath.MULTIBOOT: 0.3, BootPath.ISO: 1.2}
"""Seconds that a boot takes, a CD image's making included; moments are spread over them."""

PROGRAM = """
import itertools, pathlib, sys
import tests.machine.kernels as kernels
from harness.image.elf import load_kernel
from harness.machine.machine import Machine
from harness.machine.spec import BootPath, MachineSpec
kernel = load_kernel(pathlib.Path(sys.argv[1]), kernels.DESCRIPTION)
path = BootPath(sys.argv[2])
print("begin", flush=True)
for turn in itertools.count():  # each time another line: another CD image
    with Machine(MachineSpec(kernel, int(sys.argv[3]), boot=path, append=str(turn))) as machine:
        machine.boot()
"""


def bound_sockets(folder: Path) -> list[str]:
    """Return the Unix sockets that are bound to a path in ``folder``."""
    return [line for line in Path("/proc/net/unix").read_text().split() if str(folder) in line]


@pytest.mark.parametrize("path", list(BootPath))
def test_interrupt_at_any_moment(tmp_path: Path, path: BootPath) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    chance = random.Random(path.value)
    for moment in range(MOMENTS):
        folder = tmp_path / f"moment{moment}"
        (folder / "tmp").mkdir(parents=True)
        after = chance.uniform(0, LONGEST[path])
        interrupt(kernel.path, path, folder, after)
        assert list((folder / "tmp").iterdir()) == [], after
        assert bound_sockets(folder) == [], after
        left = [f for f in folder.rglob("*") if f.is_file() and f.suffix != ".iso"]
        assert left == [], after
        assert {f.name for f in folder.iterdir()} <= {"tmp", "iso"}
        assert [f for f in folder.glob("iso/*") if f.is_dir()] == [], after


def interrupt(kernel: Path, path: BootPath, folder: Path, after: float) -> None:
    """Run the program, send SIGINT ``after`` seconds, and see its processes end with it."""
    mark = f"HARNESS_TEST_MARK={folder}"
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "HARNESS_CACHE_DIR": str(folder)}
    environment.update([mark.split("=")])
    command = [sys.executable, "-c", PROGRAM, str(kernel), path.value, str(MEMORY)]
    with begun(command, environment) as process:
        select.select([process.stdout], [], [], after)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    assert left_after_a_while(mark) == [], after
