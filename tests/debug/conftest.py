"""What the tests of debugging share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.debug.debugger import Debugger
from harness.debug.guest import DebuggedGuest
from harness.image.kernel_image import KernelImage
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.cli.conftest import harness, loaded

__all__ = ["harness", "loaded"]


@pytest.fixture
def debugger(guest: DebuggedGuest) -> Debugger:
    """gdb on a guest that is at its prompt, and runs."""
    return guest.debugger


@pytest.fixture
def gdbs() -> Callable[[], set[int]]:
    """Return a function that gives the process ids of the gdbs that this process has started."""
    return lambda: {
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _is_our_gdb(path)
    }


def _is_our_gdb(path: Path) -> bool:
    try:
        name, _, fields = path.read_text().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, parent = fields.split()[:2]
    return name == "gdb" and state not in "ZX" and int(parent) == os.getpid()


@pytest.fixture(scope="module")
def kernel_guest(kernel: KernelImage) -> Iterator[DebuggedGuest]:
    """A guest at its prompt, for tests that only look."""
    spec = MachineSpec(kernel, 16 << 20)
    with Machine(spec) as machine, DebuggedGuest(machine.boot()) as guest:
        assert guest.run_until_ready().alive
        guest.pause()
        yield guest


@pytest.fixture(scope="module")
def values_debugger(kernel_guest: DebuggedGuest) -> Debugger:
    """gdb on a guest that is paused, for tests that only look."""
    return kernel_guest.debugger
