"""What every suite that boots machines shares, beside the fixtures of the pytest plugin."""

from __future__ import annotations

import gc
import os
import signal
from importlib.metadata import entry_points

import pytest

from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from tests.kernel.planted import SourceCopy

# A shell has what it runs in the background ignore Ctrl-C, and that is inherited. Tests interrupt
# what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# As a user has it, unless this checkout is not what is installed.
_INSTALLED = "mm_harness" in entry_points(group="pytest11").names
pytest_plugins = ["pytester", *([] if _INSTALLED else ["harness.pytest_plugin"])]


def pytest_collection_finish() -> None:
    """Keep thousands of tests from the garbage collector, which would walk them all each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def identity_kernel() -> KernelImage:
    """The bundled kernel, linked where it is loaded."""
    return build(bundled_description(), {"LAYOUT": "identity"})


@pytest.fixture(scope="session")
def telling_kernel() -> KernelImage:
    """The bundled kernel, compiled to tell which ways through its code it goes."""
    return build(bundled_description(), {"COVERAGE": "1"})


@pytest.fixture(scope="session")
def source_copy(tmp_path_factory: pytest.TempPathFactory) -> SourceCopy:
    """A copy of the kernel's source to plant bugs in, one for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return SourceCopy(shared / "source", tmp_path_factory.mktemp("images"))
