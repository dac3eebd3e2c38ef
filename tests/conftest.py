"""What every suite that boots machines shares, beside the fixtures of the pytest plugin."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage

# As a user has it, unless this checkout is not what is installed.
_INSTALLED = "mm_harness" in entry_points(group="pytest11").names
pytest_plugins = [] if _INSTALLED else ["harness.pytest_plugin"]


@pytest.fixture(scope="session")
def identity_kernel() -> KernelImage:
    """The bundled kernel, linked where it is loaded."""
    return build(bundled_description(), {"LAYOUT": "identity"})
