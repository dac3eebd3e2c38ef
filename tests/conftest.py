"""What every suite that boots machines shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool


@pytest.fixture(scope="session")
def kernel() -> KernelImage:
    """The bundled kernel, built once; several test processes wait for one another."""
    return build(bundled_description(), {})


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Warm machines for one test process."""
    with Pool() as warm:
        yield warm
